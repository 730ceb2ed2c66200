"""The dialect `redis` stands between a real Redis and its real clients: answers in turn, names, and its limits."""

from __future__ import annotations

import socket
from contextlib import closing
from typing import Any

from redis import exceptions

from twisted_repeater import DROP, PASS_ON, Limits, Link, Send, SendBack, Verdict, dialects
from twisted_repeater.dialects.redis import Command, Reply, in_turn

from ..needed import needed
from .redis_case import RedisCase, array, connect
from .servers import bytewise, talk

DEBIAN_PACKAGES = "redis-server redis-tools netcat-openbsd"

REFUSED = b"-NOPERM not for you\r\n"


def guard(command: Command, link: Link) -> Verdict:
    """Refuse FLUSHALL, answer PING, drop TIME, and replace ECHO."""
    if not isinstance(command, Command):
        return PASS_ON
    if command.name == "FLUSHALL":
        return SendBack([Reply.failure("NOPERM not for you")])
    if command.name == "PING":
        return SendBack([Reply(b"here")])
    if command.name == "ECHO":
        return Send(Command("GET", *command.arguments))
    return DROP if command.name == "TIME" else PASS_ON


class InTurnTests(RedisCase):
    """Answers of a filter."""

    async def test_pipeline(self) -> None:
        """They come in their turn in a pipeline, whether commands are arrays or lines, and come whole or not."""
        port = await self.repeat(filters=in_turn(guard))
        said = b"SET k v\r\nFLUSHALL\r\nGET k\r\n" + array(b"flushall", b"async") + b"\r\n*0\r\nECHO k\r\nping\r\n"
        said += b'"FLU"\r\n FLUSHALL"" \r\nTIME\r\nQUIT\r\n'
        expected = b"+OK\r\n" + REFUSED + b"$1\r\nv\r\n" + REFUSED + b"$1\r\nv\r\n$4\r\nhere\r\n"
        for pieces in ([said], bytewise(said)):
            got = await self.in_thread(talk, port, *pieces)
            self.assertTrue(got.startswith(expected), got)
            self.assertRegex(
                got[len(expected) :], rb"^-ERR unknown command .FLU[^\n]*\n-NOPERM not for you\r\n-ERR this "
            )
            self.assertTrue(got.endswith(b"of the repeater\r\n+OK\r\n"), got)

    async def test_transaction(self) -> None:
        """A refused command makes a transaction fail, and nothing of it is carried out."""
        port = await self.repeat(filters=in_turn(guard))
        got = await self.talk(port, b"MULTI\r\nSET k v\r\nFLUSHALL\r\nEXEC\r\nEXISTS k\r\nQUIT\r\n")
        self.assertRegex(got, rb"^\+OK\r\n\+QUEUED\r\n-NOPERM not for you\r\n-EXECABORT [^\n]*\n:0\r\n\+OK\r\n$")

    async def test_without_replies(self) -> None:
        """A client that has turned off replies gets none, and later answers are right."""
        port = await self.repeat(filters=in_turn(guard))
        said = b"CLIENT REPLY SKIP\r\nFLUSHALL\r\nGET a\r\nCLIENT REPLY OFF\r\nFLUSHALL\r\nPING\r\n"
        got = await self.talk(port, said + b"CLIENT REPLY ON\r\nPING\r\nQUIT\r\n")
        self.assertEqual(got, b"$-1\r\n+OK\r\n$4\r\nhere\r\n+OK\r\n")

    async def test_pushes_and_subscriptions(self) -> None:
        """They come between pushes, in subscribed mode, and behind a command that blocks."""
        port = await self.repeat(filters=in_turn(guard))
        got = await self.talk(port, b"SUBSCRIBE a b\r\nFLUSHALL\r\nUNSUBSCRIBE\r\nFLUSHALL\r\nQUIT\r\n")
        self.assertEqual((got.count(b"subscribe"), got.count(REFUSED)), (4, 2))
        self.assertTrue(got.endswith(REFUSED + b"+OK\r\n"))
        said = b"HELLO 3\r\nCLIENT TRACKING ON\r\nGET k\r\nSET k b\r\nFLUSHALL\r\nQUIT\r\n"
        got = await self.talk(port, said)
        self.assertIn(b">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n", got)
        self.assertTrue(got.endswith(REFUSED + b"+OK\r\n"))
        client = self.in_thread(talk, port, b"BLPOP list 0\r\nFLUSHALL\r\nQUIT\r\n")
        while (await self.talk(self.redis.port, b"RPUSH list one\r\nLLEN list\r\nQUIT\r\n")).startswith(b":2"):
            await self.talk(self.redis.port, b"DEL list\r\nQUIT\r\n")
        self.assertEqual(await client, b"*2\r\n$4\r\nlist\r\n$3\r\none\r\n" + REFUSED + b"+OK\r\n")

    async def test_a_long_pipeline_of_answers(self) -> None:
        """A client that reads only when it has sent all gets an answer for each command."""
        port = await self.repeat(filters=in_turn(guard))

        def run(count: int) -> list[Any]:
            with connect(port) as client, client.pipeline(transaction=False) as pipe:
                for number in range(count):
                    pipe.execute_command("FLUSHALL") if number % 2 else pipe.incr("n")
                replies: list[Any] = pipe.execute(raise_on_error=False)
                return replies

        replies = await self.in_thread(run, 10_000)
        self.assertEqual(replies[::2], list(range(1, 5001)))
        self.assertEqual({type(reply) for reply in replies[1::2]}, {exceptions.NoPermissionError})

    async def test_before_the_login(self) -> None:
        """Before the client has logged in, commands are refused in the same way."""
        await self.talk(self.redis.port, b"CONFIG SET requirepass secret\r\nQUIT\r\n")
        port = await self.repeat(filters=in_turn(guard))
        got = await self.talk(port, b"GET k\r\nFLUSHALL\r\nAUTH secret\r\nGET k\r\nQUIT\r\n")
        self.assertEqual(got, b"-NOAUTH Authentication required.\r\n" + REFUSED + b"+OK\r\n$-1\r\n+OK\r\n")


class NameTests(RedisCase):
    """Names of clients."""

    async def names(self, *said: bytes, **settings: Any) -> list[str]:
        """Return the names that the link of a client had, in order, but for its address."""
        names: list[str] = []

        def note(command: Command, link: Link) -> Verdict:
            if isinstance(command, Command) and command.name == "GET":
                names.append(link.client_name)
            return PASS_ON

        port = await self.repeat(to_server_filter=note, **settings)
        await self.talk(self.redis.port, b"ACL SETUSER ann on >secret ~* +@all\r\nQUIT\r\n")
        with closing(socket.create_connection(("127.0.0.1", port))) as client:
            for one in said:
                client.sendall(one + b"GET end\r\nECHO done\r\n")
                await self.in_thread(self.receive, client, b"$4\r\ndone\r\n")
                client.sendall(b"GET name\r\nECHO done\r\n")
                self.got = await self.in_thread(self.receive, client, b"$4\r\ndone\r\n")
        return [name for name in names[1::2] if not name.startswith("127.0.0.1")]

    def receive(self, client: socket.socket, until: bytes) -> bytes:
        """Return what comes up to some bytes."""
        received = b""
        while not received.endswith(until):
            data = client.recv(65536)
            if not data:
                break
            received += data
        return received

    async def test_accepted(self) -> None:
        """A client has the name of its user, or else that of its connection, once the server has accepted it."""
        said = [b"CLIENT SETNAME web\r\n", b"AUTH ann wrong\r\n", b"HELLO 3 AUTH ann wrong\r\n"]
        said += [b"HELLO 3 SETNAME job\r\n", array(b"auth", b"ann", b"secret"), b"CLIENT SETNAME other\r\n"]
        names = await self.names(*said)
        self.assertEqual(names, ["web", "web", "web", "job", "ann", "ann"])

    async def test_hello(self) -> None:
        """HELLO names the client, and RESET lets another name count again."""
        said = (b"HELLO 3 AUTH ann secret SETNAME x\r\n", b"RESET\r\n", b"CLIENT SETNAME web\r\n", b"HELLO 3\r\n")
        self.assertEqual(await self.names(*said), ["ann", "ann", "web", "web"])

    async def test_not_now(self) -> None:
        """A transaction is not disturbed, nor a client without replies; later names count again."""
        said = (
            b"MULTI\r\nCLIENT SETNAME a\r\nEXEC\r\n",
            b"CLIENT REPLY OFF\r\nCLIENT SETNAME b\r\nCLIENT REPLY ON\r\n",
        )
        names = await self.names(*said, b"CLIENT SETNAME c\r\n")
        self.assertEqual(names, ["c"])
        self.assertEqual(self.got, b"$-1\r\n$4\r\ndone\r\n")

    async def test_hidden_logins(self) -> None:
        """A user cannot hide: no login succeeds whose reply the repeater does not see."""
        port = await self.repeat(is_client_allowed=lambda name: name != "mallory")
        await self.talk(self.redis.port, b"ACL SETUSER mallory on >secret ~* +@all\r\nQUIT\r\n")
        login = b"AUTH mallory secret\r\n"
        for said, expected in (
            (b"MULTI\r\n" + login + b"EXEC\r\n", rb"\+OK\r\n\+QUEUED\r\n-EXECABORT [^\n]*\n"),
            (b"CLIENT REPLY OFF\r\n" + login + b"CLIENT REPLY ON\r\n", rb"\+OK\r\n"),
            (b"CLIENT REPLY SKIP\r\n" + login, b""),
        ):
            got = await self.talk(port, said + b"ACL WHOAMI\r\nQUIT\r\n")
            self.assertRegex(got, b"^" + expected + rb"\$7\r\ndefault\r\n\+OK\r\n$")
        got = await self.talk(port, b"CLIENT REPLY SKIP\r\nPING\r\n" + login + b"PING\r\n")
        self.assertEqual(got, b"-ERR client 'mallory' is not allowed\r\n")

    async def test_refused(self) -> None:
        """A client whose name is not allowed reads why in place of the reply, and its link is closed."""
        port = await self.repeat(is_client_allowed=lambda name: name != "mallory")
        got = await self.talk(port, b"PING\r\nCLIENT SETNAME mallory\r\nPING\r\n")
        self.assertEqual(got, b"+PONG\r\n-ERR client 'mallory' is not allowed\r\n")

    async def test_off(self) -> None:
        """Without names, clients keep that of their address, and nothing is sent that they did not send."""
        self.assertEqual(await self.names(b"CLIENT SETNAME web\r\n", dialect=dialects.redis(names=False)), [])

    async def test_clients(self) -> None:
        """What real clients do when they connect works, in both versions of the protocol."""
        port = await self.repeat()

        def run(protocol: int) -> Any:
            with connect(port, protocol=protocol, client_name="job") as client, client.pipeline() as pipe:
                pipe.set("k", "v").get("k")
                return pipe.execute()

        for protocol in (2, 3):
            self.assertEqual(await self.in_thread(run, protocol), [True, "v"])


class LimitTests(RedisCase):
    """What is long, slow, or not for a repeater."""

    async def test_replication(self) -> None:
        """A replica is told that the repeater is not for it."""
        port = await self.repeat()
        for said in (b"PSYNC ? -1\r\n", array(b"sync")):
            got = await self.talk(port, said + b"PING\r\nQUIT\r\n")
            self.assertRegex(got, rb"^-ERR the repeater does not carry replication[^\n]*\n\+PONG\r\n\+OK\r\n$")

    async def test_client_that_is_killed(self) -> None:
        """A client that is killed while it blocks takes no element of the list."""
        port = await self.repeat()
        client = socket.create_connection(("127.0.0.1", port))
        client.sendall(b"BLPOP list 0\r\n")
        await self.until_blocked(1)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.close()
        await self.until_blocked(0)
        got = await self.talk(self.redis.port, b"RPUSH list one\r\nLLEN list\r\nQUIT\r\n")
        self.assertEqual(got, b":1\r\n:1\r\n+OK\r\n")

    async def test_client_that_ends_its_stream(self) -> None:
        """So does one that only ends its stream, after ``linger``."""
        port = await self.repeat(limits=Limits(linger=0.5, close_timeout=0.5))
        with closing(socket.create_connection(("127.0.0.1", port))) as client:
            client.sendall(b"BLPOP list 0\r\n")
            await self.until_blocked(1)
        await self.until_blocked(0)
        got = await self.talk(self.redis.port, b"RPUSH list one\r\nLLEN list\r\nQUIT\r\n")
        self.assertEqual(got, b":1\r\n:1\r\n+OK\r\n")

    async def until_blocked(self, count: int) -> None:
        """Wait until so many clients of the server are blocked."""
        while b"blocked_clients:%d\r\n" % count not in await self.talk(self.redis.port, b"INFO clients\r\nQUIT\r\n"):
            pass

    async def test_half_close(self) -> None:
        """A client that ends its stream behind its commands gets all replies."""
        port = await self.repeat()
        nc = needed("nc", "netcat-openbsd")
        for options in ((), ("-N",)):
            done = await self.run_client(nc, *options, "127.0.0.1", str(port), says="PING\r\nQUIT\r\n")
            self.assertEqual(done, (0, "+PONG\r\n+OK\r\n"))

    async def test_web_browser(self) -> None:
        """A request of HTTP is closed at once, and no command in it is carried out."""
        port = await self.repeat()
        said = b"POST / HTTP/1.1\r\nHost: here\r\n\r\nSET bad 1\r\n"
        self.assertEqual(await self.talk(port, said), b"")
        self.assertEqual(await self.talk(port, b"EXISTS bad\r\nQUIT\r\n"), b":0\r\n+OK\r\n")

    async def test_no_server(self) -> None:
        """Without a server the client gets an error of Redis."""
        port = await self.repeat()
        self.redis.stop()
        self.assertRegex(await self.talk(port, b"PING\r\n"), rb"^-ERR no connection to the server: .*\r\n$")

    async def test_deep_pipeline(self) -> None:
        """Commands move on while the client does not read: a long pipeline, and a large SET behind a large GET."""
        port = await self.repeat()
        await self.talk(self.redis.port, b"SET k %s\r\nQUIT\r\n" % (b"v" * 100))

        def run(said: bytes, count: int) -> int:
            with closing(socket.create_connection(("127.0.0.1", port), 20)) as client:
                client.sendall(said)
                received = 0
                while received < count and (data := client.recv(1 << 20)):
                    received += len(data)
                return received

        count = 200_000
        self.assertEqual(await self.in_thread(run, array(b"GET", b"k") * count, 108 * count), 108 * count)
        size = 50_000_000
        large = array(b"SET", b"large", bytes(size))
        self.assertEqual(await self.in_thread(run, large, 5), 5)
        expected = size + len(b"$50000000\r\n\r\n+OK\r\n")
        self.assertEqual(await self.in_thread(run, array(b"GET", b"large") + large, expected), expected)
