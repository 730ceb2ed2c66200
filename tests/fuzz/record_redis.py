"""Sessions of Redis to record."""

from __future__ import annotations

import contextlib
import subprocess
import threading
from typing import Any

import redis

from twisted_repeater import Direction

from ..needed import needed
from ..real.servers import RealServer
from .recording import Message
from .sessions import Session, adding_to, say

__all__ = ["SESSIONS", "start"]

SESSIONS: dict[str, Session] = {}
session = adding_to(SESSIONS)


def start() -> RealServer:
    """Start a server with two users."""
    program = needed("redis-server", "redis-server")
    users = ("--user", "ann", "on", ">secret", "~*", "&*", "+@all")
    options = ("--save", "", "--enable-debug-command", "yes", *users)
    return RealServer(lambda port: [program, "--port", str(port), *options])


def command(*words: str | bytes) -> bytes:
    """Return a command as clients send it."""
    data = [word.encode() if isinstance(word, str) else word for word in words]
    return b"*%d\r\n" % len(data) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in data)


def client(port: int, protocol: int = 2, **options: Any) -> Any:
    """Return a client of redis-py with one connection."""
    return redis.Redis(port=port, protocol=protocol, single_connection_client=True, **options)


@session
def types_2(port: int) -> None:
    """redis-py in RESP2: strings, lists, hashes, sets, errors, nulls, binary and empty values."""
    every_type(port, 2)


@session
def types_3(port: int) -> None:
    """redis-py in RESP3: the same commands as in types_2."""
    every_type(port, 3)


def every_type(port: int, protocol: int) -> None:
    r = client(port, protocol)
    r.flushall()
    r.set("a", b"\x00\r\n\xff", ex=1000)
    r.get("a")
    r.get("missing")
    r.set("empty", "")
    r.get("empty")
    r.incr("n")
    r.incrbyfloat("f", 1.5)
    r.rpush("l", "1", "2", "3")
    r.lrange("l", 0, -1)
    r.lrange("missing", 0, -1)
    r.hset("h", mapping={"a": "1", "b": "2"})
    r.hgetall("h")
    r.sadd("s", "x")
    r.smembers("s")
    r.zadd("z", {"one": 1, "two": 2.5})
    r.zrange("z", 0, -1, withscores=True)
    r.xadd("x", {"k": "v"}, id="1-1")
    r.xrange("x")
    for wrong in (("GET", "l"), ("NOSUCH", "thing"), ("GET",)):
        with contextlib.suppress(redis.ResponseError):
            r.execute_command(*wrong)
    r.config_get("maxmemory")
    r.close()


@session
def cli(port: int) -> None:
    """redis-cli with a password, in RESP3."""
    program = needed("redis-cli", "redis-tools")
    words = ("-3", "--user", "ann", "--pass", "secret", "--no-auth-warning", "CONFIG", "GET", "max*")
    subprocess.run([program, "-p", str(port), *words], check=True, stdout=subprocess.DEVNULL)


@session
def login(port: int) -> None:
    """AUTH with a wrong password and with a right one, CLIENT SETNAME, HELLO with both, RESET."""
    say(
        port,
        (command("AUTH", "ann", "wrong"), b"-WRONGPASS"),
        (command("AUTH", "ann", "secret"), b"+OK"),
        (command("CLIENT", "SETNAME", "here"), b"+OK"),
        (command("CLIENT", "GETNAME"), b"here"),
        (command("HELLO", "3", "AUTH", "ann", "secret", "SETNAME", "there"), b"modules"),
        (command("ACL", "WHOAMI"), b"ann"),
        (command("HELLO", "9"), b"-NOPROTO"),
        (command("RESET"), b"+RESET"),
        (command("PING") + command("AUTH", "ann", "secret") + command("PING"), b"+PONG\r\n+OK\r\n+PONG"),
        (command("MULTI"), b"+OK"),
        (command("AUTH", "default", "x"), b"+QUEUED"),
        (command("EXEC"), b"*1"),
        (command("QUIT"), b"+OK"),
    )


@session
def pipeline(port: int) -> None:
    """A pipeline of redis-py, and a transaction in it."""
    r = client(port)
    with r.pipeline(transaction=False) as many:
        for number in range(30):
            many.set(f"key:{number}", number)
            many.get(f"key:{number}")
        many.execute()
    with r.pipeline() as many:
        many.watch("key:1")
        many.multi()
        many.incr("key:1")
        many.lpush("key:1", "no")
        many.get("key:1")
        with contextlib.suppress(redis.ResponseError):
            many.execute()
    r.close()


@session
def transactions(port: int) -> None:
    """MULTI that is carried out, dropped, refused for an error while it was queued, and undone by WATCH."""
    say(
        port,
        (command("MULTI"), b"+OK"),
        (command("SET", "t", "1"), b"+QUEUED"),
        (command("INCR", "t"), b"+QUEUED"),
        (command("EXEC"), b":2\r\n"),
        (command("MULTI"), b"+OK"),
        (command("SET", "t", "9"), b"+QUEUED"),
        (command("DISCARD"), b"+OK"),
        (command("MULTI"), b"+OK"),
        (command("NOSUCH", "t"), b"-ERR"),
        (command("EXEC"), b"-EXECABORT"),
        (command("WATCH", "t"), b"+OK"),
        (command("SET", "t", "2"), b"+OK"),
        (command("MULTI"), b"+OK"),
        (command("GET", "t"), b"+QUEUED"),
        (command("EXEC"), b"*-1"),
        (command("EXEC"), b"-ERR EXEC without MULTI"),
        (command("MULTI") + command("GET", "t") + command("LRANGE", "none", "0", "-1") + command("EXEC"), b"*2"),
    )


@session
def pubsub_2(port: int) -> None:
    """Publish and subscribe with redis-py in RESP2: one connection subscribes, the other publishes."""
    publish_and_subscribe(port, 2)


@session
def pubsub_3(port: int) -> None:
    """Publish and subscribe with redis-py in RESP3."""
    publish_and_subscribe(port, 3)


def publish_and_subscribe(port: int, protocol: int) -> None:
    r, other = redis.Redis(port=port, protocol=protocol), redis.Redis(port=port, protocol=protocol)
    subscriber = r.pubsub()
    subscriber.subscribe("news", "weather")
    subscriber.psubscribe("w*")
    for _ in range(3):
        assert subscriber.get_message(timeout=5)
    for channel, text in (("news", b"one"), ("weather", b"\x00two\r\n"), ("nobody", b"three")):
        other.publish(channel, text)
    for _ in range(3):
        assert subscriber.get_message(timeout=5)
    subscriber.ping()
    assert subscriber.get_message(timeout=5)
    subscriber.unsubscribe()
    subscriber.punsubscribe()
    for _ in range(3):
        assert subscriber.get_message(timeout=5)
    subscriber.close()
    r.close()
    other.close()


@session
def tracking(port: int) -> None:
    """RESP3 with pushes between replies: invalidations of tracked keys, also for all of them."""
    hello = command("HELLO", "3")
    say(
        port,
        (hello, b"modules"),
        (command("CLIENT", "TRACKING", "ON"), b"+OK"),
        (command("SET", "tracked", "1") + command("GET", "tracked"), b"$1\r\n1"),
        (command("SET", "tracked", "2") + command("GET", "tracked"), b">2"),
        (command("SUBSCRIBE", "chat"), b">3"),
        (command("PUBLISH", "chat", "to myself"), b"to myself"),
        (command("GET", "tracked") + command("FLUSHALL") + command("PING"), b"PONG"),
        (command("CLIENT", "TRACKING", "OFF"), b"+OK"),
    )


@session
def protocol_2(port: int) -> None:
    """Each type of RESP3 as Redis gives it to a client in RESP2."""
    debug_protocol(port, "2")


@session
def protocol_3(port: int) -> None:
    """Each type of RESP3: DEBUG PROTOCOL, with attributes and pushes."""
    debug_protocol(port, "3")


def debug_protocol(port: int, version: str) -> None:
    kinds = "string integer double null array set map bignum true false verbatim"
    kinds += " attrib push" if version == "3" else ""
    steps = [(command("HELLO", version), b"modules")]
    steps += [(command("DEBUG", "PROTOCOL", kind), b"\n") for kind in kinds.split()]
    say(port, *steps, (command("DEBUG", "JMAP"), b"-ERR"), (command("PING"), b"PONG"))


@session
def inline(port: int) -> None:
    """Commands as people type them, empty lines, a bare line feed, and arrays of nothing."""
    say(
        port,
        (b"PING\r\n", b"+PONG"),
        (b"\r\n\r\nPING\n", b"+PONG"),
        (b"set 'quoted key' \"a\\r\\n\\x41\"\r\n", b"+OK"),
        (b"GET 'quoted key'\n", b"$4"),
        (b"*0\r\n*-1\r\n*1\r\n$4\r\nPING\r\n", b"+PONG"),
        (b'SET "unbalanced\r\n', b"-ERR Protocol error"),
    )


@session
def scripts(port: int) -> None:
    """Scripts, with nested results and errors."""
    r = client(port)
    for text in (
        "return {1, {2, {3, 'four'}}, false}",
        "return redis.status_reply('FINE')",
        "return redis.error_reply('MINE own')",
        "return redis.call('SET', KEYS[1], ARGV[1])",
        "error('oops')",
    ):
        with contextlib.suppress(redis.ResponseError):
            r.eval(text, 1, "script:key", "value")
    digest = r.script_load("return ARGV[1]")
    r.evalsha(digest, 0, "again")
    r.close()


@session
def blocking(port: int) -> None:
    """Commands that wait: one that gets its element from another connection, and one that waits in vain."""
    r, other = client(port), client(port)
    waiter = threading.Thread(target=lambda: r.blpop(["queue"], timeout=5))
    waiter.start()
    while not other.info("clients")["blocked_clients"]:
        pass
    other.rpush("queue", "element")
    waiter.join()
    r.blpop(["queue"], timeout=0.1)
    r.close()
    other.close()


@session
def silent(port: int) -> None:
    """CLIENT REPLY OFF, SKIP and ON."""
    say(
        port,
        (command("CLIENT", "REPLY", "SKIP") + command("SET", "a", "1") + command("GET", "a"), b"$1\r\n1"),
        (command("CLIENT", "REPLY", "OFF") + command("GET", "a") + command("CLIENT", "REPLY", "ON"), b"+OK"),
        (command("PING"), b"+PONG"),
    )


@session
def large(port: int) -> None:
    """A value of 70 kB, and one of many elements."""
    say(
        port,
        (command("SET", "large", b"x" * 70_000), b"+OK"),
        (command("GET", "large"), b"x\r\n"),
        (command("RPUSH", "many", *(["e"] * 200)), b":200"),
        (command("LRANGE", "many", "0", "-1"), b"*200"),
        (command("ECHO", "z" * 4000), b"z\r\n"),
    )


@session
def monitor(port: int) -> None:
    """MONITOR, ended by RESET."""
    say(port, (command("MONITOR"), b"+OK"), (command("PING"), b"PONG"), (command("RESET"), b"+RESET"))


@session
def garbage(port: int) -> None:
    """A client that is no client of Redis, and one that breaks the protocol in its second command."""
    say(port, (b"GET / HTTP/1.1\r\nHost: here\r\n\r\n", b""))
    say(port, (command("PING"), b"+PONG"), (b"*2\r\n$3\r\nGET\r\n:1\r\n", b"-ERR Protocol error"))


@session
def replica(port: int) -> None:
    """A replica that asks for everything: not RESP from the snapshot on."""
    say(
        port,
        (command("REPLCONF", "listening-port", "1"), b"+OK"),
        (command("REPLCONF", "capa", "psync2"), b"+OK"),
        (command("PSYNC", "?", "-1"), b"REDIS0"),
    )


@session
def streamed(port: int) -> list[Message]:
    """Written by hand, as Redis does not send them: streamed strings and values, and others of RESP3's own."""
    replies = (
        b"$?\r\n;4\r\nHell\r\n;5\r\no wor\r\n;1\r\nd\r\n;0\r\n",
        b"*?\r\n:1\r\n*?\r\n:2\r\n.\r\n$1\r\nx\r\n.\r\n",
        b"%?\r\n+a\r\n:1\r\n+b\r\n:2\r\n.\r\n",
        b"~?\r\n+a\r\n.\r\n",
        b"|1\r\n+ttl\r\n:3600\r\n*2\r\n|1\r\n+k\r\n+v\r\n:1\r\n:2\r\n",
        b"!21\r\nSYNTAX invalid syntax\r\n",
        b",inf\r\n",
        b",-inf\r\n",
        b",nan\r\n",
        b"*-1\r\n",
        b"$-1\r\n",
        b"*0\r\n",
        b"%0\r\n",
        b"~0\r\n",
    )
    ping = command("PING")
    return [entry for reply in replies for entry in ((Direction.TO_SERVER, ping), (Direction.TO_CLIENT, reply))]
