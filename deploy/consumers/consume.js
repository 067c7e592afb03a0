#!/usr/bin/env node
// Pops tasks, claims each, works on it, reports the outcome. Needs only node: Redis is spoken to in a few lines.
//   QUEUE=acme.calls AGENT=a42 OUTCOME=no_answer REDIS_URL=redis://127.0.0.1:6379/0 ONCE=1 consume.js
// REDIS_URL may also be unix:///path. With ONCE it ends after one task. PREFIX, where hotlead's redis_prefix is not "hl".
// SHAPE (zset or list), where the queue's shape is not to be found out by looking.
const { QUEUE = 'demo.calls', AGENT = 'node', OUTCOME = 'no_answer', PREFIX = 'hl', SHAPE, ONCE, REDIS_URL = 'redis://127.0.0.1:6379/0' } = process.env;
const url = new URL(REDIS_URL);
const link = require('net').connect(url.protocol === 'unix:' ? { path: url.pathname } : { host: url.hostname, port: url.port || 6379 });
let input = '', answer; // input is latin1, so that its length counts bytes
link.on('error', fail).on('close', () => fail(new Error('Redis closed the connection')));
link.setEncoding('latin1').on('data', (bytes) => { input += bytes; const parsed = parse(0); if (parsed) { input = ''; answer(parsed[0]); } });
function parse(at) { // one RESP reply: [value, where it ends], or undefined when there is more to come
  const line = input.indexOf('\r\n', at), length = Number(input.slice(at + 1, line)), start = line + 2;
  if (line < 0) return undefined;
  if (input[at] === '-') return [new Error(input.slice(at + 1, line)), start];
  if (length < 0) return [null, start];
  if (input[at] === '$') return input.length < start + length + 2 ? undefined : [Buffer.from(input.substr(start, length), 'latin1').toString(), start + length + 2];
  if (input[at] !== '*') return [input.slice(at + 1, line), start];
  const items = [];
  for (at = start; items.length < length;) { const item = parse(at); if (!item) return undefined; items.push(item[0]); at = item[1]; }
  return [items, at];
}
async function redis(...words) { // one command at a time
  link.write(`*${words.length}\r\n` + words.map((word) => `$${Buffer.byteLength(String(word))}\r\n${word}\r\n`).join(''));
  const value = await new Promise((resolve) => { answer = resolve; });
  if (value instanceof Error) throw value;
  return value;
}
let shape = 'zset';
async function pop() { // waits for a task; an empty queue has no type and is taken for what it was, which is looked at each second
  for (const tasks = `${PREFIX}:{${QUEUE}}:tasks`; ;) {
    const seen = SHAPE || await redis('TYPE', tasks);
    if (seen !== 'none') shape = seen;
    const popped = await redis(shape === 'list' ? 'BLPOP' : 'BZPOPMIN', tasks, SHAPE ? 0 : 1)
      .catch((error) => { if (seen !== 'none') throw error; }); // else it came since, and is another than it was
    if (Array.isArray(popped)) return JSON.parse(popped[1]);
  }
}
async function work(task) { console.log(`calling ${task.phone} for task ${task.id}, attempt ${task.attempt}`); } // dial here
async function main() {
  if (url.password) await redis('AUTH', decodeURIComponent(url.username) || 'default', decodeURIComponent(url.password));
  if (url.protocol === 'redis:' && url.pathname.length > 1) await redis('SELECT', url.pathname.slice(1));
  do {
    const task = await pop(), started = Date.now();
    const report = (...fields) => redis('XADD', task.report, '*', 'task', task.id, 'delivery', task.delivery, 'agent', AGENT, ...fields);
    await report('op', 'claim'); // every task says in "report" which stream its reports go to
    await work(task);
    await report('op', 'outcome', 'outcome', OUTCOME, 'started_ms', started);
  } while (!ONCE);
}
function fail(error) { console.error(error.message); process.exit(1); }
main().then(() => process.exit(0), fail);
