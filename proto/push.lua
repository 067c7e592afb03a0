#!lua
-- Brings a range of a node's outbox to a queue, all of it or nothing.
--
--   KEYS[1]  the queue         <prefix>:{<queue>}:tasks
--   KEYS[2]  the node's mark   <prefix>:{<queue>}:mark:<node>:<epoch>, "<seq> <nonce>"
--   ARGV     prev, last, nonce, mode, shape, then seq, op, score, member, seq, op, ...
--
-- A mark says how far the node's operations have come, and who writes them. A call covers the
-- range (prev, last]: the node vouches that nothing in it is open but the operations that it
-- names. So a lost tail shows (the mark is below prev), and ended tasks may leave holes.
--
--   mode  ''          goes on behind prev
--         'init'      takes the mark over, whoever had it; makes it, if prev is 0
--         'again'     as '', but the queue may hold already what is put
--         'withdraw'  no range: takes out the members named, as long as the mark is ours
--   shape 'zset' or 'list';   op 'put', 'drop', or a seq: that of the put which this one moves to
--         another score. If the queue had that put (it is not over the mark), a member that is not
--         there any more was popped, and is not put again.
--
-- Answers {word, seq}:
--   OK last        applied
--   DUP mark       everything was there already
--   REWIND mark    operations behind the mark were lost: send again from there
--   NOMARK 0       the mark was lost, or overwritten by somebody: send everything again, with 'init' from 0
--   FENCED mark    another process writes under this node and epoch
--
-- An error in mid-script is not rolled back: everything that could raise one is checked before
-- the first write, and the mark is written last, so that a repeat repeats, and nothing is lost.

local queue, mark_key = KEYS[1], KEYS[2]
local prev, last = tonumber(ARGV[1]), tonumber(ARGV[2])
local nonce, mode, shape = ARGV[3], ARGV[4], ARGV[5]
local FIRST, WIDTH = 6, 4

local function refuse(why)
  return redis.error_reply('ERR push: ' .. why)
end

if not prev or not last or last < prev then return refuse('range') end
if shape ~= 'zset' and shape ~= 'list' then return refuse('shape') end
if (#ARGV - FIRST + 1) % WIDTH ~= 0 then return refuse('operations') end
for i = FIRST, #ARGV, WIDTH do
  local op, score = ARGV[i + 1], tonumber(ARGV[i + 2])
  -- A score that is no number would stop ZADD in the middle; NaN is not equal to itself.
  if not tonumber(ARGV[i]) or not score or score ~= score or (op ~= 'put' and op ~= 'drop' and not tonumber(op)) then
    return refuse('operation')
  end
end
local kind = redis.call('TYPE', queue).ok
if kind ~= 'none' and kind ~= shape then
  return redis.error_reply('WRONGTYPE the queue is not a ' .. shape)
end

-- A mark that somebody wrote over is as good as lost. (An error here may also be an ACL's.)
local mark = redis.pcall('GET', mark_key)
if type(mark) == 'table' and not mark.err:find('WRONGTYPE', 1, true) then return mark end
local at, owner
if type(mark) == 'string' and #mark:match('^%d*') <= 16 then
  at, owner = mark:match('^(%d+) (%S+)$')
end
mark = at ~= nil
if not mark then
  if mode ~= 'init' or prev > 0 then return {'NOMARK', 0} end
  at, owner = 0, nonce
end
at = tonumber(at)
if owner ~= nonce and mode ~= 'init' then return {'FENCED', at} end

local function drop(member)
  if shape == 'zset' then
    redis.call('ZREM', queue, member)
  else
    redis.call('LREM', queue, 0, member)
  end
end

if mode == 'withdraw' then
  for i = FIRST, #ARGV, WIDTH do drop(ARGV[i + 3]) end
  return {'OK', at}
end

if at < prev then return {'REWIND', at} end
if mark and at >= last then
  if owner ~= nonce then redis.call('SET', mark_key, ('%d %s'):format(at, nonce)) end
  return {'DUP', at}
end

-- Puts in a row are one command: half the price of one each.
local puts = {}
local function put_gathered()
  if #puts == 0 then return end
  redis.call(shape == 'zset' and 'ZADD' or 'RPUSH', queue, unpack(puts))
  puts = {}
end

for i = FIRST, #ARGV, WIDTH do
  if tonumber(ARGV[i]) > at then
    local op, member = ARGV[i + 1], ARGV[i + 3]
    if op == 'drop' then
      put_gathered()
      drop(member)
    elseif shape == 'zset' and op ~= 'put' and tonumber(op) <= at then
      put_gathered()
      redis.call('ZADD', queue, 'XX', ARGV[i + 2], member)
    elseif shape == 'zset' then
      puts[#puts + 1] = ARGV[i + 2]
      puts[#puts + 1] = member
    else
      if mode ~= '' then drop(member) end
      puts[#puts + 1] = member
    end
  end
end
put_gathered()

redis.call('SET', mark_key, ('%d %s'):format(last, nonce))
return {'OK', last}
