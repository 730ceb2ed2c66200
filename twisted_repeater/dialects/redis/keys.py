"""Which keys and channels a command of Redis names, from a table of facts.

The table has the commands of Redis and Valkey that touch no keys, or name all the keys that they touch. A command that
is missing here may touch any key: it is unknown, belongs to a module, or is one such as ``SCAN`` or ``FLUSHALL``.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple, TypeAlias

__all__ = ["Channels", "Keys", "channels_of", "full_name", "keys_of"]

Arguments: TypeAlias = tuple[bytes, ...]


class Keys(NamedTuple):
    """The keys of a command."""

    named: Arguments = ()
    """The keys that its arguments name."""
    others: bool = False
    """Whether it may touch other keys as well."""


class Channels(NamedTuple):
    """The channels of a command."""

    named: Arguments = ()
    """The channels that its arguments name."""
    patterns: Arguments = ()
    """The patterns of channels that they name."""
    others: bool = False
    """Whether it may read, write or list other channels as well."""


KeysOf: TypeAlias = Callable[[Arguments], Keys | None]
"""Returns the keys among the arguments of a command; ``None`` if Redis would not understand them."""

NONE = slice(0)
"""No argument."""

NO_KEYS = """
    ASKING AUTH BGREWRITEAOF BGSAVE COMMAND DBSIZE DISCARD ECHO EXEC HELLO INFO LASTSAVE LOLWUT MULTI PFSELFTEST PING
    PSUBSCRIBE PUBLISH PUNSUBSCRIBE QUIT READONLY READWRITE RESET ROLE SAVE SELECT SPUBLISH SSUBSCRIBE SUBSCRIBE
    SUNSUBSCRIBE TIME UNSUBSCRIBE UNWATCH WAIT WAITAOF
"""
NO_KEYS_INSIDE = {
    "ACL": "CAT DELUSER DRYRUN GENPASS GETUSER HELP LIST LOAD SAVE SETUSER USERS WHOAMI",
    "CLIENT": "CACHING CAPA GETNAME GETREDIR HELP ID INFO KILL LIST NO-EVICT NO-TOUCH PAUSE REPLY SETINFO SETNAME "
    "TRACKINGINFO UNBLOCK UNPAUSE",
    "CLUSTER": "COUNT-FAILURE-REPORTS COUNTKEYSINSLOT HELP INFO KEYSLOT LINKS MYID MYSHARDID NODES REPLICAS SHARDS "
    "SLAVES SLOT-STATS SLOTS",
    "COMMAND": "COUNT DOCS GETKEYS GETKEYSANDFLAGS HELP INFO LIST",
    "COMMANDLOG": "HELP LEN RESET",
    "CONFIG": "GET HELP RESETSTAT REWRITE",
    "FUNCTION": "DELETE DUMP FLUSH HELP KILL LIST STATS",
    "LATENCY": "DOCTOR GRAPH HELP HISTOGRAM HISTORY LATEST RESET",
    "MEMORY": "DOCTOR HELP MALLOC-STATS PURGE STATS",
    "MODULE": "HELP LIST",
    "OBJECT": "HELP",
    "PUBSUB": "CHANNELS HELP NUMPAT NUMSUB SHARDCHANNELS SHARDNUMSUB",
    "SCRIPT": "EXISTS FLUSH HELP KILL LOAD SHOW",
    "SLOWLOG": "HELP LEN RESET",
    "XGROUP": "HELP",
    "XINFO": "HELP",
}
FIRST = """
    APPEND BITCOUNT BITFIELD BITFIELD_RO BITPOS DECR DECRBY DELEX DELIFEQ DIGEST DUMP EXPIRE EXPIREAT EXPIRETIME GEOADD
    GEODIST GEOHASH GEOPOS GEORADIUSBYMEMBER_RO GEORADIUS_RO GEOSEARCH GET GETBIT GETDEL GETEX GETRANGE GETSET HDEL
    HEXISTS HEXPIRE HEXPIREAT HEXPIRETIME HGET HGETALL HGETDEL HGETEX HINCRBY HINCRBYFLOAT HKEYS HLEN HMGET HMSET
    HPERSIST HPEXPIRE HPEXPIREAT HPEXPIRETIME HPTTL HRANDFIELD HSCAN HSET HSETEX HSETNX HSTRLEN HTTL HVALS INCR INCRBY
    INCRBYFLOAT LINDEX LINSERT LLEN LPOP LPOS LPUSH LPUSHX LRANGE LREM LSET LTRIM MOVE PERSIST PEXPIRE PEXPIREAT
    PEXPIRETIME PFADD PSETEX PTTL RESTORE RESTORE-ASKING RPOP RPUSH RPUSHX SADD SCARD SET SETBIT SETEX SETNX SETRANGE
    SISMEMBER SMEMBERS SMISMEMBER SPOP SRANDMEMBER SREM SSCAN STRLEN SUBSTR TTL TYPE VADD VCARD VDIM VEMB VGETATTR VINFO
    VISMEMBER VLINKS VRANDMEMBER VREM VSETATTR VSIM XACK XACKDEL XADD XAUTOCLAIM XCFGSET XCLAIM XDEL XDELEX XLEN
    XPENDING XRANGE XREVRANGE XSETID XTRIM ZADD ZCARD ZCOUNT ZINCRBY ZLEXCOUNT ZMSCORE ZPOPMAX ZPOPMIN ZRANDMEMBER
    ZRANGE ZRANGEBYLEX ZRANGEBYSCORE ZRANK ZREM ZREMRANGEBYLEX ZREMRANGEBYRANK ZREMRANGEBYSCORE ZREVRANGE ZREVRANGEBYLEX
    ZREVRANGEBYSCORE ZREVRANK ZSCAN ZSCORE
"""
FIRST_TWO = "BLMOVE BRPOPLPUSH COPY GEOSEARCHSTORE LCS LMOVE RENAME RENAMENX RPOPLPUSH SMOVE ZRANGESTORE"
ALL = "DEL EXISTS MGET PFCOUNT PFMERGE SDIFF SDIFFSTORE SINTER SINTERSTORE SUNION SUNIONSTORE TOUCH UNLINK WATCH"
ALL_BUT_LAST = "BLPOP BRPOP BZPOPMAX BZPOPMIN"
EVERY_OTHER = "MSET MSETNX"
SECOND = "PFDEBUG"
SECOND_INSIDE = {
    "MEMORY": "USAGE",
    "OBJECT": "ENCODING FREQ IDLETIME REFCOUNT",
    "XGROUP": "CREATE CREATECONSUMER DELCONSUMER DESTROY SETID",
    "XINFO": "CONSUMERS GROUPS STREAM",
}
CONTAINERS: frozenset[str] = frozenset(NO_KEYS_INSIDE) | {"HOTKEYS"}
"""Commands whose first argument is the name of a command."""
COUNTED = "LMPOP SINTERCARD ZDIFF ZINTER ZINTERCARD ZMPOP ZUNION"
COUNTED_SECOND = "BLMPOP BZMPOP"
STORED_AND_COUNTED = "ZDIFFSTORE ZINTERSTORE ZUNIONSTORE"
SCRIPTS = "EVAL EVALSHA EVALSHA_RO EVAL_RO FCALL FCALL_RO"

CHANNELS: dict[str, slice] = {
    "PUBLISH": slice(1),
    "PUBSUB NUMSUB": slice(1, None),
    "PUBSUB SHARDNUMSUB": slice(1, None),
    "SPUBLISH": slice(1),
    "SSUBSCRIBE": slice(None),
    "SUBSCRIBE": slice(None),
}
"""Where the channels are among the arguments of a command."""
ALL_CHANNELS = frozenset(
    (*SCRIPTS.split(), "DEBUG", "MONITOR", "PSYNC", "PUBSUB CHANNELS", "PUBSUB SHARDCHANNELS", "SYNC")
)

READ_OPTIONS = {b"BLOCK": 2, b"COUNT": 2}
"""The options of ``XREAD`` before ``STREAMS``, and how many arguments each takes up."""
GROUP_OPTIONS = READ_OPTIONS | {b"CLAIM": 2, b"GROUP": 3, b"NOACK": 1}
"""Those of ``XREADGROUP``."""


def full_name(name: str, arguments: Arguments) -> str:
    """Return the whole name of a command: ``CONFIG SET``, not ``CONFIG``.

    Args:
        name: the first word, in upper case.
        arguments: the others.
    """
    if name in CONTAINERS and arguments:
        return f"{name} {arguments[0].upper().decode('latin-1')}"
    return name


def keys_of(name: str, arguments: Arguments) -> Keys | None:
    """Return the keys of a command.

    Args:
        name: its name, in upper case.
        arguments: its arguments, without the name.

    Returns:
        The keys. ``None`` if the arguments are wrong in a way that leaves it open which of them are keys.
    """
    fact = FACTS.get(full_name(name, arguments) if name in CONTAINERS else name)
    if fact is None:
        return _UNKNOWN
    return Keys(arguments[fact]) if type(fact) is slice else fact(arguments)


def channels_of(name: str, arguments: Arguments) -> Channels:
    """Return the channels of a command; see `keys_of`. A command that is unknown has none."""
    full = full_name(name, arguments)
    if full == "PSUBSCRIBE":
        return Channels(patterns=arguments)
    return Channels(arguments[CHANNELS.get(full, NONE)], others=full in ALL_CHANNELS)


_UNKNOWN = Keys(others=True)


def _counted(at: int, *, first: int = 0, step: int = 1, others: bool = False) -> KeysOf:
    """Return a function for a number of keys at an index, with the keys behind it, and keys before it from `first`."""

    def keys(arguments: Arguments) -> Keys | None:
        number = arguments[at : at + 1]
        if not number or not number[0].isdigit() or len(number[0]) > 9:
            return None
        end = at + 1 + int(number[0]) * step
        return Keys(arguments[first : at if first < at else first] + arguments[at + 1 : end : step], others)

    return keys


def _with_options(*names: bytes, after: int) -> KeysOf:
    """Return a function for a key, and more keys behind options such as ``STORE``, wherever these may stand."""

    def keys(arguments: Arguments) -> Keys:
        return Keys(arguments[:1] + _behind(names, arguments[after:]))

    return keys


def _behind(names: tuple[bytes, ...], arguments: Arguments) -> Arguments:
    """Return each argument that follows one of these words, even if that is the value of something else."""
    return tuple(value for word, value in pairwise(arguments) if word.upper() in names)


def _sorted(arguments: Arguments) -> Keys:
    """Return the keys of ``SORT``. It touches others if it looks them up by a pattern."""
    options = arguments[1:]
    others = any(b"*" in pattern for pattern in _behind((b"BY",), options))
    others = others or any(pattern != b"#" for pattern in _behind((b"GET",), options))
    return Keys(arguments[:1] + _behind((b"STORE",), options), others)


def _streams(options: dict[bytes, int]) -> KeysOf:
    """Return what finds the keys of commands with these options: the first half of what stands after ``STREAMS``."""

    def find(arguments: Arguments) -> Keys | None:
        at = 0
        while at < len(arguments):
            word = arguments[at].upper()
            if word == b"STREAMS":
                streams = arguments[at + 1 :]
                return Keys(streams[: (len(streams) + 1) // 2])
            if word not in options:
                return None
            at += options[word]
        return None

    return find


def _migrated(arguments: Arguments) -> Keys:
    """Return the keys of ``MIGRATE``: the third argument, or all after ``KEYS`` if that is empty."""
    words = [word.upper() for word in arguments[5:]]
    listed = arguments[5 + words.index(b"KEYS") + 1 :] if b"KEYS" in words else ()
    return Keys(tuple(key for key in arguments[2:3] if key or not listed) + listed)


def _tracked(arguments: Arguments) -> Keys:
    """Return the keys of ``CLIENT TRACKING``: with ``BCAST`` it tells of any."""
    return Keys(others=b"BCAST" in (word.upper() for word in arguments))


def _facts() -> dict[str, slice | KeysOf]:
    """Return the table: for each command a slice of its arguments, or a function of them."""
    scripts = _counted(1, first=1, others=True)
    rows: list[tuple[str, slice | KeysOf]] = [
        (NO_KEYS, NONE),
        (FIRST, slice(1)),
        (FIRST_TWO, slice(2)),
        (ALL, slice(None)),
        (ALL_BUT_LAST, slice(-1)),
        (EVERY_OTHER, slice(None, None, 2)),
        (SECOND, slice(1, 2)),
        ("BITOP", slice(1, None)),
        (COUNTED, _counted(0)),
        (COUNTED_SECOND, _counted(1, first=1)),
        (STORED_AND_COUNTED, _counted(1)),
        ("MSETEX", _counted(0, step=2)),
        (SCRIPTS, scripts),
        ("GEORADIUS", _with_options(b"STORE", b"STOREDIST", after=5)),
        ("GEORADIUSBYMEMBER", _with_options(b"STORE", b"STOREDIST", after=4)),
        ("SORT SORT_RO", _sorted),
        ("XREAD", _streams(READ_OPTIONS)),
        ("XREADGROUP", _streams(GROUP_OPTIONS)),
        ("MIGRATE", _migrated),
    ]
    facts = {name: fact for names, fact in rows for name in names.split()}
    for inside, fact in ((NO_KEYS_INSIDE, NONE), (SECOND_INSIDE, slice(1, 2))):
        facts |= {f"{name} {word}": fact for name, words in inside.items() for word in words.split()}
    facts["CLIENT TRACKING"] = _tracked
    return facts


FACTS: dict[str, slice | KeysOf] = _facts()
"""Where the keys are among the arguments of each command."""
