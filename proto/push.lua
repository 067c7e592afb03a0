#!lua
-- Brings a range of a node's outbox to a queue, all of it or nothing.
--
--   KEYS[1]  the queue         <prefix>:{<queue>}:tasks
--   KEYS[2]  the node's mark   <prefix>:{<queue>}:mark:<node>:<epoch>, "<seq> <nonce>", and in a
--            gap " <from>-<until>" behind it, once or several times
--   ARGV     prev, last, what stands behind the seq in the mark, mode, shape, then runs: op, seq, count, and for each operation of
--            the run its member, behind the score of a put into a zset
--
-- A mark says how far the node's operations have come, and who writes them. A call covers the
-- range (prev, last]: the node vouches that nothing in it is open but the operations that it
-- names. So a lost tail shows (the mark is below prev), and ended tasks may leave holes.
--
-- A run is operations of one kind whose seqs follow each other, `seq` being the first. Nearly all
-- calls are one run of puts, which goes on to Redis as it came, in one command; taking each
-- operation into the hand costs more than putting it.
--
--   mode  ''          goes on behind prev
--         'init'      takes the mark over, whoever had it; makes it, if prev is 0
--         'again'     as '', but the queue may hold already what is put
--         'withdraw'  no range: takes out the members named, as long as the mark is ours
--         'find'      no range: counts the puts named that are not there any more. They are up to prev, so under a
--                     mark that has come to prev they were popped. Of a zset
--         'report'    as 'find', and each of these pops is reported to the stream that its member names
--   shape 'zset' or 'list';   op 'put', 'drop', or a seq: that of the put which this one moves to
--         another score. If the queue had that put (it is not over the mark), a member that is not
--         there any more was popped, and is not put again. Nothing else would tell: it is looked for
--         where it would stand now. So its pop is reported to the stream that it names.
--
-- What a node sends from its disk (after a start, an absence, a loss) comes in the order of seqs, and
-- of a put that was moved only the last one is there. So a mark in the middle of that gap says
-- nothing of first puts: `from` is the mark at its beginning, `until` its end, and between them the
-- node sends 'put' where the first one is over `from`. What came since then, and was on disk when a
-- later call was made, is the next gap, from the mark that this call found: it moves what was sent
-- before. They stand in the mark for the node's next process. In a list, where nothing moves,
-- `until` is how far puts may be there already ('again'), after a mark was lost and its list was not.
--
-- Answers {word, seq}:
--   OK last        applied. Behind a put into a zset follow the beginning of the member that stood first
--                  before, and its score ('' and '' where none did): what was popped until then may be
--                  hidden by what is put now
--   OK count       of 'find' and 'report'
--   DUP mark       everything was there already
--   REWIND mark    operations behind the mark were lost: send again from there
--   NOMARK 0       the mark was lost, or overwritten by somebody: send everything again, with 'init' from 0
--   FENCED mark    another process writes under this node and epoch
--
-- An error in mid-script is not rolled back: everything that could raise one is checked before
-- the first write, and the mark is written last, so that a repeat repeats, and nothing is lost.
-- Only a queue of another type is left to the first write to find, which then has done nothing.

local queue, mark_key = KEYS[1], KEYS[2]
local tail, mode, shape = ARGV[3], ARGV[4], ARGV[5]
local nonce = tail:match('^%S+')
local FIRST, HEAD, COUNT = 6, 3, #ARGV
local RUN_MAX = 1000 -- unpack has room for about 8,000 values

local function refuse(why)
  return redis.error_reply('ERR push: ' .. why)
end

local function whole(text)
  local number = tonumber(text)
  return number and number % 1 == 0 and number
end

local function width_of(op)
  return shape == 'zset' and op ~= 'drop' and 2 or 1
end

local finds = mode == 'find' or mode == 'report'
local ranges = not finds and mode ~= 'withdraw'

local prev, last = whole(ARGV[1]), whole(ARGV[2])
if not prev or not last or last < prev then return refuse('range') end
if shape ~= 'zset' and (shape ~= 'list' or finds) then return refuse('shape') end
if not nonce then return refuse('nonce') end
local run, scores = FIRST, 0
while run <= COUNT do
  local op, count = ARGV[run], whole(ARGV[run + 2])
  if op ~= 'put' and (op ~= 'drop' or finds) and not whole(op) then return refuse('operation') end
  if not whole(ARGV[run + 1]) or not count or count < 1 or count > RUN_MAX then return refuse('run') end
  local from, width = run + HEAD, width_of(op)
  run = from + width * count
  if run > COUNT + 1 then return refuse('run') end
  -- A score that is no number would stop ZADD in the middle. Here it cannot be added, which stops
  -- the script before it has done anything.
  if width == 2 then
    for i = from, run - 1, 2 do scores = scores + ARGV[i] end
  end
end
if scores ~= scores then return refuse('score') end -- NaN is not equal to itself

-- A mark that somebody wrote over is as good as lost. (An error here may also be an ACL's.)
local mark = redis.pcall('GET', mark_key)
if type(mark) == 'table' and not mark.err:find('WRONGTYPE', 1, true) then return mark end
local at, owner, lost
if type(mark) == 'string' then
  at, owner, lost = mark:match('^(%d+) (%S+)(.*)$')
end
mark = at and #at <= 16 and lost:gsub(' %d+%-%d+', '') == ''
if not mark then
  if mode ~= 'init' or prev > 0 then return {'NOMARK', 0} end
  at, owner = 0, nonce
end
at = tonumber(at)
if owner ~= nonce and mode ~= 'init' then return {'FENCED', at} end

if mode ~= 'withdraw' and at < prev then return {'REWIND', at} end
if ranges and mark and at >= last then
  if owner ~= nonce then redis.call('SET', mark_key, ('%d %s'):format(at, tail)) end
  return {'DUP', at}
end

local function drop(from, to)
  if shape == 'zset' then
    redis.call('ZREM', queue, unpack(ARGV, from, to))
  else
    for i = from, to do redis.call('LREM', queue, 0, ARGV[i]) end
  end
end

local function report(member)
  local sound, task = pcall(cjson.decode, member)
  if sound and type(task) == 'table' and type(task.id) == 'string' and type(task.report) == 'string' then
    redis.pcall('XADD', task.report, '*', 'task', task.id,
                'delivery', ('%d'):format(tonumber(task.delivery) or 1), 'op', 'popped')
  end
end

local function move(score, member)
  if redis.call('ZADD', queue, 'XX', 'CH', score, member) > 0 then return end
  if not redis.call('ZSCORE', queue, member) then report(member) end
end

local missing = 0

local function find(member)
  if redis.call('ZSCORE', queue, member) then return end
  missing = missing + 1
  if mode == 'report' then report(member) end
end

local function apply(op, from, to)
  if finds then
    for i = from, to, 2 do find(ARGV[i + 1]) end
  elseif op == 'drop' then
    drop(from, to)
  elseif shape == 'list' then
    if mode ~= '' then drop(from, to) end
    redis.call('RPUSH', queue, unpack(ARGV, from, to))
  elseif op ~= 'put' and tonumber(op) <= at then
    for i = from, to, 2 do move(ARGV[i], ARGV[i + 1]) end
  else
    redis.call('ZADD', queue, unpack(ARGV, from, to))
  end
end

local member, score = '', ''
if shape == 'zset' and ranges then
  local first = redis.call('ZRANGE', queue, 0, 0, 'WITHSCORES')
  if first[1] then member, score = first[1]:sub(1, 64), first[2] end
end

run = FIRST
while run <= COUNT do
  local op, seq, from = ARGV[run], tonumber(ARGV[run + 1]), run + HEAD
  run = from + width_of(op) * ARGV[run + 2]
  -- What is not over the mark is there already.
  if seq <= at and ranges then from = from + width_of(op) * (at - seq + 1) end
  if from < run then apply(op, from, run - 1) end
end
if not ranges then return {'OK', finds and missing or at} end

redis.call('SET', mark_key, ('%d %s'):format(last, tail))
if shape == 'list' then return {'OK', last} end
return {'OK', last, member, score}
