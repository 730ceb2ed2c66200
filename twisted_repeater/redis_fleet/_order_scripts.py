"""What runs inside the engine for orders, in Lua; see `_scripts` for the rest of the engine's data.

* ``inbox:INCARNATION`` and ``all`` are streams of orders, for one node or for all. The id of an order is the fleet's
  clock and a number that counts all orders.
* ``counts``: a hash. ``STREAM`` numbers the orders of each stream, so that a reader sees that it has missed some.
  ``bytes:STREAM`` says how many bytes they had.
* ``read``: a hash of what each incarnation says that it has read: ``BYTES BYTES ID``, of ``all``, of its inbox, and the
  id of the last order in ``all``.

An order is kept for a minute, but not when all have read it. A node that does not read gets no more than some bytes:
then `ORDER` leaves it out, and its caller is told so. Nothing else bounds what large orders to it would fill.

Nobody else writes to these streams. If somebody does, and with an id that is ahead of the clock, no order could follow.
Then the stream begins once more, and its readers from its beginning.
"""

from __future__ import annotations

from ._scripts import ADD, CLOCK, MEMBER, Script

__all__ = ["NOW", "ORDER", "READ"]

ORDER = Script(
    MEMBER
    + ADD
    + """
-- KEYS: state, nodes, names
-- ARGV: epoch, incarnation, header, payload, kept (ms), most bytes, how they are named: all, incarnations or names; who
local how, wanted, reached, full = ARGV[7], {}, {}, {}
local more, of_all = #ARGV[3] + #ARGV[4], given('all')
for i = 8, #ARGV do wanted[ARGV[i]] = true end
local function give(stream)
  add(stream, ARGV[3], ARGV[4])
  redis.call('XTRIM', prefix .. stream, 'MINID', string.format('%.0f', math.max(clock - ARGV[5], 0)))
  redis.call('XTRIM', prefix .. stream, 'MAXLEN', '~', 10000)
end
local function unread(incarnation)
  local all, own = string.match(redis.call('HGET', prefix .. 'read', incarnation) or '', '^(%S+) (%S+)')
  return all and of_all - all + given('inbox:' .. incarnation) - own or 0
end
local function look(incarnation)
  local name = redis.call('HGET', KEYS[3], incarnation) or ''
  if incarnation == me or how == 'names' and not wanted[name] then return end
  local which = unread(incarnation) + more > tonumber(ARGV[6]) and full or reached
  which[#which + 1] = incarnation
  which[#which + 1] = name
end
if how == 'incarnations' then
  for each in pairs(wanted) do
    if alive(each) then look(each) end
  end
else
  for _, each in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. clock, '+inf')) do look(each) end
end
if how == 'all' and #full == 0 then
  give('all')
else
  for i = 1, #reached, 2 do give('inbox:' .. reached[i]) end
end
return {'ok', reached, full}
"""
)
"""Give an order to some nodes, or to all others. The answer: the incarnation and the name of each that is to get it,
and of each that does not get it, because too much waits for it already."""

READ = Script(
    MEMBER
    + ADD
    + """
-- KEYS: state, nodes
-- ARGV: epoch, incarnation, then of `all` and of the inbox: the id of the last order, and the bytes up to it, or ''
local function look(stream, id)
  local last = redis.call('XREVRANGE', prefix .. stream, '+', '-', 'COUNT', 1)[1]
  if last and ahead(last[1]) then restart(stream) end
  return ahead(id) and '0-0' or id
end
local own = 'inbox:' .. me
local all, inbox = look('all', ARGV[3]), look(own, ARGV[5])
local bytes = ARGV[4]
if bytes == '' then -- it has read none of `all` since it has joined
  bytes = string.match(redis.call('HGET', prefix .. 'read', me) or '', '^%S+') or string.format('%.0f', given('all'))
end
redis.call('HSET', prefix .. 'read', me, bytes .. ' ' .. ARGV[6] .. ' ' .. all)
redis.call('XTRIM', prefix .. own, 'MINID', inbox)
local lowest = clock
for _, each in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. clock, '+inf')) do
  local id = string.match(redis.call('HGET', prefix .. 'read', each) or '0', '(%d+)-?%d*$')
  lowest = math.min(lowest, tonumber(id))
end
redis.call('XTRIM', prefix .. 'all', 'MINID', string.format('%.0f', lowest))
keep('read')
return {'ok', all, inbox}
"""
)
"""Note what a node has read, and forget what all have read. The answer: after which orders it is to read on."""

NOW = Script(CLOCK + "return {clock}")
"""Return the fleet's clock. KEYS: state."""
