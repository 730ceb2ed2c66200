"""The options of ``twistd repeater``, and the service that comes of them."""

from __future__ import annotations

import contextlib
import io
import os
import re
import socket
import sys
from typing import Any

from twisted.application.service import IService
from twisted.internet import reactor as installed_reactor
from twisted.internet.defer import Deferred
from twisted.python.usage import UsageError
from twisted.scripts._twistd_unix import ServerOptions
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from twisted_repeater import Limits, OnFilterError, SameName, dialects
from twisted_repeater.faults import Drop
from twisted_repeater.service.demo import DemoService
from twisted_repeater.service.parent_process import CHANNEL
from twisted_repeater.service.processes import ProcessesService
from twisted_repeater.service.service import CannotStart, RepeaterService
from twisted_repeater.service.tap import Options, makeService

from ..modules import ModuleCase
from ..paths import DOCS
from ..peers import PeerCase, Server, World, hello

reactor: Any = installed_reactor

NEEDED = ("--listen", "tcp:0:interface=127.0.0.1", "--server", "tcp:127.0.0.1:1", "--server-name", "quotes")


def parsed(*options: str) -> Options:
    """Read options, and those of ``NEEDED`` that are not among them."""
    read = Options()
    names = {option.partition("=")[0] for option in options}
    needed = [word for at in (0, 2, 4) if NEEDED[at] not in names for word in NEEDED[at : at + 2]]
    read.parseOptions([*needed, *options])
    return read


def values(*options: str) -> dict[str, Any]:
    """Return the values of the process and of the one repeater."""
    settings = parsed(*options).settings
    assert settings is not None
    (repeater,) = settings.repeaters.values()
    return {**settings.values, **repeater.values, "name": repeater.name}


class OptionsCase(ModuleCase):
    """A test case with options."""

    def setUp(self) -> None:
        """Go to the directory of the modules."""
        super().setUp()
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.directory)

    def assert_wrong(self, text: str, *options: str, needed: tuple[str, ...] = NEEDED) -> None:
        """These options are refused with this text."""
        error = self.assertRaises(UsageError, Options().parseOptions, [*needed, *options])
        self.assertTrue(str(error).startswith(text), error)

    def assert_cannot_start(self, text: str, *options: str) -> None:
        """These options can be parsed, but no service can be made: the process would end with this line."""
        error = self.assertRaises(CannotStart, makeService, parsed(*options))
        self.assertTrue(str(error.code).startswith(f"twistd repeater: {text}"), error.code)

    def made(self, *options: str) -> Any:
        """Make the service."""
        return makeService(parsed(*options))


class OptionsTests(OptionsCase):
    """Parsed options."""

    def test_faults(self) -> None:
        """Faults are read with the other options; two of one kind have two names."""
        faults = values("--fault=drop:every=2", "--fault=drop")["fault"]
        self.assertEqual([(each.name, each.fault) for each in faults], [("drop", Drop(every=2)), ("drop-2", Drop())])

    def test_defaults(self) -> None:
        """Options that are not given have the library's defaults."""
        given = values()
        self.assertEqual(given["limits"], Limits())
        self.assertIs(given["on-filter-error"], OnFilterError.STOP)
        self.assertEqual(given["dialect"], "int32")
        self.assertEqual(self.made().modules.filters, {})
        self.assertEqual(given["name"], "repeater")
        self.assertIs(given["admin"], None)

    def test_every_limit(self) -> None:
        """Each limit has an option."""
        options = values("--max-frame=1KiB", "--max-clients=7", "--linger=0.5", "--stall-timeout=none")
        expected = Limits(max_frame=1024, max_clients=7, linger=0.5, stall_timeout=None)
        self.assertEqual(options["limits"], expected)
        options = values("--frame-timeout=none", "--max-unfinished-frames=1GiB", "--max-unfinished-hellos=7")
        expected = Limits(frame_timeout=None, max_unfinished_frames=1 << 30, max_unfinished_hellos=7)
        self.assertEqual(options["limits"], expected)

    def test_help_of_options(self) -> None:
        """The docstring of an option's method has one line: twistd would show the indentation of a second one."""
        for name, method in vars(Options).items():
            if name.startswith("opt_"):
                self.assertNotIn("\n", method.__doc__)

    def test_nothing_is_imported(self) -> None:
        """To parse the options imports no code that they name."""
        self.write("rules.py", "def decide(message, link): ...\n")
        parsed("--to-server-filter=rules:decide", "--dialect=rules:decide", "--reload")
        self.assertNotIn("rules", sys.modules)

    def test_under_twistd(self) -> None:
        """Under twistd, which would print all its own options, a wrong option ends the process with one line."""
        options = Options()
        parent: Any = {}
        options.parent = parent
        error = self.assertRaises(SystemExit, options.parseOptions, ["--no-such-option"])
        self.assertEqual(error.code, "twistd repeater: --no-such-option: there is no such option")

    def test_options_of_twistd(self) -> None:
        """An option of twistd that stands in the wrong place is told to be one."""
        given: Any = ServerOptions()
        error = self.assertRaises(SystemExit, given.parseOptions, ["repeater", "-n"])
        self.assertEqual(error.code, "twistd repeater: -n is an option of twistd: write it before the word repeater")

    def test_admin_hosts(self) -> None:
        """The administration may have names of its own, and addresses."""
        names = ["edge.example.org", "edge_1", "192.0.2.7", "[2001:db8::1]", "2001:db8::1"]
        options = [f"--admin-host={name}" for name in names]
        self.assertEqual(values("--admin=tcp:0:interface=127.0.0.1", *options)["admin-host"], names)
        self.assertEqual(values()["admin-host"], [])

    def test_missing(self) -> None:
        """What must be given and isn't is named."""
        self.assert_wrong("--listen and --server are missing, or --config; see twistd repeater --help", needed=())
        self.assert_wrong("--server is missing: where the server is, such as tcp:127.0.0.1:9001", needed=NEEDED[:2])

    def test_unknown(self) -> None:
        """What could not be parsed is told, and what could be meant."""
        for options, text in [
            (["--listn", "x"], "--listn: there is no such option; did you mean --listen?"),
            (["-x"], "-x: there is no such option"),
            (["--max"], "--max must be written in full: --max-frame or --max-hello or "),
            (["--reload=yes"], "--reload takes no value"),
            (["--linger"], "--linger needs a value, such as --linger=30"),
            (["--linger", "--reload"], "--linger needs a value, such as --linger=30"),
            (["--linger=1", "--linger=2"], "--linger is given twice"),
            (["--allow-client", "desk-1", "desk-2"], "'desk-2' belongs to no option; write a pattern in quotes"),
            (["--repeater-name="], "--repeater-name must be a name of letters, "),
        ]:
            self.assert_wrong(text, *options)
        values("--linger=1", "--linger=1", "--reload", "--reload", "--filter=log")

    def test_config(self) -> None:
        """A file takes the place of all options but those of the process; twistd prints each of its errors."""
        self.write(
            "edge.toml", "[repeater.a]\nlisten = 'tcp:1'\nserver = 'tcp:h:1'\ndialect = 'lines'\nfilter = ['log']\n"
        )
        options = Options()
        options.parseOptions(["--config=edge.toml", "--reload"])
        assert options.settings is not None
        self.assertEqual((options.settings.values["reload"], list(options.settings.repeaters)), (True, ["a"]))
        self.assert_wrong(
            "--linger cannot be given with --config: write it in e.toml", "--linger=1", "--config=e.toml", needed=()
        )
        self.assert_wrong("--config must not be empty", "--config=", needed=())
        self.write("edge.toml", "linger = 1\n[repeater.a]\n")
        options = Options()
        parent: Any = {}
        options.parent = parent
        error = self.assertRaises(SystemExit, options.parseOptions, ["--config=edge.toml"])
        lines = str(error.code).splitlines()
        self.assertEqual([line.partition(" ")[0] for line in lines], ["twistd"] * 3)
        self.assertTrue(lines[2].startswith("twistd repeater: edge.toml: repeater.a.server is missing"), lines)

    def test_check(self) -> None:
        """A check loads what is named, binds nothing, and tells all errors, or a line for each repeater."""
        table = "[repeater.{}]\nlisten = 'tcp:{}'\nserver = 'tcp:h:1'\ndialect = 'lines'\n"
        self.write("edge.toml", table.format("a", 1) + table.format("b", 2) + "to-server-filter = 'rules:up'\n")
        output = io.StringIO()
        self.write("rules.py", "up = 3\n")
        self.assert_wrong(
            "edge.toml: repeater.b.to-server-filter: rules:up: a filter must be",
            "--config=edge.toml",
            "--check",
            needed=(),
        )
        self.write("rules.py", "def up(message, link): ...\n")
        del sys.modules["rules"]
        with contextlib.redirect_stdout(output):
            error = self.assertRaises(SystemExit, Options().parseOptions, ["--check", "--config=edge.toml"])
        self.assertEqual(error.code, 0)
        self.assertEqual(output.getvalue(), "a is fine: tcp:1 to tcp:h:1\nb is fine: tcp:2 to tcp:h:1\n")
        self.assertIn("rules", sys.modules)

    def test_server_name(self) -> None:
        """A server has to be named if it says its name itself, and only then."""
        for dialect in ("int32", "async_extra"):
            options = Options()
            options.parseOptions([*NEEDED[:4], "--dialect", dialect])
            error = self.assertRaises(CannotStart, makeService, options)
            reason = f"the dialect {dialect} has hellos, in which the server says it"
            self.assertEqual(error.code, f"twistd repeater: --server-name is missing: {reason}")
        options = Options()
        options.parseOptions([*NEEDED[:4], "--dialect", "lines"])
        makeService(options)

    def test_allow_client_and_a_filter(self) -> None:
        """Clients that have only an address may be chosen by name if there is a filter that could find their names."""
        self.write("rules.py", "up = lambda message, link: None\n")
        self.made("--dialect=lines", "--allow-client=desk-*", "--to-server-filter=rules:up")

    def test_allow_client_without_names(self) -> None:
        """Otherwise they may not, since everybody would be let in. The ready filters find no names."""
        for dialect in ("lines", "hl7", "modbus", "redis:names=no"):
            needs = f"--allow-client needs names, which clients of the dialect {dialect.partition(':')[0]} have only if"
            self.assert_cannot_start(needs, f"--dialect={dialect}", "--allow-client=desk-*")
            self.assert_cannot_start(needs, f"--dialect={dialect}", "--allow-client=desk-*", "--filter=log")

    def test_allow_client_and_a_dialect_that_learns_names(self) -> None:
        """The clients of a dialect that finds their names itself may be chosen."""
        for dialect in ("redis", "fix", "hl7:name=application", "mqtt", "postgres"):
            self.made(f"--dialect={dialect}", "--allow-client=desk-*")

    def test_filters(self) -> None:
        """Filters, and dialects, are found in the current directory."""
        sys.path.remove(str(self.directory))
        self.write("rules.py", "up = down = lambda message, link: None\n")
        self.write("wire.py", "from twisted_repeater.dialects import async_extra as mine\n")
        service = self.made(
            "--to-server-filter=rules:up", "--to-client-filter=rules:down", "--dialect=wire:mine", "--reload"
        )
        rules = sys.modules["rules"]
        filters = {"repeater/to-server-filter": rules.up, "repeater/to-client-filter": rules.down}
        self.assertEqual(service.modules.filters, filters)
        self.assertIn("wire", sys.modules)

    def test_pairs(self) -> None:
        """Pairs of filters form a chain in the order in which they are given, and can be reloaded."""
        self.write("rules.py", "pair = type('Pair', (), {'for_link': lambda self, link: (None, None)})()\n")
        service = self.made("--filter=log:sample=0.5", "--filter", "rules:pair", "--reload")
        first, second = service.modules.filters["repeater/filter"].members
        self.assertEqual((first.to_server.sample, second), (0.5, sys.modules["rules"].pair))

    def test_reload_beside_the_dialect(self) -> None:
        """A filter in the module of the dialect cannot be reloaded, which is told before anything starts."""
        self.write("both.py", "from twisted_repeater.dialects import int32\nup = lambda message, link: None\n")
        options = ["--dialect=both:int32", "--to-server-filter=both:up"]
        self.made(*options)
        del sys.modules["both"]
        self.assert_cannot_start(
            "--reload: both has the dialect or the application, which cannot be reloaded", *options, "--reload"
        )

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
            self.assertEqual(error.code, f"twistd repeater: --demo must be the only option, without {options[0]}")

    def test_in_the_foreground(self) -> None:
        """As a daemon it would show nothing."""
        error = self.assertRaises(SystemExit, self.demo, nodaemon=0)
        self.assertEqual(error.code, "twistd repeater: --demo needs a terminal: twistd -n repeater --demo")

    def test_other_runner(self) -> None:
        """Under ``twist``, which has no daemons, it just runs."""
        read = Options()
        read.parseOptions(["--demo"])
        self.assertIsNone(read.settings)


class ServiceTests(PeerCase, ModuleCase):
    """The service that options describe."""

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
        world.repeater = service.hosted["edge-1"].repeater
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
        """Filters are asked; if one fails, the chosen policy applies."""
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

    async def test_pairs(self) -> None:
        """Pairs of filters are asked for each link, the first one first."""
        self.write(
            "rules.py",
            "from twisted_repeater import Send\n"
            "class Pair:\n"
            "    def __init__(self, mark: str):\n"
            "        self.mark = mark.encode()\n"
            "    def for_link(self, link):\n"
            "        def mark(message, link):\n"
            "            return Send(message + self.mark)\n"
            "        return mark, mark\n",
        )
        world = self.start("--filter=rules:Pair:mark=1", "--filter=log:sample=0.001", "--filter", "rules:Pair:mark=2")
        client, peer = await world.linked("ann")
        client.send(b"up")
        await peer.seen.reach(2)
        peer.send(b"down")
        await client.seen.reach(2)
        self.assertEqual((peer.seen[1], client.seen[1]), (b"up12", b"down12"))

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

    async def test_observers(self) -> None:
        """It logs, and counts if there is an administration to ask for the numbers."""
        world = self.start()
        self.assertEqual([type(each).__name__ for each in world.repeater._factory.settings.observers], ["LogObserver"])
        world = self.start("--admin", "tcp:0:interface=127.0.0.1")
        names = [type(each).__name__ for each in world.repeater._factory.settings.observers]
        self.assertEqual(names, ["LogObserver", "MetricsObserver", "RecentErrors"])

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
        error = self.assertRaises(CannotStart, self.start, "--dialect=wire:both")
        self.assertTrue(
            str(error.code).startswith("twistd repeater: --dialect: the messages to the server have versions")
        )
        world = self.start("--dialect=wire:both", "--convert-versions")
        client = await world.connect(hello("ann"))
        await client.seen.reach(1)
        self.assertEqual(client.seen[0]["recv_version"], 2)

    async def test_other_dialect(self) -> None:
        """The dialect is the one that is named."""
        self.assertEqual(self.start("--dialect=async_extra").repeater._factory.settings.dialect.name, "async_extra")
        self.assertEqual(self.start().repeater._factory.settings.dialect.name, dialects.int32().name)

    async def test_max_frame(self) -> None:
        """The longest payload is what the option says, or else the dialect, or else that of `Limits`."""
        for options, longest in [
            ((), 16 << 20),
            (("--dialect=lines:max-frame=1KiB",), 1024),
            (("--dialect=lines:max-frame=1KiB", "--max-frame=16MiB"), 16 << 20),
        ]:
            self.assertEqual(self.start(*options).repeater.limits.max_frame, longest)

    async def test_same_name(self) -> None:
        """What becomes of a newcomer whose name is taken is what the dialect says, unless the option says otherwise."""
        for options, same_name in [
            ((), SameName.REFUSE),
            (("--dialect=lines",), SameName.SHARE),
            (("--same-name=replace",), SameName.REPLACE),
            (("--dialect=lines", "--same-name=refuse"), SameName.REFUSE),
        ]:
            self.assertIs(self.start(*options).repeater._factory.settings.dialect.same_name, same_name)


class ProcessesTests(OptionsCase):
    """Several processes."""

    def setUp(self) -> None:
        """Find a port."""
        super().setUp()
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.listen = ("--listen", f"tcp:{free.getsockname()[1]}:interface=127.0.0.1")

    def test_parent(self) -> None:
        """They have a parent, which has loaded all that they load; a process that it has started is a repeater."""
        options = (*self.listen, "--processes=2", "--dialect=lines")
        self.assertIsInstance(self.made(*options), ProcessesService)
        self.assert_cannot_start("--to-server-filter: cannot import no_such", *options, "--to-server-filter=no_such:f")
        self.patch(os, "environ", {**os.environ, CHANNEL: "", "TWISTED_REPEATER_PROCESS": "2"})
        self.assertIsInstance(self.made(*options), RepeaterService)

    def test_each(self) -> None:
        """The options of each process are checked."""
        self.assert_wrong(
            "--admin must be an endpoint such as tcp:8090:interface=127.0.0.1, not 'tcp:65536:interface=127.0.0.1'",
            *("--processes=7", "--admin=tcp:6553{process}:interface=127.0.0.1", "--dialect=lines"),
            needed=(*self.listen, *NEEDED[2:]),
        )


class PageTests(SynchronousTestCase):
    """The pages that tell how to run it."""

    def test_options(self) -> None:
        """Every option that the page on running speaks of is there."""
        text = (DOCS / "running.md").read_text()
        named = set(re.findall(r"(?<![\w-])--([a-z][\w-]*)", text))
        others = {"pidfile", "logfile", "uid", "gid", "unix-socket"}
        self.assertLessEqual(named - others, {name.rstrip("=") for name in Options().longOpt})
