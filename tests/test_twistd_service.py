"""``twistd repeater`` as a service: many repeaters of one file, draining, and a stand-in for systemd."""

from __future__ import annotations

import re
import signal
import socket
import socketserver
import sys
import threading
import time

from .programs import LONGEST, TWISTD, Program, ProgramCase, kept_port
from .test_twistd import WAITING_FILTER, TwistdCase

FILTER = """
from twisted_repeater import PASS_ON, Send

def mark(message, link):
    return Send(message + b"{}") if message.endswith(b"mark") else PASS_ON
"""


class Echo(socketserver.ThreadingTCPServer):
    """Sends each line back."""

    daemon_threads = True
    request_queue_size = 100

    class RequestHandlerClass(socketserver.StreamRequestHandler):
        """One connection."""

        def handle(self) -> None:
            """Send each line back."""
            for line in self.rfile:
                self.wfile.write(line)


class Talker(threading.Thread):
    """A client that sends lines and waits for each to come back, and rests now and then.

    When ``quiet`` is set, it begins no more: no stream can end in good order just when its client sends again.
    """

    def __init__(self, port: int, quiet: threading.Event) -> None:
        super().__init__(daemon=True)
        self._quiet = quiet
        self._socket = socket.create_connection(("127.0.0.1", port), LONGEST)
        self._lines = self._socket.makefile("rb")
        self.answered = 0
        self.error: BaseException | None = None
        self.start()

    def run(self) -> None:
        """Talk until the other side ends the stream."""
        try:
            while self._talk(50) and self._rest():
                pass
        except BaseException as error:
            self.error = error
        finally:
            self._lines.close()
            self._socket.close()

    def _talk(self, count: int) -> bool:
        for _ in range(count):
            line = b"line %d\n" % self.answered
            self._socket.sendall(line)
            assert self._lines.readline() == line
            self.answered += 1
        return True

    def _rest(self) -> bool:
        """Return whether the stream has not ended after a while, and more is to be said."""
        self._socket.settimeout(LONGEST if self._quiet.is_set() else 0.3)
        try:
            data = self._socket.recv(1)
        except TimeoutError:
            self._socket.settimeout(LONGEST)
            return True
        assert data == b""
        return False


class ManyTests(TwistdCase):
    """Twelve repeaters of one file."""

    def write_config(self, letter: str, *more: str) -> None:
        """Write the configuration file, and the filter that half of the repeaters have."""
        self.path("rules.py").write_text(FILTER.format(letter))
        tables = [
            f'[repeater.r{number}]\nlisten = "tcp:0:interface=127.0.0.1"\n'
            + ('to-server-filter = "rules:mark"\n' if number % 2 else "")
            for number in range(12)
        ]
        head = f'drain-timeout = 20\n[defaults]\ndialect = "lines"\nserver = "tcp:127.0.0.1:{self.echo_port}"\n'
        self.path("edge.toml").write_text(head + "".join([*tables, *more]))

    def test_reloaded_and_drained(self) -> None:
        """Under load all are reloaded, one is added and removed, and all are drained: no link is cut, no line lost."""
        with Echo(("127.0.0.1", 0), Echo.RequestHandlerClass) as echo:
            self.echo_port = echo.server_address[1]
            threading.Thread(target=echo.serve_forever, args=(0.05,), daemon=True).start()
            self.write_config("a")
            repeater = self.run_twistd("repeater", "--config", "edge.toml")
            ports = [
                int(repeater.wait_for(rf"repeater r{number}: .*accepting clients at 127.0.0.1:(\d+)")[1])
                for number in range(12)
            ]
            quiet, soon = threading.Event(), threading.Event()
            talkers = [Talker(port, quiet) for port in ports * 2]
            self.write_config("b", '[repeater.more]\nlisten = "tcp:0:interface=127.0.0.1"\n')
            repeater.send_signal(signal.SIGHUP)
            repeater.wait_for(r"r\d+: reloaded; applied: to-server-filter", 6)
            more = int(repeater.wait_for(r"repeater more: .*accepting clients at 127.0.0.1:(\d+)")[1])
            talkers.append(Talker(more, soon))
            self.write_config("b")
            soon.set()
            repeater.send_signal(signal.SIGHUP)
            repeater.wait_for("removed from the configuration, and drained")
            talkers[-1].join(LONGEST)
            with socket.create_connection(("127.0.0.1", ports[1]), LONGEST) as client:
                client.sendall(b"mark\n")
                self.assertEqual(client.recv(100), b"markb\n")
            quiet.set()
            status, output = repeater.terminate()
            for talker in talkers:
                talker.join(LONGEST)
            echo.shutdown()
        self.assertEqual(status, -signal.SIGTERM, output)
        self.assertEqual([talker.error for talker in talkers], [None] * 25, output)
        self.assertTrue(all(talker.answered % 50 == 0 for talker in talkers))
        self.assertNotIn("Traceback", output)


class RenameTests(TwistdCase):
    """Tables that are renamed, and keep their port."""

    TIMES = 5

    def write_config(self, name: str, port: int, server_port: int) -> None:
        """Write the configuration file."""
        table = f'[repeater.{name}]\nlisten = "tcp:{port}:interface=127.0.0.1"\ndialect = "lines"\n'
        self.path("edge.toml").write_text(f'{table}server = "tcp:127.0.0.1:{server_port}"\n')

    def visit(self, port: int) -> None:
        """Connect again and again, and get an answer each time."""
        try:
            while not self.visitors_over.is_set():
                with socket.create_connection(("127.0.0.1", port), LONGEST) as client:
                    client.sendall(b"hello\n")
                    assert client.recv(100) == b"hello\n"
                with self.visited:
                    self.visits += 1
                    self.visited.notify_all()
        except BaseException as error:
            with self.visited:
                self.errors.append(error)
                self.visited.notify_all()

    def wait_for_visits(self) -> None:
        """Wait until there were some more visits, or one failed."""
        with self.visited:
            enough = self.visits + 10
            self.assertTrue(self.visited.wait_for(lambda: self.errors or self.visits >= enough, LONGEST))

    def test_renamed(self) -> None:
        """One reload is enough each time, and of the clients that come all the while each gets its answer."""
        self.visited = threading.Condition()
        self.visitors_over, self.visits, self.errors = threading.Event(), 0, list[BaseException]()
        port = kept_port(self)
        with Echo(("127.0.0.1", 0), Echo.RequestHandlerClass) as echo:
            threading.Thread(target=echo.serve_forever, args=(0.05,), daemon=True).start()
            self.write_config("r0", port, echo.server_address[1])
            repeater = self.run_twistd("repeater", "--config", "edge.toml")
            repeater.wait_for("repeater r0: .*accepting clients at")
            visitors = [threading.Thread(target=self.visit, args=(port,), daemon=True) for _ in range(2)]
            for visitor in visitors:
                visitor.start()
            for number in range(1, self.TIMES + 1):
                self.write_config(f"r{number}", port, echo.server_address[1])
                repeater.send_signal(signal.SIGHUP)
                repeater.wait_for(f"repeater r{number}: .*accepting clients at")
                self.wait_for_visits()
            self.visitors_over.set()
            for visitor in visitors:
                visitor.join(LONGEST)
            status, output = repeater.terminate()
            echo.shutdown()
        self.assertEqual((self.errors, status), ([], -signal.SIGTERM), output)
        self.assertEqual(output.count("removed from the configuration, and drained"), self.TIMES)
        self.assertNotIn("Traceback", output)
        self.assertNotIn("refused", output)


class CheckTests(TwistdCase):
    """``--check``."""

    def test_without_sqlite(self) -> None:
        """A Python that was built without SQLite can run a repeater that neither records nor stores anything."""
        self.path("sitecustomize.py").write_text("import sys\nsys.modules['sqlite3'] = None\n")
        self.environment["PYTHONPATH"] = f"{self.directory}:{self.environment['PYTHONPATH']}"
        table = '[repeater.edge]\nlisten = "tcp:9000"\nserver = "tcp:h:1"\ndialect = "fix"\n'
        self.path("edge.toml").write_text(f'{table}filter = ["fix-orders:max-quantity=1000"]\n')
        answer = self.ask_twistd("repeater", "--config=edge.toml", "--check")
        self.assertEqual(answer, (0, "edge is fine: tcp:9000 to tcp:h:1\n", ""))


class DrainTests(TwistdCase):
    """SIGTERM."""

    def test_waiting(self) -> None:
        """A link whose verdict is awaited goes on until it has come; meanwhile nobody is ready for newcomers."""
        self.path("waiting.py").write_text(WAITING_FILTER)
        _, server_port = self.start_server()
        admin = f"unix:{self.path('admin')}"
        repeater, port = self.start_repeater(server_port, "--to-server-filter", "waiting:wait", "--admin", admin)
        ann = self.start_client(port, "ann")
        ann.type("price ACME")
        repeater.wait_for("the filter has b'price ACME'")
        self.assertIn(b'{"ready":true,"reasons":[]}', self.get("readyz"))
        repeater.send_signal(signal.SIGTERM)
        repeater.wait_for("links that end as they rest: 1; at the latest in 30 seconds")
        self.assertIn(b'{"ready":false,"reasons":["draining"]}', self.get("readyz"))
        self.assertRaises(ConnectionRefusedError, socket.create_connection, ("127.0.0.1", port))
        self.path("go").touch()
        ann.wait_for("^ACME costs 101.50$")
        ann.wait_for("^disconnected")
        self.assertEqual(repeater.end()[0], -signal.SIGTERM)

    def get(self, path: str) -> bytes:
        """Ask the administration."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(LONGEST)
            client.connect(str(self.path("admin")))
            client.sendall(b"GET /%s HTTP/1.0\r\nHost: localhost\r\n\r\n" % path.encode())
            answer = b""
            while data := client.recv(1000):
                answer += data
        return answer


class HangupTests(TwistdCase):
    """SIGHUP before the process is ready."""

    def check_reloads(self, answer: str, site: str = "", app: str = "") -> None:
        """Start a repeater, and wait until it has reloaded and says so.

        Args:
            answer: what it says.
            site: code that Python runs at its start.
            app: code that is run when the file was read, but before anything is started.
        """
        self.path("sitecustomize.py").write_text(site)
        self.path("edge_app.py").write_text(f"{app}\nclass App:\n    observers = ()\n")
        text = '[repeater.edge]\nlisten = "tcp:0:interface=127.0.0.1"\nserver = "tcp:127.0.0.1:1"\ndialect = "lines"\n'
        self.path("edge.toml").write_text(f'{text}app = "edge_app:App"\n')
        self.environment["PYTHONPATH"] = f"{self.directory}:{self.environment['PYTHONPATH']}"
        repeater = self.run_twistd("repeater", "--config", "edge.toml")
        repeater.wait_for(answer)
        self.assertEqual(repeater.terminate()[0], -signal.SIGTERM)

    def test_while_imported(self) -> None:
        """It does not end the process while that imports the package; then the process reloads."""
        site = (
            "import os, signal, sys\n"
            "class Finder:\n"
            "    def find_spec(name, path, target=None):\n"
            "        if name == 'twisted_repeater':\n"
            "            os.kill(os.getpid(), signal.SIGHUP)\n"
            "sys.meta_path.insert(0, Finder)\n"
        )
        self.check_reloads("reloaded: nothing has changed$", site=site)

    def test_after_the_file_was_read(self) -> None:
        """A change of the file after it was read is applied if SIGHUP follows it, however early."""
        app = (
            "import os, signal\n"
            "with open('edge.toml', 'a') as file:\n"
            "    file.write('allow-ip = [\"10.0.0.0/8\"]')\n"
            "os.kill(os.getpid(), signal.SIGHUP)\n"
        )
        self.check_reloads("reloaded; applied: allow-ip$", app=app)


class NoticesCase(ProgramCase):
    """A test case that listens to notices as systemd does."""

    def setUp(self) -> None:
        """Listen as systemd does."""
        super().setUp()
        self.notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.notices.close)
        self.notices.settimeout(LONGEST)
        self.notices.bind(str(self.path("notify")))
        self.environment |= {"NOTIFY_SOCKET": str(self.path("notify")), "WATCHDOG_USEC": "600000"}

    def notice(self, start: str) -> list[str]:
        """Return the lines of the next notice that begins so; leave out others."""
        while True:
            lines = self.notices.recv(4096).decode().split("\n")
            if lines[0] == start:
                return lines


class SystemdTests(NoticesCase, TwistdCase):
    """What systemd is told, and sockets that it has opened."""

    def activated(self, listening: socket.socket, server_port: int, *options: str) -> Program:
        """Start a repeater that gets a socket as systemd would hand it over."""
        command = ["repeater", "--server", f"tcp:127.0.0.1:{server_port}", "--server-name", "quotes", *options]
        environment = self.environment | {"LISTEN_FDS": "1", "LISTEN_FDNAMES": "edge"}
        code = f"import os, sys; os.dup2({listening.fileno()}, 3); os.environ['LISTEN_PID'] = str(os.getpid()); "
        code += "os.execv(sys.argv[1], sys.argv[1:])"
        parts = [sys.executable, "-c", code, TWISTD, "-n", "--pidfile=", *command]
        program = Program(*parts, cwd=self.directory, env=environment, pass_fds=(listening.fileno(),))
        self.addCleanup(program.kill)
        return program

    def test_life(self) -> None:
        """systemd hears of readiness, of life, of a reload and of the end; the socket is its own, and stays open."""
        _, server_port = self.start_server()
        with socket.create_server(("127.0.0.1", 0)) as listening:
            port = listening.getsockname()[1]
            repeater = self.activated(listening, server_port, "--listen", "systemd:domain=INET:name=edge")
            self.assertEqual(self.notice("READY=1"), ["READY=1", "STATUS=repeater runs"])
            ann = self.start_client(port, "ann")
            self.check_still_talks(ann)
            self.notice("WATCHDOG=1")
            repeater.send_signal(signal.SIGHUP)
            _, moment, status = self.notice("RELOADING=1")
            self.assertEqual(status, "STATUS=reloading")
            reloaded = int(moment.removeprefix("MONOTONIC_USEC=")) / 1e6
            self.assertTrue(0 <= time.monotonic() - reloaded < LONGEST)
            self.notice("READY=1")
            repeater.send_signal(signal.SIGTERM)
            _, status, extend = self.notice("STOPPING=1")
            self.assertEqual(status, "STATUS=draining")
            self.assertTrue(re.fullmatch(r"EXTEND_TIMEOUT_USEC=\d{7,9}", extend), extend)
            self.assertEqual(repeater.end()[0], -signal.SIGTERM)
            with socket.create_connection(("127.0.0.1", port), LONGEST):  # it waits for the next process
                listening.settimeout(LONGEST)
                listening.accept()[0].close()
