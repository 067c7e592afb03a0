// lmdb-js commits in a thread of its own and takes what was put meanwhile as one transaction.
'use strict';

const { randomUUID } = require('node:crypto');
const { open } = require('lmdb');
const { serve } = require('../fastify_optins');

// With its default, overlappingSync, a put resolves when it is visible, and only `flushed` when it is on disk.
const optins = open({ path: `${process.env.FOLDER}/optins`, separateFlushed: true });

serve(async (optin) => {
  const written = optins.put(randomUUID(), optin);
  await written;
  await written.flushed;
});
