"""`Commands` and filters of users refuse, change and log, between a real Redis and its real clients."""

from __future__ import annotations

import random
import re
from typing import Any

from redis import exceptions

from twisted_repeater import PASS_ON, Direction, Link, Send, Verdict, chain
from twisted_repeater.dialects.redis import Command, Commands
from twisted_repeater.dialects.redis.globs import compile_globs
from twisted_repeater.dialects.redis.keys import FACTS, Keys, keys_of
from twisted_repeater.filters import FilterPair, wants

from ..needed import needed
from .redis_case import RedisCase, array, connect
from .servers import bytewise, talk

DEBIAN_PACKAGES = "redis-server redis-tools netcat-openbsd"

ANY_KEY = """
    ACL LOG, CLUSTER ADDSLOTS, CLUSTER ADDSLOTSRANGE, CLUSTER BUMPEPOCH, CLUSTER DELSLOTS, CLUSTER DELSLOTSRANGE,
    CLUSTER FAILOVER, CLUSTER FLUSHSLOTS, CLUSTER FORGET, CLUSTER GETKEYSINSLOT, CLUSTER MEET, CLUSTER REPLICATE,
    CLUSTER RESET, CLUSTER SAVECONFIG, CLUSTER SET-CONFIG-EPOCH, CLUSTER SETSLOT, CONFIG SET, DEBUG, FAILOVER, FLUSHALL,
    FLUSHDB, FUNCTION LOAD, FUNCTION RESTORE, KEYS, MODULE LOAD, MODULE LOADEX, MODULE UNLOAD, MONITOR, PSYNC,
    RANDOMKEY, REPLCONF, REPLICAOF, SCAN, SCRIPT DEBUG, SHUTDOWN, SLAVEOF, SLOWLOG GET, SWAPDB, SYNC
"""
"""The commands of Redis 7.0 that may touch keys which they do not name, and are not in the table."""

WORDS = "STORE STREAMS KEYS BY GET COUNT GROUP 1 2 3 0 a b c # nosort STOREDIST LIMIT AUTH BLOCK AND".split()  # noqa: SIM905
"""Arguments for commands: names of options, numbers and keys."""

GENEROUS = frozenset(["GEORADIUS", "GEORADIUSBYMEMBER", "MIGRATE", "SORT", "SORT_RO", "XREAD"])
"""Commands of which the table may find more keys than there are."""

DENIED = b"-NOPERM the command 'FLUSHALL' is not allowed\r\n"
NO_FLUSH = Commands(refuse=("FLUSHALL", "FLUSHDB"))


class FactsTests(RedisCase):
    """The table of keys, and the patterns, agree with Redis."""

    def commands(self, client: Any) -> dict[str, int]:
        """Return the names of all commands of Redis, and how many arguments they have at least."""
        client.response_callbacks.clear()
        found: dict[str, int] = {}
        unread = list(client.execute_command("COMMAND"))
        while unread:
            name, arity, *_, inside = unread.pop()
            unread += inside
            if not inside:
                found[name.decode().upper().replace("|", " ")] = arity
        return found

    async def test_keys(self) -> None:
        """Of each command of Redis the table finds the keys that Redis finds, or takes it for one that has any."""

        def run() -> tuple[list[str], list[Any]]:
            with connect(self.redis.port, decode_responses=False, protocol=3) as client:
                commands = self.commands(client)
                unknown = [name for name in commands if name not in FACTS]
                wrong = []
                for full, arity in commands.items():
                    chosen = random.Random(full)  # Redis lists its commands in a different order each time
                    name, *inside = full.split()
                    least = max(abs(arity) - len(inside) - 1, 0)
                    pipe = client.pipeline(transaction=False)
                    pipe.response_callbacks.clear()
                    tried = []
                    for _ in range(60 if full in FACTS else 0):
                        more = chosen.randrange(6) if arity < 0 else 0
                        tried.append([*inside, *chosen.choices(WORDS, k=least + more)])
                        pipe.execute_command("COMMAND GETKEYS", name, *tried[-1])
                    for arguments, found in zip(tried, pipe.execute(raise_on_error=False), strict=True):
                        keys = keys_of(name, tuple(map(str.encode, arguments)))
                        named = [] if isinstance(found, exceptions.ResponseError) else found
                        if not self.is_right(keys, named, name):
                            wrong.append((full, arguments, keys, found))
                return sorted(unknown), wrong

        unknown, wrong = await self.in_thread(run)
        self.assertEqual(wrong, [])
        self.assertEqual(set(unknown) - {name.strip() for name in " ".join(ANY_KEY.split()).split(",")}, set())

    def is_right(self, keys: Keys | None, named: list[bytes], name: str) -> bool:
        """Return whether keys are those that Redis names.

        ``None``, which refuses the command, is right only where the arguments are wrong: Redis itself names no keys
        then, or those of streams up to an option that it does not know. Behind options, words that are no keys count,
        and so does the middle one of an odd number of streams and positions.
        """
        if name == "XREADGROUP":  # without GROUP, which is an error, Redis searches elsewhere; see test_streams
            return True
        if keys is None:
            return not named or name == "XREAD"
        if name in GENEROUS or not named:
            return set(named) <= set(keys.named)
        return list(keys.named) == named

    async def test_streams(self) -> None:
        """The keys of streams are found in every form that Redis understands."""
        forms = ["STREAMS a b 0 0", "COUNT 2 BLOCK 0 STREAMS a 0", "BLOCK 1 STREAMS STREAMS 0"]
        groups = ["GROUP g c STREAMS a >", "GROUP STREAMS c STREAMS a b > >", "COUNT 1 GROUP g c NOACK STREAMS a >"]

        def run() -> list[Any]:
            with connect(self.redis.port, decode_responses=False) as client:
                client.response_callbacks.clear()
                return [
                    client.execute_command("COMMAND GETKEYS", name, *form.split())
                    for name, some in (("XREAD", forms), ("XREADGROUP", groups))
                    for form in some
                ]

        expected = await self.in_thread(run)
        found = [keys_of("XREAD", tuple(form.encode().split())) for form in forms]
        found += [keys_of("XREADGROUP", tuple(form.encode().split())) for form in groups]
        self.assertEqual([list(keys.named) if keys else None for keys in found], expected)

    async def test_patterns(self) -> None:
        """Patterns match the keys that they match in Redis."""
        chosen = random.Random(2)
        keys = {"".join(chosen.choices("ab-]^*\\?\n", k=chosen.randint(1, 5))).encode() for _ in range(500)}
        patterns = ["".join(chosen.choices("ab-]^[*?\\", k=chosen.randint(0, 7))).encode() for _ in range(600)]

        def run() -> list[set[bytes]]:
            with connect(self.redis.port, decode_responses=False) as client:
                client.mset(dict.fromkeys(keys, b""))
                pipe = client.pipeline(transaction=False)
                for pattern in patterns:
                    pipe.keys(pattern)
                return [set(found) for found in pipe.execute()]

        compared = 0
        for pattern, found in zip(patterns, await self.in_thread(run), strict=True):
            try:
                matches = compile_globs([pattern]).fullmatch
            except ValueError:
                continue
            compared += 1
            self.assertEqual({key for key in keys if matches(key)}, found, pattern)
        self.assertGreater(compared, 300)

    async def test_as_access_lists(self) -> None:
        """What `Commands` lets pass for some keys, an access list of Redis for the same keys allows."""
        rules = Commands(keys=("a*", "[bx]"))
        chosen = random.Random(3)
        words = [*WORDS, "ab", "x", "ba"]

        def run() -> tuple[int, list[Any]]:
            with connect(self.redis.port, decode_responses=False) as client:
                commands = self.commands(client)
                client.execute_command("ACL SETUSER", "some", "on", "nopass", "+@all", "&*", "~a*", "~[bx]")
                tried = []
                pipe = client.pipeline(transaction=False)
                for full in chosen.choices([name for name in commands if name in FACTS], k=6000):
                    arity = commands[full]
                    name, *inside = full.split()
                    least = max(abs(arity) - len(inside) - 1, 0)
                    arguments = [*inside, *chosen.choices(words, k=least + (chosen.randrange(4) if arity < 0 else 0))]
                    if rules.refusal(Command(name, *arguments)) is None:
                        tried.append((name, arguments))
                        pipe.execute_command("ACL DRYRUN", "some", name, *arguments)
                replies = pipe.execute(raise_on_error=False)
                return len(tried), [
                    (one, reply)
                    for one, reply in zip(tried, replies, strict=True)
                    if b"no permissions" in bytes(str(reply), "utf8")
                ]

        count, wrong = await self.in_thread(run)
        self.assertEqual(wrong, [])
        self.assertGreater(count, 1000)


class CommandsTests(RedisCase):
    """Refused commands."""

    async def test_in_turn(self) -> None:
        """Each reply of a long pipeline is that to its command, the refused ones among them, in both protocols."""
        port = await self.repeat(filters=NO_FLUSH)

        def run(protocol: int) -> list[Any]:
            with connect(port, protocol=protocol) as client, client.pipeline(transaction=False) as pipe:
                for number in range(2000):
                    pipe.echo(str(number)).flushall()
                return [
                    reply if isinstance(reply, str) else type(reply) for reply in pipe.execute(raise_on_error=False)
                ]

        for protocol in (2, 3):
            replies = await self.in_thread(run, protocol)
            refused = exceptions.NoPermissionError
            self.assertEqual(replies, [reply for number in range(2000) for reply in (str(number), refused)])

    async def test_transactions(self) -> None:
        """A transaction with a refused command is not carried out, and the next one is; so with WATCH."""
        port = await self.repeat(filters=NO_FLUSH)

        def run(protocol: int) -> list[Any]:
            with connect(port, protocol=protocol) as client, client.pipeline() as pipe:
                client.delete("key")
                pipe.set("key", "bad").flushall()
                with self.assertRaises((exceptions.ExecAbortError, exceptions.NoPermissionError)):
                    pipe.execute()
                seen = [client.get("key")]
                pipe.watch("key")
                seen.append(pipe.get("key"))
                client.set("key", "other")
                pipe.multi()
                pipe.set("key", "mine")
                with self.assertRaises(exceptions.WatchError):
                    pipe.execute()
                return [*seen, client.get("key"), client.pipeline().set("key", "good").get("key").execute()]

        for protocol in (2, 3):
            self.assertEqual(await self.in_thread(run, protocol), [None, None, "other", [True, "good"]])
        said = await self.talk(port, b"MULTI\r\nSET k v\r\nFLUSHALL\r\nEXEC\r\nEXISTS k\r\nQUIT\r\n")
        aborted = b"-EXECABORT Transaction discarded because of previous errors.\r\n"
        self.assertEqual(said, b"+OK\r\n+QUEUED\r\n" + DENIED + aborted + b":0\r\n+OK\r\n")

    async def test_however_it_is_written(self) -> None:
        """A command is refused in whatever case and form, byte by byte, and before a login; one like it is not."""
        port = await self.repeat(filters=NO_FLUSH)
        forms = (
            *(array("FLUSHALL"), array("flushall", "ASYNC"), array("FlushAll", *["x"] * 20), b"FLUSHALL\r\n"),
            *(b"flushall async\n", b'"flushall"\r\n', b"'FLUSHALL'\r\n", b'  "\\x46LUSHALL"\r\n', b"\tflushall\r\n"),
        )
        self.assertEqual(await self.direct(b"SET key value\r\n"), b"+OK\r\n+OK\r\n")
        said = await self.talk(port, b"".join(forms), b"GET key\r\nQUIT\r\n")
        self.assertEqual(said, DENIED * len(forms) + b"$5\r\nvalue\r\n+OK\r\n")
        others = b"\r\n*0\r\n*-1\r\n" + array("FLUSHALLX") + b"QUIT\r\n"
        self.assertRegex(
            await self.talk(port, *bytewise(forms[0] + others)), DENIED + rb"-ERR unknown command[^\n]+\n\+OK"
        )
        await self.direct(b"CONFIG SET requirepass secret\r\n")
        said = await self.talk(port, array("FLUSHALL") + b"GET key\r\nAUTH secret\r\nFLUSHALL\r\nGET key\r\nQUIT\r\n")
        self.assertEqual(
            said, DENIED + b"-NOAUTH Authentication required.\r\n+OK\r\n" + DENIED + b"$5\r\nvalue\r\n+OK\r\n"
        )

    async def test_without_replies(self) -> None:
        """A client that has turned replies off gets none for a refused command either, and then the right ones."""
        port = await self.repeat(filters=NO_FLUSH)
        says = b"CLIENT REPLY SKIP\r\nFLUSHALL\r\nECHO 1\r\nCLIENT REPLY OFF\r\nFLUSHDB\r\nPING\r\n"
        says += b"CLIENT REPLY ON\r\nFLUSHALL\r\nECHO 2\r\nQUIT\r\n"
        self.assertEqual(await self.talk(port, says), b"$1\r\n1\r\n+OK\r\n" + DENIED + b"$1\r\n2\r\n+OK\r\n")

    async def test_subscribed(self) -> None:
        """A subscriber is refused a command in its turn, in RESP2, in a transaction and after RESET too."""
        port = await self.repeat(filters=NO_FLUSH)
        got = await self.talk(port, b"SUBSCRIBE a b\r\nFLUSHALL\r\nPING\r\nRESET\r\nFLUSHALL\r\nPING\r\nQUIT\r\n")
        self.assertRegex(
            got, rb"(?s)^\*3.*\*3.*:2\r\n" + DENIED + rb"\*2.*\+RESET\r\n" + DENIED + rb"\+PONG\r\n\+OK\r\n$"
        )
        for hello in (b"", b"HELLO 3\r\n"):
            says = hello + b"MULTI\r\nSUBSCRIBE a b\r\nPING\r\nEXEC\r\nFLUSHALL\r\nPING\r\nQUIT\r\n"
            got, direct = (
                await self.talk(port, says),
                await self.talk(self.redis.port, says.replace(b"FLUSHALL", b"NONE")),
            )
            got, direct = (re.sub(rb":\d+\r\n(?=.*FLUSHALL|.*NONE)", b"", reply) for reply in (got, direct))
            error = re.compile(rb"-(NOPERM|ERR unknown)[^\n]*\n")
            self.assertIn(DENIED, got)
            self.assertEqual(error.split(got)[2:], error.split(direct)[2:])

    async def test_published(self) -> None:
        """Messages of channels come to subscribers that are refused a command meanwhile."""
        port = await self.repeat(filters=Commands(refuse=("SUBSCRIBE secret",), channels=("news.*", "secret")))

        def run(protocol: int) -> list[Any]:
            with connect(port, protocol=protocol) as client, client.pubsub() as pubsub:
                pubsub.subscribe("news.a")
                pubsub.psubscribe("news.*")
                heard = [pubsub.get_message(timeout=20)["type"] for _ in range(2)]
                pubsub.subscribe("other")
                with self.assertRaisesRegex(exceptions.NoPermissionError, "the channel 'other' is not allowed"):
                    pubsub.get_message(timeout=20)
                pubsub.psubscribe("n*")
                with self.assertRaisesRegex(exceptions.NoPermissionError, "the pattern 'n\\*' is not allowed"):
                    pubsub.get_message(timeout=20)
                with self.assertRaises(exceptions.NoPermissionError):
                    client.publish("other", "text")
                client.publish("news.a", "text")
                return heard + [pubsub.get_message(timeout=20)["data"] for _ in range(2)]

        for protocol in (2, 3):
            self.assertEqual(await self.in_thread(run, protocol), ["subscribe", "psubscribe", "text", "text"])

    async def test_pushes(self) -> None:
        """What has changed is pushed to a client that caches, and a refusal in between is in its turn."""
        port = await self.repeat(filters=NO_FLUSH)
        says = b"HELLO 3\r\nCLIENT TRACKING ON\r\nGET key\r\nSET key b\r\nFLUSHALL\r\nGET key\r\n"
        client = self.in_thread(talk, port, says, until=b"b\r\n>2\r\n$10\r\ninvalidate\r\n_\r\n")
        await self.until(lambda: any(link.received(Direction.TO_SERVER)[0] == 6 for link in self.repeater.links()))
        await self.direct(b"FLUSHALL\r\n")  # the invalidation of all keys has none in it
        told = (await client).partition(b"+OK\r\n_\r\n")[2]
        changed = b">2\r\n$10\r\ninvalidate\r\n*1\r\n$3\r\nkey\r\n"
        rest = b"+OK\r\n" + DENIED + b"$1\r\nb\r\n>2\r\n$10\r\ninvalidate\r\n_\r\n"
        self.assertEqual(told.replace(changed, b"", 1), rest)
        self.assertIn(changed, told)

    async def test_leaving_while_blocked(self) -> None:
        """A client that leaves while it waits for an element takes none, and no refusal is left over for others."""
        port = await self.repeat(filters=NO_FLUSH)
        client = self.start_client(needed("nc", "netcat-openbsd"), "127.0.0.1", str(port))
        client.type("BLPOP list 0\r\nFLUSHALL")
        await self.until(lambda: self.repeater.links())
        while b":1\r\n" not in await self.direct(b"CLIENT LIST\r\n") and b"flags=b" not in await self.direct(
            b"CLIENT LIST\r\n"
        ):
            pass
        client.kill()
        await self.nothing_left(self.repeater)
        self.assertEqual(await self.direct(b"RPUSH list one\r\nLLEN list\r\n"), b":1\r\n:1\r\n+OK\r\n")

    async def test_only_some(self) -> None:
        """If only some commands are allowed, redis-cli and redis-py work with these."""
        port = await self.repeat(filters=Commands(allow=("GET", "SET", "PING", "CLIENT SETINFO", "CLIENT ID")))

        def run(protocol: int) -> list[Any]:
            with connect(port, protocol=protocol) as client:
                seen = [client.set("key", "value"), client.get("key"), client.client_id() > 0]
                for refused in (client.client_list, client.dbsize):
                    with self.assertRaises(exceptions.NoPermissionError):
                        refused()
                return seen

        for protocol in (2, 3):
            self.assertEqual(await self.in_thread(run, protocol), [True, "value", True])
        cli = needed("redis-cli", "redis-tools")
        done = await self.run_client(cli, "-p", str(port), says="SET key 1\nINCR key\nGET key\nHELLO 3\nGET key\n")
        self.assertRegex(done[1], r"(?s)^OK\nNOPERM the command 'INCR' is not allowed\n+1\n.*proto.*1\n$")

    async def test_keys(self) -> None:
        """Keys that are not allowed are refused, whatever the command; scripts are if they are not trusted."""
        lock: dict[str, Any] = {"filters": Commands(keys=("app:*",), trust=("EVALSHA", "SCRIPT *"))}
        port = await self.repeat(**lock)

        def run() -> list[Any]:
            with connect(port) as client:
                refused = (
                    lambda: client.get("x"),
                    lambda: client.mset({"app:a": 1, "x": 2}),
                    lambda: client.rename("app:a", "x"),
                    lambda: client.zunionstore("app:a", ["app:b", "x"]),
                    lambda: client.xread({"x": 0}),
                    lambda: client.sort("app:list", store="x"),
                    lambda: client.sort("app:list", by="weight_*"),
                    lambda: client.eval("return redis.call('GET', 'x')", 1, "app:a"),
                    lambda: list(client.scan_iter()),
                    lambda: client.keys(),
                    lambda: client.flushdb(),
                    lambda: client.swapdb(0, 1),
                    lambda: client.execute_command("JSON.GET", "app:a"),
                )
                for call in refused:
                    with self.assertRaises(exceptions.NoPermissionError):
                        call()
                with client.lock("app:lock", timeout=5), self.assertRaises(exceptions.NoPermissionError):
                    client.lock("x", timeout=5).acquire()
                return [client.mset({"app:a": 1, "app:b": 2}), client.sort("app:none", get="#"), client.dbsize()]

        self.assertEqual(await self.in_thread(run), [True, [], 2])

    async def test_load(self) -> None:
        """redis-benchmark works through it, in pipelines, and empties nothing."""
        port = await self.repeat(filters=Commands(refuse=("FLUSHALL",), keys=("key:*", "mylist", "counter:*")))
        benchmark = needed("redis-benchmark", "redis-tools")
        options = ("-n", "2000", "-c", "10", "-P", "16", "-q", "-t", "set,get,incr,lpush,lpop,mset")
        status, printed = await self.run_client(benchmark, "-p", str(port), *options)
        self.assertEqual(status, 0, printed)
        self.assertEqual(printed.count("requests per second"), 6, printed)
        self.assertNotIn("NOPERM", printed)

    async def test_through_a_half_closed_stream(self) -> None:
        """A client that ends its stream behind its commands gets the refusals too."""
        port = await self.repeat(filters=NO_FLUSH)
        nc = needed("nc", "netcat-openbsd")
        done = await self.run_client(nc, "-N", "127.0.0.1", str(port), says="PING\r\nFLUSHALL\r\nPING\r\n" * 300)
        self.assertEqual(done, (0, ("+PONG\r\n" + DENIED.decode() + "+PONG\r\n") * 300))


class OwnFilterTests(RedisCase):
    """Filters of users, of a few lines."""

    async def test_changes(self) -> None:
        """A filter gives each key that is set a time to live."""

        @wants(Command)
        def expire(command: Command, link: Link) -> Verdict:
            if command.name == "SET" and len(command.arguments) == 2:
                return Send(Command("SET", *command.arguments, "EX", 3600))
            return PASS_ON

        port = await self.repeat(filters=FilterPair(to_server=expire))
        said = await self.talk(
            port, array("set", "key", "a\r\nb") + b"SET other x\r\nTTL key\r\nTTL other\r\nGET key\r\nQUIT\r\n"
        )
        self.assertEqual(said, b"+OK\r\n+OK\r\n:3600\r\n:3600\r\n$4\r\na\r\nb\r\n+OK\r\n")

    async def test_logs(self) -> None:
        """A filter that logs sees commands in whatever form, together with one that refuses some."""
        seen: list[str] = []

        @wants(Command)
        def log(command: Command, link: Link) -> Verdict:
            seen.append(f"{command.name} {b' '.join(command.arguments).decode()}")
            return PASS_ON

        port = await self.repeat(filters=chain(FilterPair(to_server=log), NO_FLUSH))
        said = await self.talk(port, array("set", "key", "a") + b"flushall\r\nGET 'key'\r\nQUIT\r\n")
        self.assertEqual(said, b"+OK\r\n" + DENIED + b"$1\r\na\r\n+OK\r\n")
        self.assertEqual(seen, ["SET key a", "FLUSHALL ", "GET key", "QUIT "])
