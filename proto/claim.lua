#!lua
-- Claims the first task of a queue: takes it out and reports the claim, in one step, so that no
-- crash of the consumer lies between the two. For consumers in any language:
--
--   EVAL <this text> 2 <prefix>:{<queue>}:tasks <prefix>:{<queue>}:reports:<node> <agent> [now_ms]
--
--   KEYS[1]  the queue, of either shape
--   KEYS[2]  the reports of a node. Used only if a task does not name its own: tasks of several
--            nodes may stand in one queue, and each node hears about its own
--   ARGV[1]  who claims;   ARGV[2]  when, ms since the epoch (may be left out)
--
-- Answers the task's JSON, nil when the queue is empty. The claim holds the task for the
-- queue's `claim_holds` (30 min); report the outcome to the stream named in its "report".
--
-- What could fail is looked at before the task is taken: a popped task whose claim was not
-- written would have to wait for its lease.

local queue, agent, now_ms = KEYS[1], ARGV[1], ARGV[2]

if not agent or agent == '' then return redis.error_reply('ERR claim: who claims?') end

local kind = redis.call('TYPE', queue).ok
if kind == 'none' then return nil end
if kind ~= 'zset' and kind ~= 'list' then
  return redis.error_reply('WRONGTYPE the queue is neither zset nor list')
end

local member = redis.call(kind == 'zset' and 'ZRANGE' or 'LRANGE', queue, 0, 0)[1]
local sound, task = pcall(cjson.decode, member)
sound = sound and type(task) == 'table' and type(task.id) == 'string'

local reports = KEYS[2]
if sound and type(task.report) == 'string' then reports = task.report end
local stream = redis.call('TYPE', reports).ok
if stream ~= 'none' and stream ~= 'stream' then
  return redis.error_reply('WRONGTYPE the reports are not a stream')
end

redis.call(kind == 'zset' and 'ZPOPMIN' or 'LPOP', queue)
if sound then -- else not a task of ours: nobody waits for a report
  local report = {'task', task.id, 'delivery', ('%d'):format(tonumber(task.delivery) or 1),
                  'op', 'claim', 'agent', agent}
  if now_ms and now_ms ~= '' then
    report[#report + 1] = 'started_ms'
    report[#report + 1] = now_ms
  end
  redis.call('XADD', reports, '*', unpack(report))
end
return member
