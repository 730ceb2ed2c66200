"""The options of ``twistd repeater``, and the service that comes of them."""

from __future__ import annotations

import contextlib
import io
import os
import stat
import sys
from dataclasses import fields
from typing import Any

from twisted.application.service import IService
from twisted.internet import reactor as installed_reactor
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.endpoints import TCP6ServerEndpoint, UNIXServerEndpoint
from twisted.internet.protocol import Factory
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from twisted_repeater import Limits, OnFilterError, dialects
from twisted_repeater._sockets.endpoints import longest_listen_queue
from twisted_repeater.service.demo import DemoService
from twisted_repeater.service.tap import (
    LIMITS,
    Options,
    ip_filter,
    makeService,
    name_filter,
    network,
    number,
    seconds,
    seconds_or_none,
    shown,
    size,
)

from ..modules import ModuleCase, missing
from ..paths import DOCS
from ..peers import PeerCase, Server, World, hello

reactor: Any = installed_reactor

NEEDED = ("--listen", "tcp:0:interface=127.0.0.1", "--server", "tcp:127.0.0.1:1", "--server-name", "quotes")


def parsed(*options: str) -> Options:
    """Read options."""
    read = Options()
    read.parseOptions([*NEEDED, *options])
    return read


class ValueTests(SynchronousTestCase):
    """How values are written."""

    def assert_wrong(self, read: Any, *texts: str) -> None:
        """These are refused, with what was given in the message."""
        for text in texts:
            self.assertIn(repr(text), str(self.assertRaises(ValueError, read, text)))

    def test_sizes(self) -> None:
        """Sizes have binary units, in any case, or none."""
        for text, value in [
            ("16MiB", 16 << 20),
            ("64kib", 64 << 10),
            ("1 GiB", 1 << 30),
            ("1000", 1000),
            ("7B", 7),
        ]:
            self.assertEqual(size(text), value)
        self.assert_wrong(size, "", "MiB", "16MB", "1.5MiB", "-1", "1e6", "\u0661")

    def test_numbers(self) -> None:
        """Numbers are whole."""
        self.assertEqual(number("500"), 500)
        self.assert_wrong(number, "", "-1", "1.5", "many", "\u0661")

    def test_seconds(self) -> None:
        """Times are seconds, with a fraction if need be, and finite; none is ``none`` where that is allowed."""
        self.assertEqual(seconds("2.5"), 2.5)
        self.assert_wrong(seconds, "", "soon", "nan", "inf", "none")
        self.assertIs(seconds_or_none("none"), None)
        self.assertEqual(seconds_or_none("7"), 7)
        self.assert_wrong(seconds_or_none, "None", "soon")

    def test_shown(self) -> None:
        """Defaults are shown as they are written."""
        for value, read, text in [
            (16 << 20, size, "16MiB"),
            (1 << 30, size, "1GiB"),
            (1000, size, "1000"),
            (500, number, "500"),
            (0.5, seconds, "0.5"),
            (None, seconds_or_none, "none"),
        ]:
            self.assertEqual(shown(value, read), text)


class NameTests(SynchronousTestCase):
    """Patterns of names."""

    def test_all(self) -> None:
        """Without a pattern every name is allowed."""
        self.assertTrue(name_filter([])("anybody"))

    def test_patterns(self) -> None:
        """A name has to match one pattern, wholly, with its case, and also where it has lines."""
        allowed = name_filter(["desk-*", "ann", "[xy]?"])
        for name in ("desk-", "desk-7\n8", "ann", "x1"):
            self.assertTrue(allowed(name), name)
        for name in ("", "Desk-7", "anne", "my ann", "ann\n", "z1", "x12"):
            self.assertFalse(allowed(name), name)


class AddressTests(SynchronousTestCase):
    """Networks."""

    def test_networks(self) -> None:
        """An address has to be in one of the networks."""
        allowed = ip_filter([network("10.1.0.0/16"), network("192.0.2.7"), network("2001:db8::/32")])
        for ip in ("10.1.255.255", "192.0.2.7", "2001:db8::1"):
            self.assertTrue(allowed(ip), ip)
        for ip in ("10.2.0.0", "192.0.2.8", "2001:db9::1", "::1", "fe80::1%lo"):
            self.assertFalse(allowed(ip), ip)

    def test_mapped(self) -> None:
        """IPv4 written as IPv6 is IPv4, in an address and in a network."""
        self.assertTrue(ip_filter([network("10.1.0.0/16")])("::ffff:10.1.2.3"))
        self.assertFalse(ip_filter([network("10.1.0.0/16")])("::ffff:10.2.2.3"))
        self.assertTrue(ip_filter([network("::ffff:10.1.0.0/112")])("10.1.2.3"))
        self.assertEqual(str(network("::ffff:0:0/96")), "0.0.0.0/0")
        self.assertEqual(str(network("::/0")), "::/0")

    def test_no_address(self) -> None:
        """A client without an address, on a Unix socket, is in no network."""
        self.assertFalse(ip_filter([network("0.0.0.0/0"), network("::/0")])(""))


class OptionsTests(ModuleCase):
    """What is read."""

    def setUp(self) -> None:
        """Go to the directory of the modules."""
        super().setUp()
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.directory)

    def assert_wrong(self, text: str, *options: str, needed: tuple[str, ...] = NEEDED) -> None:
        """The process would end, with this line."""
        error = self.assertRaises(SystemExit, Options().parseOptions, [*needed, *options])
        self.assertTrue(str(error.code).startswith(f"twistd repeater: {text}"), error.code)

    def test_defaults(self) -> None:
        """What is not given is as in the library."""
        options = parsed()
        self.assertEqual(options["limits"], Limits())
        self.assertIs(options["on-filter-error"], OnFilterError.STOP)
        self.assertEqual(options["dialect"].name, "int32")
        self.assertEqual(options["modules"].filters, {})
        self.assertEqual(options["repeater-name"], "repeater")
        self.assertIs(options["admin"], None)

    def test_every_limit(self) -> None:
        """Each limit has an option."""
        self.assertEqual({name.replace("-", "_") for name in LIMITS}, {field.name for field in fields(Limits)})
        options = parsed("--max-frame=1KiB", "--max-clients=7", "--linger=0.5", "--stall-timeout=none")
        expected = Limits(max_frame=1024, max_clients=7, linger=0.5, stall_timeout=None)
        self.assertEqual(options["limits"], expected)
        options = parsed("--frame-timeout=none", "--max-unfinished-frames=1GiB", "--max-unfinished-hellos=7")
        expected = Limits(frame_timeout=None, max_unfinished_frames=1 << 30, max_unfinished_hellos=7)
        self.assertEqual(options["limits"], expected)

    def test_defaults_are_told(self) -> None:
        """The help tells the default of each limit, also of those that depend on others."""
        text = " ".join(Options().getUsage().split())
        for told in (
            "no progress, or none. [default: 60]",
            "[default: 256MiB, or 4 times --max-frame]",
            "newcomers wait. [default: 500, or fewer to fit the file descriptors]",
        ):
            self.assertIn(told, text)

    def test_help_of_options(self) -> None:
        """What an option's method says is one line: twistd would show the indentation of a second one."""
        for name, method in vars(Options).items():
            if name.startswith("opt_"):
                self.assertNotIn("\n", method.__doc__)

    def test_endpoints(self) -> None:
        """Endpoints of every kind are understood."""
        options = parsed("--listen", "unix:/run/x", "--server", "tls:localhost:1", "--admin", r"tcp6:0:interface=\:\:1")
        self.assertIsInstance(options["listen"], UNIXServerEndpoint)
        self.assertIsInstance(options["admin"], TCP6ServerEndpoint)
        self.assertIsInstance(parsed("--admin", "unix:/run/x")["admin"], UNIXServerEndpoint)

    def test_admin_by_systemd(self) -> None:
        """The administration may be given its socket by systemd, whose unit says where it listens."""
        self.assert_wrong(
            "--admin: 'systemd:domain=UNIX:index=0' is no endpoint: ", "--admin=systemd:domain=UNIX:index=0"
        )

    def test_admin_hosts(self) -> None:
        """The administration may have names of its own, and addresses."""
        names = ["edge.example.org", "edge_1", "192.0.2.7", "[2001:db8::1]", "2001:db8::1"]
        options = [f"--admin-host={name}" for name in names]
        self.assertEqual(parsed("--admin=tcp:0:interface=127.0.0.1", *options)["admin-host"], names)
        self.assertEqual(parsed()["admin-host"], [])

    def test_listen_queue(self) -> None:
        """As many clients may wait to be accepted as the system allows, or as many as ``--listen`` says."""
        for backlog, told in (("", longest_listen_queue()), (":backlog=7", 7)):
            listen = parsed("--listen", f"tcp:0:interface=127.0.0.1{backlog}")["listen"]
            port = self.successResultOf(listen.listen(Factory()))
            self.addCleanup(port.stopListening)
            self.assertEqual(port.backlog, told)

    def test_no_tls(self) -> None:
        """Where TLS cannot be had it is said what it needs."""
        missing(self, "OpenSSL")
        needs = "needs pyOpenSSL: pip install 'twisted_repeater[tls]'"
        self.assert_wrong(f"--server: 'tls:localhost:1' {needs}", "--server", "tls:localhost:1")
        self.assert_wrong(f"--listen: 'ssl:443' {needs}", "--listen", "ssl:443")

    def test_missing(self) -> None:
        """What must be given and isn't is named."""
        self.assert_wrong("--listen is missing; see twistd repeater --help", needed=())
        self.assert_wrong("--server is missing", needed=NEEDED[:2])
        self.assert_wrong("--server-name is missing", needed=NEEDED[:4])

    def test_wrong(self) -> None:
        """A wrong value is told with its option."""
        for options, text in [
            (["--max-frame", "16MB"], "--max-frame must be a size such as 16MiB, 64KiB or 1000, not '16MB'"),
            (["--max-clients", "1e3"], "--max-clients must be a whole number, not '1e3'"),
            (["--max-clients", "0"], "--max-clients must be above 0, not 0"),
            (["--max-unfinished-frames", "1KiB"], "--max-unfinished-frames must be at least max-frame, 16777216"),
            (["--hello-timeout", "none"], "--hello-timeout must be a number of seconds, not 'none'"),
            (["--allow-ip", "10.1.0.0/33"], "--allow-ip must be an address or a network, not '10.1.0.0/33'"),
            (
                ["--allow-ip", "10.1.0.7/16"],
                "--allow-ip must be an address or a network, not '10.1.0.7/16': 10.1.0.7/16 has host bits set",
            ),
            (["--dialect", "int33"], "--dialect: there is no dialect 'int33'"),
            (["--on-filter-error", "cry"], "--on-filter-error must be one of stop, pass-on, drop, close, not 'cry'"),
            (["--listen", "pigeon:1"], "--listen: 'pigeon:1' is no endpoint: ValueError: Unknown endpoint type"),
            (["--server", "tcp:"], "--server: 'tcp:' cannot be used: the server's host must be"),
            (["--server", "tcp:h"], "--server: 'tcp:h' is no endpoint: TypeError"),
            (["--server", "tcp:h:http"], "--server: 'tcp:h:http' is no endpoint: ValueError"),
            (["--server", "tcp:[::1]:1"], "--server: 'tcp:[::1]:1' cannot be used: the server's host must be an addr"),
            (["--server", "tcp:127.0.0.1:0"], "--server: 'tcp:127.0.0.1:0' cannot be used: the server's port must be"),
            (["--server", "tcp::9001"], "--server: 'tcp::9001' cannot be used: the server's host must be"),
            (["--server", "ssl:h:9001"], "--server: 'ssl:h:9001' cannot be used: ssl: does not check"),
            (["--server", "tcp:localhost:99999"], "--server: 'tcp:localhost:99999' cannot be used: the serv"),
            (
                ["--server", "tls:x:port=70000"],
                "--server: 'tls:x:port=70000' cannot be used: the server's port must be 1 to 65535, not 70000",
            ),
            (["--listen", "tcp:65536"], "--listen: 'tcp:65536' is no endpoint: port 65536 is above 65535"),
            (["--admin", "tcp:8090"], "--admin: say interface=127.0.0.1"),
            (["--admin", "ssl:8090"], "--admin: say interface=127.0.0.1"),
            (["--admin", "tls:/keys:443"], "--admin: say interface=127.0.0.1"),
            (["--admin", "tcp6:8090"], "--admin: say interface=127.0.0.1"),
            (["--admin", "tcp:8090:interface="], "--admin: say interface=127.0.0.1"),
            (["--admin", "tcp:8090:interface=127.0.0.1:interface="], "--admin: say interface=127.0.0.1"),
            (["--admin", r"tcp:8090:interface=127.0.0.1:interf\ace="], "--admin: say interface=127.0.0.1"),
            (["--admin", r"tcp:8090:backlog=1\:interface=127.0.0.1"], "--admin: say interface=127.0.0.1"),
            (["--admin", "haproxy:tcp:8090:interface=127.0.0.1"], "--admin must be an endpoint of the kind tcp, "),
            (["--admin", "stdio:"], "--admin must be an endpoint of the kind tcp, "),
            (["--admin", "unix:"], "--admin: 'unix:' must have the path of the socket"),
            (["--admin", "unix:address="], "--admin: 'unix:address=' must have the path of the socket"),
            (["--admin-host", "edge"], "--admin-host: there is no administration"),
            (
                ["--admin-host", "edge:8090"],
                "--admin-host must be the name of a host without a port, not 'edge:8090'",
            ),
            (["--admin-host", ""], "--admin-host must be the name of a host without a port, not ''"),
            (["--reload"], "--reload: there is no filter to load anew"),
            (["--no-such-option"], "option --no-such-option not recognized"),
            (["--allow-client", "desk-1", "desk-2"], "'desk-2' belongs to no option; write a pattern in quotes"),
        ]:
            self.assert_wrong(text, *options)

    def test_filters(self) -> None:
        """Filters, and dialects, are found in the current directory."""
        sys.path.remove(str(self.directory))
        self.write("rules.py", "up = down = lambda message, link: None\n")
        self.write("wire.py", "from twisted_repeater.dialects import int32 as mine\n")
        options = parsed(
            "--to-server-filter=rules:up", "--to-client-filter=rules:down", "--dialect=wire:mine", "--reload"
        )
        rules = sys.modules["rules"]
        filters = {"to_server_filter": rules.up, "to_client_filter": rules.down}
        self.assertEqual(options["modules"].filters, filters)
        self.assertEqual(options["dialect"].name, "int32")

    def test_wrong_filter(self) -> None:
        """A filter that cannot be loaded is told, and why."""
        self.write("rules.py", "up = 7\n")
        self.assert_wrong("cannot import no_rules: ModuleNotFoundError", "--to-server-filter=no_rules:up")
        self.assert_wrong("rules:up: a filter must be a function", "--to-client-filter=rules:up")

    def test_reload_beside_the_dialect(self) -> None:
        """A filter in the module of the dialect cannot be loaded anew, which is told before anything starts."""
        self.write("both.py", "from twisted_repeater.dialects import int32\nup = lambda message, link: None\n")
        options = ["--dialect=both:int32", "--to-server-filter=both:up"]
        parsed(*options)
        del sys.modules["both"]
        self.assert_wrong("--reload: both has the dialect, which stays as it is", *options, "--reload")

    def test_version(self) -> None:
        """``--version`` tells the version of the repeater."""
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            self.assertRaises(SystemExit, Options().parseOptions, ["--version"])
        self.assertTrue(output.getvalue().startswith("twisted_repeater "))

    def test_help(self) -> None:
        """Every option is explained."""
        self.assertNotRegex(str(Options()), r"(?m)^ +--[\w-]+=? *$(?!\n {30})")


class DemoOptionTests(SynchronousTestCase):
    """``--demo``."""

    def demo(self, *options: str, nodaemon: object = 1) -> Options:
        """Read it as twistd does."""
        read = Options()
        parent: Any = {"nodaemon": nodaemon}
        read.parent = parent
        read.parseOptions(["--demo", *options])
        return read

    def test_demo(self) -> None:
        """It needs nothing else, and makes a service of its own."""
        self.assertIsInstance(makeService(self.demo()), DemoService)

    def test_alone(self) -> None:
        """With other options it is refused: they would mean nothing."""
        for options in (["--listen", "tcp:0"], ["--allow-client", "x"], ["--linger", "1"], ["--reload"]):
            error = self.assertRaises(SystemExit, self.demo, *options)
            self.assertEqual(error.code, f"twistd repeater: --demo goes alone, without {options[0]}")

    def test_in_the_foreground(self) -> None:
        """As a daemon it would show nothing."""
        error = self.assertRaises(SystemExit, self.demo, nodaemon=0)
        self.assertEqual(
            error.code, "twistd repeater: the demo shows itself on the terminal: twistd -n repeater --demo"
        )

    def test_other_runner(self) -> None:
        """Under ``twist``, which has no daemons, it just runs."""
        read = Options()
        read.parseOptions(["--demo"])
        self.assertTrue(read["demo"])


class ServiceTests(PeerCase, ModuleCase):
    """What the service does with the options."""

    def setUp(self) -> None:
        """Make the directory of the modules."""
        ModuleCase.setUp(self)

    def start(self, *options: str, server: Server | None = None) -> World:
        """Start a service before a server, and give a world whose repeater is the service's."""
        world = World(self, server or Server(), self.sockets)
        self.addCleanup(lambda: Deferred.fromCoroutine(world.tear_down()))
        port = world.server_port.getHost().port
        service: Any = makeService(parsed("--repeater-name", "edge-1", "--server", f"tcp:127.0.0.1:{port}", *options))
        verifyObject(IService, service)
        self.addCleanup(service.stopService)
        service.privilegedStartService()
        service.startService()
        world.repeater = service.repeater
        self.started: Any = service
        return world

    async def test_relays(self) -> None:
        """It relays."""
        world = self.start()
        await world.still_relays(*await world.linked("ann"))

    async def test_names(self) -> None:
        """Only clients whose names match are linked."""
        world = self.start("--allow-client", "desk-*", "--allow-client", "ann")
        await world.linked("desk-1")
        await world.linked("ann")
        eve = await world.connect(hello("eve"))
        await eve.lost()
        self.assertEqual(eve.seen, ["lost"])

    async def test_addresses(self) -> None:
        """Only clients from these networks are linked."""
        world = self.start("--allow-ip", "10.0.0.0/8", "--allow-ip", "127.0.0.0/8")
        await world.linked("ann")
        world = self.start("--allow-ip", "10.0.0.0/8")
        eve = await world.connect(hello("eve"))
        await eve.lost()

    async def test_limits(self) -> None:
        """Limits hold."""
        world = self.start("--max-frame", "10B")
        client, _ = await world.linked("ann")
        client.send(bytes(11))
        await client.lost()

    async def test_filters(self) -> None:
        """Filters are asked; what is done when one fails is as chosen."""
        self.write(
            "rules.py",
            "from twisted_repeater import PASS_ON, Send\n"
            "def up(message, link):\n    assert message != b'bad'\n    return PASS_ON\n"
            "def down(message, link):\n    return Send(message.upper())\n",
        )
        world = self.start("--to-server-filter=rules:up", "--to-client-filter=rules:down", "--on-filter-error=drop")
        client, peer = await world.linked("ann")
        client.send(b"bad", b"good")
        await peer.seen.reach(2)
        peer.send(b"fine")
        await client.seen.reach(2)
        self.assertEqual((peer.seen[1:], client.seen[1:]), ([b"good"], [b"FINE"]))
        self.assertEqual(len(self.flushLoggedErrors(AssertionError)), 1)

    async def test_ends(self) -> None:
        """A link ends with its client, without losing a reply."""
        world = self.start(server=Server(answer=lambda peer, message: peer.send(message), half_close=True))
        client, peer = await world.linked("ann", half_close=True)
        client.send(*[b"x"] * 100)
        client.end_stream()
        await peer.seen.holds("end of stream")
        peer.close()
        await client.seen.holds("end of stream")
        self.assertEqual(client.seen.count(b"x"), 100)

    async def test_admin_socket(self) -> None:
        """A Unix socket of the administration is its owner's alone, unless a mode is said."""
        modes = [("", 0o600), (":lockfile=0", 0o600), (":backlog=5", 0o600), (":mode=660", 0o660), (":640", 0o640)]
        for rest, mode in modes:
            path = self.directory / f"admin-{mode}"
            port = await parsed("--admin", f"unix:{path}{rest}")["admin"].listen(Factory())
            self.assertEqual(stat.S_IMODE(path.stat().st_mode), mode, rest)
            await maybeDeferred(port.stopListening)

    async def test_observers(self) -> None:
        """It logs, and counts if there is an administration to ask for the numbers."""
        world = self.start()
        self.assertEqual([type(each).__name__ for each in world.repeater._factory.observers], ["LogObserver"])
        world = self.start("--admin", "tcp:0:interface=127.0.0.1")
        names = [type(each).__name__ for each in world.repeater._factory.observers]
        self.assertEqual(names, ["LogObserver", "MetricsObserver"])
        self.assertIsNot(self.started._admin_port, None)

    async def test_conversion(self) -> None:
        """A dialect of several versions is refused, unless conversion is asked for."""
        self.write(
            "wire.py",
            "from twisted_repeater import dialects\n"
            "from twisted_repeater.codecs import RawCodec\n"
            "from twisted_repeater.dialects import Conversion, MessageType\n"
            "same = lambda message: message\n"
            "steps = {2: Conversion(up=same, down=same)}\n"
            "orders = MessageType({1: RawCodec(), 2: RawCodec()}, prod=2, test=2, conversions=steps)\n"
            "both = dialects.int32(to_server=orders)\n",
        )
        error = self.assertRaises(SystemExit, self.start, "--dialect=wire:both")
        self.assertTrue(
            str(error.code).startswith("twistd repeater: --dialect: the messages to the server have versions")
        )
        world = self.start("--dialect=wire:both", "--convert-versions")
        client = await world.connect(hello("ann"))
        await client.seen.reach(1)
        self.assertEqual(client.seen[0]["recv_version"], 2)

    async def test_other_dialect(self) -> None:
        """The dialect is the one that is named."""
        self.assertEqual(self.start("--dialect=async_extra").repeater._factory.dialect.name, "async_extra")
        self.assertEqual(self.start().repeater._factory.dialect.name, dialects.int32().name)


class PageTests(SynchronousTestCase):
    """The page that tells how to run it."""

    def test_options(self) -> None:
        """Every option that the page speaks of is there."""
        import re

        text = (DOCS / "running.md").read_text()
        named = set(re.findall(r"(?<![\w-])--([a-z][\w-]*)", text))
        others = {"pidfile", "logfile", "uid", "gid", "unix-socket"}
        self.assertLessEqual(named - others, {name.rstrip("=") for name in Options().longOpt})
