"""What runs inside the engine, in Lua. Each script is one indivisible step.

The engine's data of a fleet, below a prefix with a hash tag, so that all of it stays together:

* ``state``: a hash. ``epoch`` names one life of these data, ``run`` the run of the engine that it belongs to. ``clock``
  is the fleet's own clock in milliseconds, ``wall`` what the engine's clock said when it was moved last. ``fence``
  counts claims. Before ``until``, only names that were held in an earlier epoch can be claimed. ``settings`` must be the
  same for all nodes.
* ``nodes``: a sorted set of incarnations, by the time at which their lease ends.
* ``names``: a hash of the names of these nodes. ``info``: a hash of what they say of themselves, in JSON.
* ``name:REPEATER:NAME``: ``INCARNATION|FENCE|SINCE``. ``shared:REPEATER:NAME``: a hash whose fields are incarnations.
* ``of:INCARNATION``: a set of the keys above that belong to an incarnation, for whoever sweeps it up.
* ``inbox:INCARNATION`` and ``all``: streams of orders, for one node or for all.

The fleet's clock moves with the engine's, from one call to the next. If the engine's clock was set, or the engine stood
still, more time lies between two calls than ever passes without one: that time does not count. So no lease ends by it.
"""

from __future__ import annotations

from hashlib import sha1
from typing import Any

from ._engine import Connection, EngineError

__all__ = ["CLAIMS", "HOLDERS", "JOIN", "LEAVE", "NODES", "ORDER", "RENEW", "SHARE", "Script"]

CLOCK = """
local state = KEYS[1]
local function number(field) return tonumber(redis.call('HGET', state, field) or '0') end
local now = redis.call('TIME')
local wall = now[1] * 1000 + math.floor(now[2] / 1000)
local passed = wall - number('wall')
if passed < 0 or passed > number('gap') then passed = 0 end
local clock = number('clock') + passed
redis.call('HSET', state, 'clock', clock, 'wall', wall)
local function alive(incarnation)
  local ends = redis.call('ZSCORE', KEYS[2], incarnation)
  return ends and tonumber(ends) > clock
end
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
        try:
            return await connection.call("EVALSHA", self._hash, len(keys), *keys, *arguments)
        except EngineError as error:
            if not str(error).startswith("NOSCRIPT"):
                raise
        return await connection.call("EVAL", self._text, len(keys), *keys, *arguments)


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
  if redis.call('HGET', KEYS[4], other) == ARGV[4] then return {'name'} end
end
local settings = redis.call('HGET', state, 'settings')
if settings ~= ARGV[7] then
  if settings and #others > 0 then return {'settings', settings} end
  redis.call('HSET', state, 'settings', ARGV[7], 'gap', ARGV[6])
end
redis.call('ZADD', KEYS[2], clock + ARGV[5], ARGV[3])
redis.call('HSET', KEYS[3], ARGV[3], ARGV[8])
redis.call('HSET', KEYS[4], ARGV[3], ARGV[4])
local last = redis.call('XREVRANGE', KEYS[5], '+', '-', 'COUNT', 1)[1]
return {'ok', epoch, last and last[1] or '0-0'}
"""
)
"""Make a node a member."""

RENEW = Script(
    MEMBER
    + """
-- KEYS: state, nodes, info, names; ARGV: epoch, incarnation, kept (ms), info, prefix, how many names to sweep up
redis.call('ZADD', KEYS[2], clock + ARGV[3], me)
redis.call('HSET', KEYS[3], me, ARGV[4])
local dead = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', clock, 'LIMIT', 0, 1)[1]
if dead then
  local of = ARGV[5] .. 'of:' .. dead
  for _, key in ipairs(redis.call('SPOP', of, ARGV[6])) do
    if redis.call('TYPE', key).ok == 'hash' then
      redis.call('HDEL', key, dead)
    elseif string.match(redis.call('GET', key) or '', '^[^|]*') == dead then
      redis.call('DEL', key)
    end
  end
  if redis.call('EXISTS', of) == 0 then
    redis.call('ZREM', KEYS[2], dead)
    redis.call('HDEL', KEYS[3], dead)
    redis.call('HDEL', KEYS[4], dead)
    redis.call('DEL', ARGV[5] .. 'inbox:' .. dead)
  end
end
return {'ok', dead and 1 or 0}
"""
)
"""Renew the lease of a node, and sweep up some names of one whose lease has ended."""

LEAVE = Script(
    MEMBER
    + """
redis.call('ZADD', KEYS[2], clock, me)
return {'ok'}
"""
)
"""End the lease of a node."""

CLAIMS = Script(
    MEMBER
    + """
-- KEYS: state, nodes, of:incarnation; ARGV: epoch, incarnation, prefix, then three for each: what, key, number
local answers = {}
local wait = number('until') - clock
local function take(key, age)
  local fence = redis.call('HINCRBY', state, 'fence', 1)
  redis.call('SET', key, me .. '|' .. fence .. '|' .. clock - age)
  redis.call('SADD', KEYS[3], key)
  return fence
end
for i = 4, #ARGV, 3 do
  local what, key, value = ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2])
  local holder, fence, since = string.match(redis.call('GET', key) or '', '^([^|]*)|([^|]*)|(.*)$')
  local answer
  if what == 'release' then
    if holder == me and tonumber(fence) == value then
      redis.call('DEL', key)
      redis.call('SREM', KEYS[3], key)
    end
    answer = {'free'}
  elseif holder == me then
    answer = {'held', tonumber(fence)}
  elseif holder and alive(holder) then
    local mine, theirs = clock - value, tonumber(since)
    if (what == 'older' and mine < theirs) or (what == 'younger' and mine > theirs) then
      local header = cjson.encode({what = 'lost', key = key, fence = tonumber(fence)})
      redis.call('XADD', ARGV[3] .. 'inbox:' .. holder, '*', 'header', header, 'payload', '')
      redis.call('SREM', ARGV[3] .. 'of:' .. holder, key)
      answer = {'held', take(key, value)}
    else
      answer = {'taken', holder}
    end
  elseif what == 'claim' and wait > 0 then
    answer = {'wait', wait}
  else
    answer = {'held', take(key, what == 'claim' and 0 or value)}
  end
  answers[#answers + 1] = answer
end
return {'ok', answers}
"""
)
"""Claim and release names. What: ``claim`` (number: 0); ``release`` (its fence); ``older`` and ``younger``, to claim a
name again that a link has had for so many milliseconds, also from a node whose link is younger, or older."""

SHARE = Script(
    MEMBER
    + """
-- KEYS: state, nodes, of:incarnation; ARGV: epoch, incarnation, then two for each: join or part, key
for i = 3, #ARGV, 2 do
  local key = ARGV[i + 1]
  if ARGV[i] == 'join' then
    redis.call('HSET', key, me, 1)
    redis.call('SADD', KEYS[3], key)
  else
    redis.call('HDEL', key, me)
    redis.call('SREM', KEYS[3], key)
  end
end
return {'ok'}
"""
)
"""Note which nodes have links of shared names."""

ORDER = Script(
    MEMBER
    + """
-- KEYS: state, nodes, names; ARGV: epoch, incarnation, prefix, header, payload, kept (ms), then who gets it; nobody: all
local function add(stream)
  redis.call('XADD', stream, '*', 'header', ARGV[4], 'payload', ARGV[5])
  redis.call('XTRIM', stream, 'MINID', wall - ARGV[6])
end
local reached = {}
local function note(incarnation)
  reached[#reached + 1] = incarnation
  reached[#reached + 1] = redis.call('HGET', KEYS[3], incarnation) or ''
end
if #ARGV > 6 then
  for i = 7, #ARGV do
    if alive(ARGV[i]) then
      add(ARGV[3] .. 'inbox:' .. ARGV[i])
      note(ARGV[i])
    end
  end
else
  add(ARGV[3] .. 'all')
  for _, other in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. clock, '+inf')) do note(other) end
end
return {'ok', reached}
"""
)
"""Give an order to some nodes, or to all. The answer has the incarnation and the name of each node that is to get it."""

HOLDERS = Script(
    MEMBER
    + """
-- KEYS: state, nodes, the name, the shared name; ARGV: epoch, incarnation
local holders = redis.call('HKEYS', KEYS[4])
local holder = string.match(redis.call('GET', KEYS[3]) or '', '^[^|]+')
if holder then holders[#holders + 1] = holder end
local living = {}
for _, each in ipairs(holders) do if alive(each) then living[#living + 1] = each end end
return {'ok', living}
"""
)
"""Find the nodes that have links of a name."""

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
