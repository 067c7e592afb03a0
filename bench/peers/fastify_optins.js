// The HTTP half that the Fastify peers share: POST /optins with a JSON schema, a BullMQ queue behind it. One
// process, as the queue's and the stores' batching is by process; the event loop is its bottleneck.
'use strict';

const fastify = require('fastify');
const { Queue } = require('bullmq');

const text = { type: 'string', maxLength: 2000 };
const optin = {
  type: 'object',
  required: ['email'],
  properties: {
    email: { type: 'string', format: 'email', maxLength: 254 },
    name: text,
    phone: text,
    page_url: text,
    postal_code: text,
    consent: {
      type: 'object',
      required: ['given'],
      properties: { given: { type: 'boolean' }, text, version: text, channels: { type: 'array', items: text } },
    },
  },
};
const accepted = { type: 'object', properties: { id: { type: 'string' } } };

// `keep` (may be left out) resolves once the opt-in is on disk. It is on the queue before the 202.
exports.serve = async function serve(keep) {
  // As BullMQ's guide has it for a queue behind HTTP: while Redis is away an add fails at once.
  const queue = new Queue('optins', {
    connection: { path: process.env.REDIS_SOCKET, enableOfflineQueue: false },
  });
  await queue.waitUntilReady();

  const app = fastify(); // keep-alive and no request log: its defaults
  app.post('/optins', { schema: { body: optin, response: { 202: accepted } } }, async (request, reply) => {
    if (keep) await keep(request.body);
    const job = await queue.add('optin', request.body);
    reply.code(202);
    return { id: job.id };
  });
  for (const signal of ['SIGTERM', 'SIGINT'])
    process.once(signal, async () => {
      await app.close();
      await queue.close();
      process.exit(0);
    });
  await app.listen({ host: '127.0.0.1', port: Number(process.env.PORT) });
};
