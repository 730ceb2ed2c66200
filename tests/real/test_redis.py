"""The dialect `redis` stands between a real Redis and its real clients."""

from __future__ import annotations

import socket
from contextlib import closing
from typing import Any

from redis import exceptions
from twisted.internet.task import deferLater

from twisted_repeater import PASS_ON, Direction, Limits, Link, SendBack
from twisted_repeater.dialects.redis import Command, Commands, Reply, in_turn
from twisted_repeater.dialects.redis import redis as redis_dialect
from twisted_repeater.filters import in_order

from ..needed import needed
from ..peers import reactor
from .redis_case import RedisCase, connect
from .servers import bytewise, talk

DEBIAN_PACKAGES = "redis-server redis-tools netcat-openbsd"

REFUSED = "the command .FLUSHALL. is not allowed"


def no_flush() -> dict[str, Any]:
    """Return settings of a repeater that refuses to empty the Redis."""
    return {"filters": Commands(refuse=("FLUSHALL", "FLUSHDB"))}


def answers(*, late: bool = False) -> Any:
    """Make filters that answer the command ``GET motd`` in its turn; if ``late``, in a later turn of the reactor."""

    def motd(command: Command, link: Link) -> Any:
        verdict = SendBack([Reply.status("be kind")]) if command == MOTD else PASS_ON
        return deferLater(reactor, 0, lambda: verdict) if late else verdict

    return in_turn(motd)


MOTD = Command("GET", b"motd")


class ClientTests(RedisCase):
    """Real clients."""

    async def test_command_line(self) -> None:
        """redis-cli gets what Redis answers, and the filter's refusal."""
        port = await self.repeat(**no_flush())
        cli = needed("redis-cli", "redis-tools")
        says = "SET colour red\nGET colour\nflushall async\nGET colour\nHELLO 3\nHGETALL none\n"
        status, printed = await self.run_client(cli, "-p", str(port), says=says)
        lines = printed.split("\n")
        self.assertEqual(lines[:2], ["OK", "red"])
        self.assertRegex(lines[2], f"NOPERM {REFUSED}")
        self.assertIn("red", lines[3:5])
        self.assertIn("proto", printed)
        self.assertEqual(status, 0)

    async def test_half_close(self) -> None:
        """A client that ends its stream behind its commands gets all replies."""
        port = await self.repeat(**no_flush())
        nc = needed("nc", "netcat-openbsd")
        for options in ((), ("-N",)):
            done = await self.run_client(nc, *options, "127.0.0.1", str(port), says="PING\r\nQUIT\r\n")
            self.assertEqual(done, (0, "+PONG\r\n+OK\r\n"))
        done = await self.run_client(nc, "-N", "127.0.0.1", str(port), says="PING\r\n" * 1000)
        self.assertEqual(done, (0, "+PONG\r\n" * 1000))

    async def test_pipeline(self) -> None:
        """Each reply of a long pipeline is that to its command, the refused one among them."""
        port = await self.repeat(**no_flush())

        def run() -> list[Any]:
            with connect(port) as client, client.pipeline(transaction=False) as pipe:
                for number in range(5000):
                    pipe.set(f"key:{number}", "x" * number)
                    pipe.strlen(f"key:{number}")
                    if number == 2500:
                        pipe.flushall()
                replies: list[Any] = pipe.execute(raise_on_error=False)
                return replies

        replies = await self.in_thread(run)
        refused = replies.pop(2 * 2501)
        self.assertIsInstance(refused, exceptions.ResponseError)
        self.assertEqual(replies, [reply for number in range(5000) for reply in (True, number)])

    async def test_transaction(self) -> None:
        """A transaction with a refused command is not carried out."""
        port = await self.repeat(**no_flush())

        def run() -> Any:
            with connect(port) as client:
                pipe = client.pipeline(transaction=True)
                pipe.set("key", "value").flushdb()
                with self.assertRaises((exceptions.ExecAbortError, exceptions.ResponseError)):
                    pipe.execute()
                return client.get("key")

        self.assertIsNone(await self.in_thread(run))

    async def test_without_replies(self) -> None:
        """A client that has turned replies off gets none for a refused command either."""
        port = await self.repeat(**no_flush())
        says = b"CLIENT REPLY SKIP\r\nFLUSHALL\r\nECHO 1\r\nCLIENT REPLY OFF\r\nFLUSHDB\r\nPING\r\n"
        says += b"CLIENT REPLY ON\r\nECHO 2\r\nQUIT\r\n"
        got = await self.in_thread(talk, port, says)
        self.assertEqual(got, b"$1\r\n1\r\n+OK\r\n$1\r\n2\r\n+OK\r\n")

    async def test_subscriptions(self) -> None:
        """What is published reaches subscribers, in both versions of the protocol."""
        port = await self.repeat(**no_flush())

        def run(protocol: int) -> list[Any]:
            with connect(port, protocol=protocol) as client, closing(client.pubsub()) as pubsub:
                pubsub.subscribe("news", "weather")
                pubsub.psubscribe("sport.*")
                kinds = [pubsub.get_message(timeout=20)["type"] for _ in range(3)]
                for channel in ("news", "sport.chess"):
                    client.publish(channel, "text")
                return kinds + [pubsub.get_message(timeout=20)["data"] for _ in range(2)]

        for protocol in (2, 3):
            heard = await self.in_thread(run, protocol)
            self.assertEqual(heard, ["subscribe", "subscribe", "psubscribe", "text", "text"])

    async def test_pushes(self) -> None:
        """A push between replies passes as what it is: a client that caches learns what has changed."""
        port = await self.repeat(**no_flush())
        says = b"HELLO 3\r\nCLIENT TRACKING ON\r\nGET key\r\nSET key b\r\nFLUSHALL\r\nPING\r\nQUIT\r\n"
        told = (await self.in_thread(talk, port, says)).partition(b"+OK\r\n_\r\n")[2]
        self.assertIn(b">2\r\n$10\r\ninvalidate\r\n*1\r\n$3\r\nkey\r\n", told)
        self.assertRegex(told, rb"-NOPERM the command .FLUSHALL. is not allowed\r\n\+PONG\r\n\+OK\r\n$")

    async def test_types(self) -> None:
        """Every type of RESP3 passes, with all that is inside."""
        port = await self.repeat(**no_flush())
        names = ("string", "integer", "double", "bignum", "null", "array", "set", "map", "attrib", "verbatim")
        says = b"HELLO 3\r\n" + b"".join(b"DEBUG PROTOCOL %s\r\n" % name.encode() for name in names) + b"QUIT\r\n"
        direct = await self.in_thread(talk, self.redis.port, says)
        through = await self.in_thread(talk, port, *bytewise(says))
        self.assertEqual(through.partition(b"role")[2], direct.partition(b"role")[2])  # the id before it differs
        self.assertIn(b"|1\r\n", through)

    async def test_long_reply(self) -> None:
        """A reply of 200,000 items comes whole."""
        port = await self.repeat(to_client_filter=lambda reply, link: PASS_ON)
        items = [f"item-{number:08}" for number in range(200_000)]

        def run() -> bool:
            with connect(port) as client:
                for at in range(0, len(items), 20_000):
                    client.rpush("list", *items[at : at + 20_000])
                got: list[str] = client.lrange("list", 0, -1)
                return got == items

        self.assertTrue(await self.in_thread(run))

    async def test_answered_here(self) -> None:
        """What a filter answers comes in its turn with `in_turn`, also in a pipeline."""

        port = await self.repeat(filters=answers())

        def run(protocol: int) -> list[Any]:
            with connect(port, protocol=protocol) as client, client.pipeline(transaction=False) as pipe:
                for number in range(1000):
                    pipe.echo(f"{number}")
                    pipe.get("motd")
                replies: list[Any] = pipe.execute()
                return replies

        for protocol in (2, 3):
            replies = await self.in_thread(run, protocol)
            self.assertEqual(replies, [reply for number in range(1000) for reply in (str(number), "be kind")])

    async def test_replaced_meanwhile(self) -> None:
        """So it does if answers come late, replies are long, and the filters are replaced all the time."""
        port = await self.repeat(filters=answers(late=True))
        running = True

        def run() -> list[Any]:
            with connect(port) as client, client.pipeline(transaction=False) as pipe:
                for number in range(400):
                    pipe.echo(f"{number}" * (20_000 if number % 50 == 0 else 1))
                    pipe.get("motd")
                    pipe.setrange(f"key{number % 3}", number * 100, "x")
                    pipe.get("motd")
                replies: list[Any] = pipe.execute()
                return [reply if isinstance(reply, int) else reply[:7] for reply in replies]

        def replace() -> None:
            if running:
                self.repeater.replace_filters(filters=answers(late=True))
                reactor.callLater(0.002, replace)

        replace()
        replies = await self.in_thread(run)
        running = False
        direct = [
            reply
            for number in range(400)
            for reply in ((f"{number}" * 20_000)[: 7 if number % 50 == 0 else len(f"{number}")], number * 100 + 1)
        ]
        self.assertEqual((replies[::2], set(replies[1::2])), (direct, {"be kind"}))

    async def test_behind_a_command_that_blocks(self) -> None:
        """An answer waits for the reply to a command that blocks, however long."""
        port = await self.repeat(filters=answers())
        client = self.in_thread(talk, port, b"BLPOP list 0\r\n*2\r\n$3\r\nGET\r\n$4\r\nmotd\r\nQUIT\r\n")
        await self.until(self.waits)
        await self.in_thread(talk, self.redis.port, b"RPUSH list one\r\nQUIT\r\n")
        self.assertEqual(await client, b"*2\r\n$4\r\nlist\r\n$3\r\none\r\n+be kind\r\n+OK\r\n")

    async def test_leaving_while_answers_wait(self) -> None:
        """A client that leaves meanwhile takes nothing from the list any more."""
        port = await self.repeat(filters=answers(), limits=Limits(linger=0.5, close_timeout=0.5))
        with closing(socket.create_connection(("127.0.0.1", port))) as client:
            client.sendall(b"BLPOP list 0\r\n" + bytes(MOTD) * 100)
            await self.until(self.waits)
        await self.nothing_left(self.repeater)
        self.assertEqual(await self.direct(b"RPUSH list one\r\nDEL list\r\n"), b":1\r\n:1\r\n+OK\r\n")

    def waits(self) -> bool:
        """Return whether all that the client has sent is at Redis."""
        return any(link.received(Direction.TO_SERVER)[0] > 1 for link in self.repeater.links())

    async def test_monitor(self) -> None:
        """Behind MONITOR, where the server says more than it was asked for, a filter still answers."""
        port = await self.repeat(filters=answers())

        def run() -> list[str]:
            with connect(port) as client, client.monitor() as monitor, connect(self.redis.port) as other:
                other.ping()
                while not (shown := str(monitor.connection.read_response())).endswith('"PING"'):
                    pass
                monitor.connection.send_command("GET", "motd")
                return [shown[-6:], monitor.connection.read_response()]

        self.assertEqual(await self.in_thread(run), ['"PING"', "be kind"])

    async def test_counted(self) -> None:
        """An answer of a filter comes in its turn with `in_order` too, if each command has one reply."""

        def motd(command: Command, link: Link) -> Any:
            return SendBack([Reply.status("be kind")]) if command == MOTD else PASS_ON

        counting = in_order(
            motd, asks=lambda command: isinstance(command, Command), ends_answer=lambda reply: not reply.is_push
        )
        port = await self.repeat(filters=counting)
        self.assertEqual(
            await self.talk(port, (b"*0\r\nPING\r\n" + bytes(MOTD)) * 500, b"QUIT\r\n"),
            b"+PONG\r\n+be kind\r\n" * 500 + b"+OK\r\n",
        )


class HostileTests(RedisCase):
    """Peers that do what they should not cost only themselves."""

    async def test_garbage(self) -> None:
        """Bytes that are not Redis end the link; nothing behind them reaches the server."""
        port = await self.repeat(**no_flush())
        for garbage in (b"*1\r\n:1\r\nSET bad 1\r\n", b"*x\r\nSET bad 1\r\n", b"x" * 100_000, b"*1\r\n$-5\r\n\r\n"):
            self.assertEqual(await self.in_thread(talk, port, garbage), b"")
        tls = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
        self.assertEqual(await self.in_thread(talk, port, tls, ends=True), b"")
        self.assertEqual(await self.in_thread(talk, port, b"EXISTS bad\r\nQUIT\r\n"), b":0\r\n+OK\r\n")

    async def test_web_browser(self) -> None:
        """What speaks HTTP is sent to Redis, which closes the connection."""
        port = await self.repeat(**no_flush())
        self.assertEqual(await self.in_thread(talk, port, b"POST / HTTP/1.1\r\nHost: here\r\n\r\n"), b"")
        await self.assert_works(port)

    async def test_one_byte_at_a_time(self) -> None:
        """Commands that come byte by byte are carried out, those without a reply too."""
        port = await self.repeat(**no_flush())
        said = b"\r\n*0\r\n*-1\r\n*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$4\r\na\r\nb\r\nGET k\nQUIT\r\n"
        self.assertEqual(await self.in_thread(talk, port, *bytewise(said)), b"+OK\r\n$4\r\na\r\nb\r\n+OK\r\n")

    async def test_end_in_the_middle(self) -> None:
        """A command that is not complete when its client leaves is not carried out."""
        port = await self.repeat(**no_flush())
        await self.in_thread(talk, port, b"PING\r\n*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$4\r\nab", ends=True)
        self.assertEqual(await self.in_thread(talk, port, b"EXISTS k\r\nQUIT\r\n"), b":0\r\n+OK\r\n")

    async def test_server_closes(self) -> None:
        """If Redis goes, its clients' links end; newcomers get an error of Redis."""
        port = await self.repeat(**no_flush())

        def run() -> None:
            with connect(port, retry=None) as client, connect(port, retry=None) as other:
                client.ping()
                other.shutdown(nosave=True)
                with self.assertRaises((exceptions.ConnectionError, exceptions.ResponseError)):  # it connects again
                    client.ping()

        await self.in_thread(run)
        await self.nothing_left(self.repeater)
        said = await self.in_thread(talk, port, b"PING\r\n")
        self.assertRegex(said, rb"^-ERR no connection to the server: .*\r\n$")

    async def test_replies_that_are_none(self) -> None:
        """A server that does not speak Redis costs its client the link."""
        listener = self.start_server(lambda port: [needed("nc", "netcat-openbsd"), "-lk", "127.0.0.1", str(port)])
        repeater = await self.start_repeater(redis_dialect(), listener.port)
        client = self.in_thread(talk, repeater.port, b"PING\r\n")
        await self.until(lambda: "PING" in listener.program.output)
        listener.program.type("HTTP/1.1 400 Bad Request")
        self.assertEqual(await client, b"")
