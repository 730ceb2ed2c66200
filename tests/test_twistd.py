"""Strangers talk through a ``twistd repeater``, each in a process of its own: the examples, and misbehaving peers."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
import ssl
import time
from collections.abc import Callable
from pathlib import Path

import twisted.test
from twisted.trial.unittest import SkipTest

from .paths import EXAMPLES
from .programs import LONGEST, TWISTD, Program, ProgramCase

MADE = r"client '{}' linked: from 127\.0\.0\.1:\d+ to server 'quotes' at 127\.0\.0\.1:\d+"
ENDED = r"client '{}' ended: (.*); to the server (\d+) messages, (\d+) bytes; to the client (\d+) messages, (\d+) bytes"

WAITING_FILTER = '''
"""Passes a message on when there is a file 'go'."""
import os
from twisted.internet import reactor, task
from twisted_repeater import PASS_ON

async def wait(message, link):
    print("the filter has", message, flush=True)
    while not os.path.exists("go"):
        await task.deferLater(reactor, 0.01)
    return PASS_ON
'''


ASYNCIO_FILTER = '''
"""Waits as asyncio does and as Twisted does before it answers or passes a message on."""
import asyncio
from twisted.internet import reactor, task
from twisted_repeater import PASS_ON, SendBack

async def wait(message, link):
    async with asyncio.timeout(30):
        await asyncio.sleep(0.001)
        await task.deferLater(reactor, 0.001)
    return SendBack([b"asyncio"]) if message == b"which" else PASS_ON
'''


ASYNCIO_DIALECT = '''
"""An opening that waits as asyncio does and as Twisted does before it gives a name."""
import asyncio
from twisted.internet import reactor, task
from twisted_repeater.dialects import Dialect
from twisted_repeater.framings import Int32Framing

async def opening(attempt):
    async with asyncio.timeout(30):
        name = (await attempt.client.peek()).payload.decode()
        await asyncio.sleep(0.001)
        await task.deferLater(reactor, 0.001)
        await asyncio.wait_for(asyncio.ensure_future(asyncio.sleep(0.001)), 30)
    await attempt.admit("awaited " + name)

dialect = Dialect(name="awaiting", framing=lambda limits: Int32Framing(limits.max_frame), opening=opening)
'''


KEEPING_FILTER = '''
"""Keeps the reactor."""
import os, time
from twisted_repeater import PASS_ON

def work():
    while not os.path.exists("go"):
        pass

def decide(message, link):
    if message == b"until-logged":
        work()
    if message == b"loop":
        open("begun", "w").close()
        while True:
            pass
    if message == b"sleep":
        time.sleep(1000)
    return PASS_ON
'''

FEW_DESCRIPTORS_LEFT = '''
"""A filter that takes nearly all descriptors up to 1023 when it is loaded, so that a few clients come past that."""
import os, resource
from twisted_repeater import PASS_ON

resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
KEPT = [os.dup(0)]
while KEPT[-1] < 1004:
    KEPT.append(os.dup(0))

def decide(message, link):
    return PASS_ON
'''


class TwistdCase(ProgramCase):
    """An example server with a repeater before it."""

    def start_server(self, port: int = 0) -> tuple[Program, int]:
        """Start the example server, and give it with its port."""
        server = self.run_example("server", str(port))
        return server, int(server.wait_for(r"^quotes on port (\d+)$")[1])

    def options(self, server_port: int, *options: str) -> list[str]:
        """Return the options of a repeater."""
        options = ("--server", f"tcp:127.0.0.1:{server_port}", "--server-name", "quotes", *options)
        return ["repeater", "--listen", "tcp:0:interface=127.0.0.1", *options]

    def start_repeater(self, server_port: int, *options: str, twistd: tuple[str, ...] = ()) -> tuple[Program, int]:
        """Start a repeater, and give it with its port."""
        repeater = self.run_twistd(*twistd, *self.options(server_port, *options))
        return repeater, int(repeater.wait_for(r"RepeaterFactory starting on (\d+)$")[1])

    def start_client(self, port: int, name: str) -> Program:
        """Start the example client, and see it linked."""
        client = self.run_example("client", str(port), name)
        client.wait_for("^linked to quotes$")
        return client

    def start_all(self, *options: str) -> tuple[Program, Program, Program, int]:
        """Start a server, a repeater, and the client ann; give these and the repeater's port."""
        server, server_port = self.start_server()
        repeater, port = self.start_repeater(server_port, *options)
        return server, repeater, self.start_client(port, "ann"), port

    def check_still_talks(self, client: Program) -> None:
        """See that a client gets an answer."""
        before = client.output.count("ACME costs 101.50")
        client.type("price ACME")
        client.wait_for("^ACME costs 101.50$", before + 1)


class DescriptorTests(TwistdCase):
    """File descriptors."""

    def run_with(self, limit: str, *options: str) -> Program:
        """Start a repeater in a shell that sets a limit first."""
        command = f'ulimit {limit} && exec "$@"'
        return self.run_program("sh", "-c", command, "sh", TWISTD, "-n", "--pidfile=", *self.options(1, *options))

    def test_raised(self) -> None:
        """It takes as many as it may have, and says so."""
        repeater = self.run_with("-S -n 100")
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        repeater.wait_for(rf"the soft limit of file descriptors is raised from 100 to {hard}$")
        repeater.wait_for("accepting clients at")

    def test_lowered(self) -> None:
        """If that is not enough for the defaults they are lowered, and the log tells to what."""
        repeater = self.run_with("-n 300")
        told = repeater.wait_for(r"for 300 file descriptors, max_clients is (\d+), max_unfinished_hellos is (\d+)")
        self.assertEqual(told[1], told[2])
        self.assertTrue(50 <= int(told[1]) <= 90, told[0])
        repeater.wait_for("accepting clients at")

    def test_do_not_fit(self) -> None:
        """If it is not enough for limits that were asked for, one line says so, and nothing is started."""
        status, output = self.run_with("-n 300", "--max-clients=140").end()
        (line,) = [line for line in output.splitlines() if "file descriptors" in line]
        self.assertIn("cannot start: max_clients=140 needs 291 file descriptors, two for each client and one", line)
        self.assertEqual(status, 1)
        self.assertNotIn("Traceback", output)

    def test_run_out(self) -> None:
        """Clients without a descriptor wait, and get in when others have gone; the log has one line about them."""
        _, server_port = self.start_server()
        command = 'ulimit -n 30 && exec "$@"'
        options = self.options(server_port)
        repeater = self.run_program("sh", "-c", command, "sh", TWISTD, "-n", "--pidfile=", *options)
        port = int(repeater.wait_for(r"RepeaterFactory starting on (\d+)$")[1])
        with contextlib.ExitStack() as stack:
            repeater.send_signal(signal.SIGSTOP)  # so that all come at once
            silent = [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(30)]
            repeater.send_signal(signal.SIGCONT)
            repeater.wait_for("no client can be accepted: .*Too many open files")
            for one in silent:
                one.close()
        self.start_client(port, "ann")
        status, output = repeater.terminate()
        self.assertEqual(status, -signal.SIGTERM)
        self.assertEqual(output.count("no client can be accepted"), 1)
        self.assertNotIn("EMFILE", output)


class TalkTests(TwistdCase):
    """A server and clients that know nothing of the repeater between them."""

    def test_five_verdicts(self) -> None:
        """A filter of the current directory passes on, alters, drops, answers, and does both."""
        server, repeater, ann, _ = self.start_all("--to-server-filter", "filters:requests")
        ann.type("price ACME", "", "whoami", "price acme", "price INIT", "what")
        ann.wait_for("^what is what")
        ann.type_end()
        status, _ = ann.end()
        self.assertEqual(status, 0)
        server.wait_for("^ann is gone")
        asked = ["ann: price ACME", "ann: price ACME", "ann: price INIT", "ann: what"]
        self.assertEqual(server.lines[1:], ["ann is here", *asked, "ann is gone"])
        answers = [line for line in ann.lines if line not in ("ann", "INIT is delayed")]
        costs = ["ACME costs 101.50", "ACME costs 101.50", "INIT costs 7.25"]
        self.assertEqual(answers, ["linked to quotes", *costs, "what is what?", "disconnected"])
        self.assertIn("ann", ann.lines)
        self.assertIn("INIT is delayed", ann.lines)
        repeater.wait_for(MADE.format("ann"))
        ended = repeater.wait_for(ENDED.format("ann"))
        self.assertTrue(ended[1].startswith("the client left: end of stream"), ended[1])
        self.assertEqual(ended.groups()[1:], ("6", "64", "4", "78"))

    def test_end_of_stream(self) -> None:
        """A client that ends its stream behind its last request gets all answers."""
        _, _, ann, _ = self.start_all()
        ann.type(*["price ACME"] * 500)
        ann.type_end()
        _, output = ann.end()
        self.assertEqual(output.count("ACME costs 101.50"), 500)

    def test_killed_client(self) -> None:
        """When a client is killed the server learns of it, the log tells it, and another client goes on."""
        server, repeater, ann, port = self.start_all()
        bob = self.start_client(port, "bob")
        self.check_still_talks(ann)
        ann.kill()
        server.wait_for("^ann is gone")
        self.assertTrue(repeater.wait_for(ENDED.format("ann"))[1].startswith("the client left: "))
        self.check_still_talks(bob)
        self.check_still_talks(self.start_client(port, "ann"))

    def test_killed_server(self) -> None:
        """When the server is killed its clients learn of it; new ones are refused until there is a server again."""
        server, server_port = self.start_server()
        repeater, port = self.start_repeater(server_port)
        clients = [self.start_client(port, name) for name in ("ann", "bob")]
        server.kill()
        for client in clients:
            client.wait_for("^disconnected")
        for name in ("ann", "bob"):
            self.assertTrue(repeater.wait_for(ENDED.format(name))[1].startswith("the server left: "))
        refused = self.run_example("client", str(port), "eve")
        refused.wait_for("^disconnected")
        self.assertNotIn("linked", refused.output)
        repeater.wait_for(r"client 'eve' from 127\.0\.0\.1:\d+ refused: ServerUnreachable: no connection to the server")
        self.start_server(server_port)
        self.check_still_talks(self.start_client(port, "eve"))

    def test_silent_client(self) -> None:
        """A client that never says hello is refused in time; the server never hears of it, nor does another client."""
        server, repeater, ann, port = self.start_all("--hello-timeout", "2")
        with socket.create_connection(("127.0.0.1", port), LONGEST) as silent:
            silent.sendall(b"\0")
            self.assertEqual(silent.recv(1), b"")
        repeater.wait_for(r"client of unknown name from 127\.0\.0\.1:\d+ refused: HelloTimeout")
        self.check_still_talks(ann)
        self.assertEqual(server.output.count("is here"), 1)

    def test_garbage(self) -> None:
        """Garbage costs its sender the connection, before its hello or after it, and nobody else anything."""
        server, repeater, ann, port = self.start_all()
        for garbage, error in [
            (b"GET / HTTP/1.1\r\n\r\n", "InvalidHello: the client does not speak int32: frame of 1195725856 bytes"),
            (b"\0\0\0\x04\xff\xfe\n'", "InvalidHello: the client's hello: a hello must be UTF-8"),
            (b'\0\0\0\x0d{"name": "x"]', "InvalidHello: the client's hello: a hello must be a JSON object"),
        ]:
            with socket.create_connection(("127.0.0.1", port), LONGEST) as stranger:
                stranger.sendall(garbage)
                self.assertEqual(stranger.recv(1), b"")
            repeater.wait_for(f"client of unknown name from .* refused: {error}")
        self.assertEqual(server.output.count("is here"), 1)
        with socket.create_connection(("127.0.0.1", port), LONGEST) as stranger:
            stranger.sendall(b'\0\0\0\x0f{"name": "eve"}' + b"\0\0\0\x01!" + b"\xff\xff\xff\xff")
            with contextlib.suppress(ConnectionResetError):
                while stranger.recv(1000):
                    pass
        ended = repeater.wait_for(ENDED.format("eve"))
        self.assertTrue(ended[1].startswith("the client was cut off: frame of 4294967295 bytes"), ended[1])
        server.wait_for("^eve is gone")
        self.check_still_talks(ann)

    def test_forged_log_lines(self) -> None:
        """A client cannot make a line of the log of its own with its name."""
        _, repeater, _, port = self.start_all()
        hello = b'{"name": "x\\n2026-01-01T00:00:00+0000 [-] client \'ann\' ended\\u001b[2J"}'
        with socket.create_connection(("127.0.0.1", port), LONGEST) as stranger:
            stranger.sendall(len(hello).to_bytes(4, "big") + hello)
        repeater.wait_for(r"client \"x\\n2026-01-01.*\\x1b\[2J\" (linked: )?from 127.0.0.1")
        self.assertNotRegex(repeater.output, "(?m)^2026-01-01")

    def test_other_sockets(self) -> None:
        """A repeater listens on Unix sockets and on TLS, and connects to a server on a Unix socket."""
        certificate = Path(twisted.test.__file__).parent / "server.pem"
        _, server_port = self.start_server()
        name = ("--server-name", "quotes", "--repeater-name", "inner")
        inner = ("--listen", f"unix:{self.path('socket')}", "--server", f"tcp:127.0.0.1:{server_port}", *name)
        self.run_twistd("repeater", *inner).wait_for("accepting clients at unix:")
        tls = f"ssl:0:interface=127.0.0.1:privateKey={certificate}:certKey={certificate}"
        outer = self.run_twistd("repeater", "--listen", tls, "--server", f"unix:{self.path('socket')}", *name)
        port = int(outer.wait_for(r"starting on (\d+)$")[1])
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with socket.create_connection(("127.0.0.1", port), LONGEST) as plain, context.wrap_socket(plain) as client:
            client.sendall(b'\0\0\0\x0f{"name": "ann"}' + b"\0\0\0\x0aprice ACME")
            received = b""
            while b"101.50" not in received:
                received += client.recv(1000)
        self.assertIn(b'"credentials":"inner"', received)
        outer.wait_for(ENDED.format("ann"))


class ProcessTests(TwistdCase):
    """The process: how it starts, ends, and runs in the background."""

    def test_help(self) -> None:
        """``twistd --help`` has the repeater."""
        status, output, _ = self.ask_twistd("--help")
        self.assertEqual(status, 0)
        self.assertRegex(output, r"(?m)^ +repeater +\S")

    def test_signals(self) -> None:
        """SIGTERM and Ctrl-C end every link, in good order, and then the process."""
        for number, reason in (
            (signal.SIGTERM, "RepeaterClosed: the repeater shuts down"),
            (signal.SIGINT, "closed by the repeater"),
        ):
            server, repeater, ann, _ = self.start_all()
            self.check_still_talks(ann)
            repeater.send_signal(number)
            status, output = repeater.end()
            self.assertEqual(status, -number, output)
            self.assertEqual(repeater.wait_for(ENDED.format("ann"))[1], reason)
            self.assertNotIn("Traceback", output)
            ann.wait_for("^disconnected")
            server.wait_for("^ann is gone")

    def test_second_signal(self) -> None:
        """A second one, while a verdict is awaited, aborts every connection at once, on any reactor."""
        self.path("waiting.py").write_text(WAITING_FILTER)
        for reactor, numbers in [
            ("default", (signal.SIGTERM, signal.SIGTERM)),
            ("select", (signal.SIGINT, signal.SIGINT)),
            ("asyncio", (signal.SIGTERM, signal.SIGINT)),
        ]:
            server, server_port = self.start_server()
            options = ("--to-server-filter", "waiting:wait", "--close-timeout", "1000", "--linger", "1000")
            repeater, port = self.start_repeater(server_port, *options, twistd=("-r", reactor))
            ann = self.start_client(port, "ann")
            ann.type("price ACME")
            repeater.wait_for("the filter has b'price ACME'")
            repeater.send_signal(numbers[0])
            repeater.wait_for(f"Received {numbers[0].name}, shutting down")
            repeater.send_signal(numbers[1])
            status, output = repeater.end()
            self.assertEqual(status, -numbers[0], output)
            self.assertIn(f"a second signal, {numbers[1].name}: every connection is aborted", output)
            self.assertNotIn("Traceback", output)
            server.wait_for("^ann is gone")
            ann.wait_for("^disconnected")

    def test_second_signal_demo(self) -> None:
        """So does a second Ctrl-C for the demonstration."""
        demo = self.run_twistd("repeater", "--demo")
        demo.wait_for("answers it itself")
        for _ in range(2):
            demo.send_signal(signal.SIGINT)
        status, output = demo.end()
        self.assertEqual(status, -signal.SIGINT, output)
        self.assertNotIn("Traceback", output)

    def test_kept_reactor(self) -> None:
        """A filter that blocks the reactor is logged, and when that is over. If it never is, a second signal ends the
        process, in the foreground and as a daemon, and removes the pid file."""
        self.path("keeping.py").write_text(KEEPING_FILTER)
        _, server_port = self.start_server()
        pid_file = self.path("edge.pid")
        options = self.options(server_port, "--to-server-filter", "keeping:decide")
        for message, reactor in (("loop", "default"), ("sleep", "asyncio")):
            repeater = self.run_program(TWISTD, "-n", "--pidfile", str(pid_file), "-r", reactor, *options)
            ann = self.start_client(int(repeater.wait_for(r"RepeaterFactory starting on (\d+)$")[1]), "ann")
            ann.type("until-logged")
            repeater.wait_for(
                r"keeping:decide has blocked the reactor for \d+\.\d seconds.*keeping.py:\d+ in (work|decide)"
            )
            self.path("go").touch()
            repeater.wait_for(r"keeping:decide released the reactor after \d+\.\d seconds")
            self.path("go").unlink()
            ann.type(message)
            repeater.wait_for("keeping:decide has blocked the reactor", 2)
            repeater.send_signal(signal.SIGTERM)
            repeater.wait_for("Received SIGTERM, shutting down")
            self.assertTrue(pid_file.exists())
            repeater.send_signal(signal.SIGINT)
            status, output = repeater.end()
            self.assertEqual(status, -signal.SIGINT, output)
            self.assertRegex(
                output, r"second signal, SIGINT, while keeping:decide blocks the reactor at .*keeping.py:\d+ in decide"
            )
            self.assertNotIn("Traceback", output)
            self.assertFalse(pid_file.exists())

    def test_kept_daemon(self) -> None:
        """So it does in the background, also where the second signal comes right behind the first."""
        self.path("keeping.py").write_text(KEEPING_FILTER)
        _, server_port = self.start_server()
        pid_file, log = self.path("edge.pid"), self.path("edge.log")
        options = self.options(server_port, "--to-server-filter", "keeping:decide")
        self.ask_twistd("--pidfile", str(pid_file), "--logfile", str(log), *options)
        pid = int(pid_file.read_text())
        self.addCleanup(self.kill_daemon, pid, pid_file)
        ann = self.start_client(int(log.read_text().partition("starting on ")[2].partition("\n")[0]), "ann")
        ann.type("loop")
        self.wait_until(self.path("begun").exists)
        os.kill(pid, signal.SIGTERM)
        self.wait_until(lambda: "Received SIGTERM" in log.read_text())
        os.kill(pid, signal.SIGTERM)
        self.wait_for_end_of(pid)
        self.assertFalse(pid_file.exists())
        self.assertIn("while keeping:decide blocks the reactor", log.read_text())

    def test_select(self) -> None:
        """With the select reactor, which throws out connections of descriptors above 1023, every client is served or
        disconnected, and SIGTERM ends the process."""
        if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < 2000:
            raise SkipTest("the system allows too few descriptors")
        self.path("few.py").write_text(FEW_DESCRIPTORS_LEFT)
        _, server_port = self.start_server()
        options = ("--to-server-filter", "few:decide", "--hello-timeout", "2", "--close-timeout", "1")
        repeater, port = self.start_repeater(server_port, *options, twistd=("-r", "select"))
        clients = [self.run_example("client", str(port), f"c{number}") for number in range(8)]
        for client in clients:
            client.wait_for("linked to quotes|disconnected")
        self.assertIn("disconnected", "".join(client.output for client in clients))
        status, output = repeater.terminate()
        self.assertEqual(status, -signal.SIGTERM, output)

    def test_nothing_received_is_lost(self) -> None:
        """Messages received before SIGTERM are filtered and delivered, although the filter takes its time."""
        self.path("waiting.py").write_text(WAITING_FILTER)
        server, server_port = self.start_server()
        repeater, port = self.start_repeater(server_port, "--to-server-filter", "waiting:wait")
        with socket.create_connection(("127.0.0.1", port), LONGEST) as client:
            messages = b'{"name": "bob"}', b"price ACME", b"price INIT"  # in one write: all are received at once
            client.sendall(b"".join(len(message).to_bytes(4, "big") + message for message in messages))
            repeater.wait_for("the filter has b'price ACME'")
            repeater.send_signal(signal.SIGTERM)
            repeater.wait_for("Received SIGTERM")
            self.path("go").touch()
            self.assertEqual(repeater.end()[0], -signal.SIGTERM)
            server.wait_for("^bob is gone")
        self.assertEqual(server.lines[1:], ["bob is here", "bob: price ACME", "bob: price INIT", "bob is gone"])

    def test_asyncio(self) -> None:
        """It runs on the asyncio reactor as well."""
        _, server_port = self.start_server()
        repeater, port = self.start_repeater(server_port, twistd=("-r", "asyncio"))
        repeater.wait_for("reactor class: twisted.internet.asyncioreactor.AsyncioSelectorReactor")
        ann = self.start_client(port, "ann")
        self.check_still_talks(ann)
        self.assertEqual(repeater.terminate()[0], -signal.SIGTERM)
        ann.wait_for("^disconnected")

    def test_asyncio_filter(self) -> None:
        """There a filter may await asyncio too; with another reactor the log says that this needs asyncio's."""
        self.path("waiting.py").write_text(ASYNCIO_FILTER)
        _, server_port = self.start_server()
        options = ("--to-server-filter", "waiting:wait")
        _, port = self.start_repeater(server_port, *options, twistd=("-r", "asyncio"))
        ann = self.start_client(port, "ann")
        ann.type("which")
        ann.wait_for("^asyncio$")
        self.check_still_talks(ann)
        repeater, port = self.start_repeater(server_port, *options, twistd=("-r", "poll"))
        self.start_client(port, "bob").type("which")
        repeater.wait_for("filter wait failed on message 1: RuntimeError: .* needs Twisted's asyncio reactor")

    def test_asyncio_opening(self) -> None:
        """There an opening may await asyncio too; with another reactor the log says that this needs asyncio's."""
        self.path("awaiting.py").write_text(ASYNCIO_DIALECT)
        _, server_port = self.start_server()
        for reactor, result in (
            ("asyncio", "client 'awaited ann' linked"),
            ("poll", "refused: OpeningFailed: the opening of awaiting failed: .* needs Twisted's asyncio reactor"),
        ):
            options = ("--dialect", "awaiting:dialect")
            repeater, port = self.start_repeater(server_port, *options, twistd=("-r", reactor))
            with socket.create_connection(("127.0.0.1", port), LONGEST) as client:
                client.sendall(b"\0\0\0\3ann")
                repeater.wait_for(result)

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Return when something is so that no program prints."""
        end = time.monotonic() + LONGEST
        while not condition():
            self.assertLess(time.monotonic(), end)
            time.sleep(0.01)

    def kill_daemon(self, pid: int, pid_file: Path) -> None:
        """End a daemon that did not end itself."""
        if pid_file.exists():
            os.kill(pid, signal.SIGKILL)

    def test_daemon(self) -> None:
        """In the background it writes its pid file and its log, and takes the pid file away at its end."""
        for reactor in ("default", "asyncio"):
            _, server_port = self.start_server()
            pid_file, log = self.path(f"{reactor}.pid"), self.path(f"{reactor}.log")
            files = ["-r", reactor, "--pidfile", str(pid_file), "--logfile", str(log)]
            started = self.ask_twistd(*files, *self.options(server_port))
            self.assertEqual(started, (0, "", ""))
            pid = int(pid_file.read_text())
            self.addCleanup(self.kill_daemon, pid, pid_file)
            port = int(log.read_text().partition("RepeaterFactory starting on ")[2].partition("\n")[0])
            ann = self.start_client(port, "ann")
            self.check_still_talks(ann)
            os.kill(pid, signal.SIGTERM)
            ann.wait_for("^disconnected")
            self.wait_for_end_of(pid)
            self.assertFalse(pid_file.exists())
            self.assertRegex(log.read_text(), ENDED.format("ann"))

    def test_port_in_use(self) -> None:
        """A port that is taken is told in one line, with a status that is not 0, and leaves no pid file."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            options = ["repeater", "--listen", f"tcp:{port}:interface=127.0.0.1"]
            options += ["--server", "tcp:127.0.0.1:1", "--server-name", "quotes"]
            status, output, error = self.ask_twistd("-n", *options)
            self.assertEqual(status, 1)
            self.assertRegex(output + error, f"(?m)cannot start: Couldn't listen on 127.0.0.1:{port}: .*in use")
            self.assertNotIn("Traceback", output + error)
            status, output, error = self.ask_twistd("--logfile", str(self.path("log")), *options)
            self.assertEqual((status, output), (1, ""))
            self.assertIn(f"CannotStart: Couldn't listen on 127.0.0.1:{port}", error)
            self.assertIn(f"cannot start: Couldn't listen on 127.0.0.1:{port}", self.path("log").read_text())
            self.wait_until(lambda: not self.path("twistd.pid").exists())  # twistd reports first

    def test_wrong_options(self) -> None:
        """Wrong options are told in one line, with a status that is not 0, and nothing is started."""
        self.path("broken.py").write_text("import no_such_module\n")
        for options, text in [
            (["--listn", "tcp:9000"], "--listn: there is no such option; did you mean --listen?"),
            (
                self.options(1, "--to-server-filter", "broken:f")[1:],
                "--to-server-filter: cannot import broken: ModuleNotFoundError: No module named 'no_such_module' (br",
            ),
        ]:
            status, output, error = self.ask_twistd("repeater", *options)
            self.assertEqual((status, output), (1, ""))
            self.assertTrue(error.startswith(f"twistd repeater: {text}"), error)
            self.assertEqual(error.count("\n"), 1)
            self.assertFalse(self.path("twistd.pid").exists())

    def test_check(self) -> None:
        """A file is checked without starting anything, also as it will be run as a daemon."""
        tables = '[repeater.{}]\nlisten = "tcp:{}"\nserver = "tcp:h:1"\ndialect = "lines"\n'
        self.path("edge.toml").write_text(
            tables.format("a", 1) + tables.format("b", 2) + "to-server-filter = 'rules:up'"
        )
        command = ("repeater", "--config", str(self.path("edge.toml")), "--check")
        status, output, error = self.ask_twistd(*command)
        self.assertEqual((status, output), (1, ""))
        why = "repeater.b.to-server-filter: cannot import rules: ModuleNotFoundError: No module named 'rules'"
        self.assertEqual(error, f"twistd repeater: {self.path('edge.toml')}: {why}\n")
        self.path("rules.py").write_text("def up(message, link): ...\n")
        self.assertEqual(
            self.ask_twistd(*command), (0, "a is fine: tcp:1 to tcp:h:1\nb is fine: tcp:2 to tcp:h:1\n", "")
        )
        self.assertFalse(self.path("twistd.pid").exists())


class PageTests(TwistdCase):
    """The page that tells how to run it."""

    def test_filter(self) -> None:
        """It shows the example's filter."""
        page = (EXAMPLES.parent / "running.md").read_text()
        example = (EXAMPLES / "filters.py").read_text().partition("from twisted_repeater import")[2]
        self.assertIn(example, page)


class ReloadTests(TwistdCase):
    """Filters that are reloaded while links go on."""

    def change_filter(self, old: str, new: str) -> None:
        """Edit the example's filter."""
        path = self.path("filters.py")
        text = path.read_text()
        self.assertIn(old, text)
        path.write_text(text.replace(old, new))

    def test_hangup(self) -> None:
        """After SIGHUP the changed filter decides, on a link that was there before."""
        _, repeater, ann, _ = self.start_all("--to-server-filter", "filters:requests")
        ann.type("whoami")
        ann.wait_for("^ann$")
        self.change_filter("link.client_name.encode()", "b'nobody'")
        repeater.send_signal(signal.SIGHUP)
        repeater.wait_for("reloaded; applied: to-server-filter")
        ann.type("whoami")
        ann.wait_for("^nobody$")

    def test_changed_files(self) -> None:
        """With ``--reload`` a changed file is enough; one that cannot be loaded leaves the old filter and is told."""
        _, repeater, ann, _ = self.start_all("--to-server-filter", "filters:requests", "--reload")
        self.change_filter("link.client_name.encode()", "b'nobody'")
        repeater.wait_for("reloaded; applied: to-server-filter")
        ann.type("whoami")
        ann.wait_for("^nobody$")
        self.change_filter("if message", "if if message")
        repeater.wait_for(
            r"not reloaded: --to-server-filter: cannot import filters: SyntaxError: .*\(filters.py, line \d+\)"
        )
        ann.type("whoami")
        ann.wait_for("^nobody$", times=2)
        self.change_filter("if if message", "if message")
        self.change_filter("b'nobody'", "b'somebody'")
        repeater.wait_for("reloaded; applied", times=2)
        ann.type("whoami")
        ann.wait_for("^somebody$")
