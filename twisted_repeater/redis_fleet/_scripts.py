"""What runs inside the engine, in Lua. Each script is one indivisible step.

The engine's data of a fleet, below a prefix with a hash tag, so that all of it stays together:

* ``state``: a hash. ``epoch`` names one life of these data, ``run`` the run of the engine that it belongs to. ``clock``
  is the fleet's own clock in milliseconds, ``wall`` what the engine's clock said when it was moved last. ``fence``
  counts claims. Before ``until``, only names that were held in an earlier epoch can be claimed. ``settings`` must be
  the same for all nodes.
* ``nodes``: a sorted set of incarnations, by the time at which their lease ends.
* ``names``: a hash of the names of these nodes. ``info``: a hash of what they say of themselves, in JSON.
* ``held``: a hash of the names that one node has: ``name:REPEATER:NAME`` is ``INCARNATION|FENCE|SINCE``. ``shared``: a
  hash of those that several may have: ``shared:REPEATER:NAME`` is their incarnations, with a space around each.
* ``of:INCARNATION``: a set of the names above that belong to an incarnation, for whoever sweeps it up.
* ``inbox:INCARNATION`` and ``all``: streams of orders, for one node or for all. The id of an order is the fleet's clock
  and a number that counts all orders. ``counts`` numbers the orders of each stream, so that a reader sees that it has
  missed some, and has for each of them the bytes that were added since a mark; see `ORDER`.
* ``turns``: a hash of incarnations. When a node loses its connection with a question on the way, its turn goes up. What
  it asked for in an earlier turn, and what comes late, is not done.

The fleet's clock moves with the engine's, from one call to the next. If the engine's clock was set, or the engine stood
still, more time lies between two calls than ever passes without one: that time does not count. So no lease ends by it.

There are so few keys so that none stays for ever: each is forgotten a day after it was last used or renewed. If no node
comes back after all have crashed, nothing is left of the fleet then.
"""

from __future__ import annotations

from hashlib import sha1
from typing import Any

from ._engine import Connection, EngineError

__all__ = ["CLAIMS", "HOLDERS", "JOIN", "LEAVE", "NODES", "NOW", "ORDER", "RENEW", "Script"]

CLOCK = """
local state = KEYS[1]
local prefix = string.sub(state, 1, -#'state' - 1)
local function keep(...)
  for _, key in ipairs({...}) do redis.call('PEXPIRE', prefix .. key, 86400000) end
end
local function number(field) return tonumber(redis.call('HGET', state, field) or '0') end
local now = redis.call('TIME')
local wall = now[1] * 1000 + math.floor(now[2] / 1000)
local passed = wall - number('wall')
if passed < 0 or passed > number('gap') then passed = 0 end
local clock = number('clock') + passed
redis.call('HSET', state, 'clock', clock, 'wall', wall)
local function left(incarnation)
  local ends = redis.call('ZSCORE', KEYS[2], incarnation)
  return ends and tonumber(ends) - clock or 0
end
local function alive(incarnation) return left(incarnation) > 0 end
"""

MEMBER = (
    CLOCK
    + """
local me = ARGV[2]
if redis.call('HGET', state, 'epoch') ~= ARGV[1] then return {'epoch'} end
if not alive(me) then return {'lease'} end
"""
)
"""The beginning of what only members may do. ARGV: epoch, incarnation."""

ADD = """
local function add(stream, header, payload)
  local number = redis.call('HINCRBY', prefix .. 'counts', stream, 1)
  local id = string.format('%.0f-%.0f', clock, redis.call('HINCRBY', state, 'orders', 1))
  redis.call('XADD', prefix .. stream, id, 'number', number, 'header', header, 'payload', payload)
  keep('counts', stream)
  return id
end
"""

SHARED = """
local function part(incarnation, name)
  local all = redis.call('HGET', prefix .. 'shared', name) or ''
  local others = string.gsub(all, ' ' .. incarnation .. ' ', ' ')
  if others == ' ' then
    redis.call('HDEL', prefix .. 'shared', name)
  elseif others ~= all then
    redis.call('HSET', prefix .. 'shared', name, others)
  end
end
"""

SWEEP = (
    SHARED
    + """
local function sweep(dead, most)
  local of = prefix .. 'of:' .. dead
  local names = redis.call('SPOP', of, most)
  for _, name in ipairs(names) do
    if string.sub(name, 1, 7) == 'shared:' then
      part(dead, name)
    elseif string.match(redis.call('HGET', prefix .. 'held', name) or '', '^[^|]*') == dead then
      redis.call('HDEL', prefix .. 'held', name)
    end
  end
  if redis.call('EXISTS', of) == 0 then
    redis.call('ZREM', KEYS[2], dead)
    for _, hash in ipairs({'info', 'names', 'turns'}) do redis.call('HDEL', prefix .. hash, dead) end
    local inbox = 'inbox:' .. dead
    redis.call('HDEL', prefix .. 'counts', inbox, 'bytes:' .. inbox, 'mark:' .. inbox)
    redis.call('DEL', prefix .. 'inbox:' .. dead)
  end
  return most - #names
end
"""
)
"""What frees some names of an incarnation, and forgets it when none is left."""


class Script:
    """A script. It is sent whole only if the engine does not know it."""

    def __init__(self, text: str) -> None:
        self._text = text.encode()
        self._hash = sha1(self._text, usedforsecurity=False).hexdigest()

    async def run(self, connection: Connection, keys: list[str], arguments: list[Any]) -> list[Any]:
        """Run it; return its answer.

        Raises:
            EngineError: the engine is not connected, answers with an error, or is too late.
        """
        answer: list[Any]
        try:
            answer = await connection.call("EVALSHA", self._hash, len(keys), *keys, *arguments)
        except EngineError as error:
            if not str(error).startswith("NOSCRIPT"):
                raise
            answer = await connection.call("EVAL", self._text, len(keys), *keys, *arguments)
        return answer


JOIN = Script(
    CLOCK
    + """
-- KEYS: state, nodes, info, names, all
-- ARGV: run, new epoch, incarnation, name, kept (ms), gap (ms), settings, info, wait (ms), earlier incarnation or ''
redis.call('ZADD', KEYS[2], 'XX', clock, ARGV[10])
local epoch = redis.call('HGET', state, 'epoch')
if not epoch or redis.call('HGET', state, 'run') ~= ARGV[1] then
  epoch = ARGV[2]
  redis.call('HSET', state, 'epoch', epoch, 'run', ARGV[1], 'gap', ARGV[6], 'until', clock + ARGV[9])
end
local others = redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. clock, '+inf')
for _, other in ipairs(others) do
  if other ~= ARGV[3] and redis.call('HGET', KEYS[4], other) == ARGV[4] then return {'name'} end
end
local settings = redis.call('HGET', state, 'settings')
if settings ~= ARGV[7] then
  if settings and #others > 0 then return {'settings', settings} end
  redis.call('HSET', state, 'settings', ARGV[7], 'gap', ARGV[6])
end
redis.call('ZADD', KEYS[2], clock + ARGV[5], ARGV[3])
redis.call('HSET', KEYS[3], ARGV[3], ARGV[8])
redis.call('HSET', KEYS[4], ARGV[3], ARGV[4])
keep('state', 'nodes', 'info', 'names')
local last = redis.call('XREVRANGE', KEYS[5], '+', '-', 'COUNT', 1)[1]
return {'ok', epoch, last and last[1] or '0-0', redis.call('ZCOUNT', KEYS[2], '(' .. clock, '+inf')}
"""
)
"""Make a node a member."""

RENEW = Script(
    MEMBER
    + SWEEP
    + """
-- KEYS: state, nodes, info, names; ARGV: epoch, incarnation, kept (ms), info, how many names to sweep up
redis.call('ZADD', KEYS[2], clock + ARGV[3], me)
redis.call('HSET', KEYS[3], me, ARGV[4])
keep('state', 'nodes', 'info', 'names', 'held', 'shared', 'of:' .. me, 'turns', 'counts', 'inbox:' .. me, 'all')
local function dead() return redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', clock, 'LIMIT', 0, 1)[1] end
local left = tonumber(ARGV[5])
while left > 0 and dead() do left = sweep(dead(), left) end
return {'ok', dead() and 1 or 0, redis.call('ZCOUNT', KEYS[2], '(' .. clock, '+inf')}
"""
)
"""Renew the lease of a node, and free names of those whose leases have ended. The answer: 1 if there are more."""

LEAVE = Script(
    MEMBER
    + SWEEP
    + """
-- KEYS: state, nodes, info, names; ARGV: epoch, incarnation, how many names to sweep up
redis.call('ZADD', KEYS[2], clock, me)
sweep(me, tonumber(ARGV[3]))
return {'ok'}
"""
)
"""End the lease of a node, and free some of the names that it still has. Others free the rest."""

CLAIMS = Script(
    MEMBER
    + ADD
    + SHARED
    + """
-- KEYS: state, nodes, of:incarnation
-- ARGV: epoch, incarnation, prefix, turn, then three for each: what, key without prefix, number
local last, turn = tonumber(redis.call('HGET', prefix .. 'turns', me) or '0'), tonumber(ARGV[4])
if turn < last then return {'late'} end
if turn > last then redis.call('HSET', prefix .. 'turns', me, turn) end
local answers = {}
local wait = number('until') - clock
local function note(name) redis.call('SADD', KEYS[3], name) end
local function forget(name) redis.call('SREM', KEYS[3], name) end
local function take(name, age)
  local fence = redis.call('HINCRBY', state, 'fence', 1)
  redis.call('HSET', prefix .. 'held', name, me .. '|' .. fence .. '|' .. clock - age)
  note(name)
  return fence
end
local function share(what, name)
  if what == 'join' then
    local all = redis.call('HGET', prefix .. 'shared', name) or ' '
    if not string.find(all, ' ' .. me .. ' ', 1, true) then
      redis.call('HSET', prefix .. 'shared', name, all .. me .. ' ')
      note(name)
    end
    return {'held', 1}
  end
  part(me, name)
  forget(name)
  return {'free'}
end
local function claim(what, name, value)
  local entry = redis.call('HGET', prefix .. 'held', name) or ''
  local holder, fence, since = string.match(entry, '^([^|]*)|([^|]*)|(.*)$')
  if what == 'release' then
    if holder == me and (value == 0 or tonumber(fence) == value) then
      redis.call('HDEL', prefix .. 'held', name)
      forget(name)
    end
    return {'free'}
  end
  if holder == me then return {'held', tonumber(fence)} end
  if holder and alive(holder) then
    local mine, theirs = clock - value, tonumber(since)
    if not ((what == 'older' and mine < theirs) or (what == 'younger' and mine > theirs)) then
      return {'taken', holder, left(holder)}
    end
    local arguments = {key = name, fence = tonumber(fence)}
    add('inbox:' .. holder, cjson.encode({what = 'lost', arguments = arguments}), '')
    redis.call('SREM', prefix .. 'of:' .. holder, name)
  elseif what == 'claim' and wait > 0 then
    return {'wait', wait}
  end
  return {'held', take(name, what == 'claim' and 0 or value)}
end
for i = 5, #ARGV, 3 do
  local what, name = ARGV[i], ARGV[i + 1]
  if what == 'join' or what == 'part' then
    answers[#answers + 1] = share(what, name)
  else
    answers[#answers + 1] = claim(what, name, tonumber(ARGV[i + 2]))
  end
end
keep('held', 'shared', 'of:' .. me, 'turns')
return {'ok', answers}
"""
)
"""Claim and release names. The answers: ``held`` and the fence, ``taken``, the incarnation that has it, and for how
many milliseconds its lease lasts yet, ``wait`` and for how many milliseconds, ``free``. What can be asked for, with
which number:

* ``claim`` (0).
* ``release`` (the fence, or 0 for whatever this incarnation has).
* ``older`` and ``younger`` (the age of a link in milliseconds): to claim a name again, also from a node whose link is
  younger, or older.
* ``join`` and ``part`` (0): to note or forget that this node has links of a shared name.
"""

ORDER = Script(
    MEMBER
    + ADD
    + """
-- KEYS: state, nodes, names
-- ARGV: epoch, incarnation, prefix, header, payload, kept (ms), how they are named: all, incarnations or names; who
local reached = {}
local function give(stream)
  local id = add(stream, ARGV[4], ARGV[5])
  local counts, mark, bytes = prefix .. 'counts', 'mark:' .. stream, 'bytes:' .. stream
  if redis.call('HINCRBY', counts, bytes, #ARGV[4] + #ARGV[5]) > 67108864 then
    redis.call('XTRIM', prefix .. stream, 'MINID', redis.call('HGET', counts, mark) or '0')
    redis.call('HSET', counts, mark, id, bytes, 0)
  end
  redis.call('XTRIM', prefix .. stream, 'MINID', string.format('%.0f', math.max(clock - ARGV[6], 0)))
  redis.call('XTRIM', prefix .. stream, 'MAXLEN', '~', 10000)
end
local function name_of(incarnation) return redis.call('HGET', KEYS[3], incarnation) or '' end
local wanted = {}
for i = 8, #ARGV do wanted[ARGV[i]] = true end
if ARGV[7] == 'all' then give('all') end
local function look(incarnation, name)
  if ARGV[7] ~= 'all' then
    if not wanted[ARGV[7] == 'names' and name or incarnation] then return end
    give('inbox:' .. incarnation)
  end
  reached[#reached + 1] = incarnation
  reached[#reached + 1] = name
end
if ARGV[7] == 'incarnations' then
  for each in pairs(wanted) do
    if alive(each) and each ~= me then look(each, name_of(each)) end
  end
else
  for _, each in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. clock, '+inf')) do
    if each ~= me then look(each, name_of(each)) end
  end
end
return {'ok', reached}
"""
)
"""Give an order to some nodes, or to all others. The answer: the incarnation and the name of each that is to get it.

A stream has the orders of the time that they may take, 10,000 and 128 MiB at most: after each 64 MiB all that stood
before the last mark is dropped, and a new mark is set. So whoever is slow misses orders, and the engine keeps its
memory for names.
"""

NOW = Script(CLOCK + "return {clock}")
"""Return the fleet's clock. KEYS: state."""

HOLDERS = Script(
    MEMBER
    + """
-- KEYS: state, nodes, names, then the prefix with the name, and with the shared name; ARGV: epoch, incarnation
local function value(hash, key) return redis.call('HGET', prefix .. hash, string.sub(key, #prefix + 1)) or '' end
local holders = string.match(value('held', KEYS[4]), '^[^|]*') .. value('shared', KEYS[5])
local living = {}
for each in string.gmatch(holders, '%S+') do
  if alive(each) then living[#living + 1] = redis.call('HGET', KEYS[3], each) or '' end
end
return {'ok', living}
"""
)
"""Find the nodes that have links of a name: their names."""

NODES = Script(
    MEMBER
    + """
-- KEYS: state, nodes, names, info; ARGV: epoch, incarnation
local found = {}
for _, each in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. clock, '+inf')) do
  found[#found + 1] = {each, redis.call('HGET', KEYS[3], each) or '', redis.call('HGET', KEYS[4], each) or '{}'}
end
return {'ok', found}
"""
)
"""Find the nodes: incarnation, name, and what each says of itself."""
