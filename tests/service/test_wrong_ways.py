"""What newcomers do wrong: each of it gets one clear line, whose option or key is named, and no traceback."""

from __future__ import annotations

import contextlib
import io
import os
import socket
from typing import Any

from twisted.scripts._twistd_unix import ServerOptions
from twisted.trial.unittest import TestCase

from twisted_repeater.service.service import CannotStart
from twisted_repeater.service.tap import makeService

from ..modules import ModuleCase

NEEDED = ("--listen=tcp:0:interface=127.0.0.1", "--server=tcp:127.0.0.1:1", "--dialect=lines")

PLACES = "must be an endpoint such as tcp:9000 or unix:/run/quotes"

SERVERS = "must be an endpoint such as tcp:127.0.0.1:9001"

KEYS = '[repeater.edge]\nlisten = "tcp:0:interface=127.0.0.1"\nserver = "tcp:127.0.0.1:1"\ndialect = "lines"\n'

OPTIONS: list[tuple[str, str]] = [
    ("--listn=tcp:9000", "--listn: there is no such option; did you mean --listen?"),
    ("--max_frame=1KiB", "--max_frame: there is no such option; did you mean --max-frame?"),
    ("--xyzzy", "--xyzzy: there is no such option"),
    ("-x", "-x: there is no such option"),
    ("--l=tcp:9000", "--l must be written in full: --listen or --linger or --log-format or --log-level"),
    ("--pidfile=x", "--pidfile is an option of twistd: write it before the word repeater"),
    ("-n", "-n is an option of twistd: write it before the word repeater"),
    ("--listen", "--listen needs a value, such as --listen=tcp:9000"),
    ("--reload=yes", "--reload takes no value"),
    ("--server=tcp:h:1 --server=tcp:h:2", "--server is given twice"),
    ("desk-1", "'desk-1' belongs to no option; write a pattern in quotes"),
    ("--listen=tcp", f"--listen {PLACES}, not 'tcp': it needs a port"),
    ("--listen=9000", f"--listen {PLACES}, not '9000'; did you mean tcp:9000?"),
    ("--listen=tcp:70000", f"--listen {PLACES}, not 'tcp:70000': its port must be 0 to 65535"),
    ("--listen=tcp:http", f"--listen {PLACES}, not 'tcp:http': its port must be a number, not 'http'"),
    ("--listen=unix:/no/where", f"--listen {PLACES}, not 'unix:/no/where': there is no directory '/no'"),
    ("--listen=tcp:1:iface=lo", "--listen must be an endpoint, not 'tcp:1:iface=lo': there is no iface= in it"),
    (
        "--listen=ssl:1:privateKey=no.pem",
        "--listen must be an endpoint, not 'ssl:1:privateKey=no.pem': 'no.pem' cannot be read: No such file or ",
    ),
    ("--server=tcp:127.0.0.1", f"--server {SERVERS}, not 'tcp:127.0.0.1': it needs a port"),
    ("--server=localhost:9000", f"--server {SERVERS}, not 'localhost:9000'; did you mean tcp:localhost:9000?"),
    ("--server=http://h:80", f"--server {SERVERS}, not 'http://h:80'; it is no URL: write tcp:HOST:PORT"),
    ("--server=tcp:h:0", f"--server {SERVERS}, not 'tcp:h:0': its port must be 1 to 65535"),
    ("--server=tcp:h:70000", f"--server {SERVERS}, not 'tcp:h:70000': its port must be 1 to 65535"),
    (
        "--server=tcp::9000",
        f"--server {SERVERS}, not 'tcp::9000': the server's host must be an address or a host name, ",
    ),
    ("--server=ssl:h:1", f"--server {SERVERS}, not 'ssl:h:1': ssl: does not check whose certificate the server has; "),
    ("--dialect=lnes", "--dialect must be one of async_extra, delimited, fix, "),
    (
        "--dialect=lines:ned=crlf",
        "--dialect: lines: there is no option 'ned'; the options are: end, secret, max-frame; ",
    ),
    (
        "--dialect=lines:end=zz",
        "--dialect: lines: end must be hexadecimal such as 1c0d, or cr, lf, crlf, nul, not 'zz'",
    ),
    ("--dialect=", "--dialect must not be empty"),
    ("--dialect=int32", "--server-name is missing: the dialect int32 has hellos, in which the server says it"),
    ("--dialect=no_wire:mine", "--dialect: cannot import no_wire: ModuleNotFoundError: No module named 'no_wire'"),
    ("--filter=lgo", "--filter must be one of fix-orders, "),
    (
        "--filter=log:smaple=1",
        "--filter: log: there is no option 'smaple'; the options are: sample, direction, level; ",
    ),
    ("--filter=rate-limit", "--filter: rate-limit: rate is missing"),
    ("--filter=rate-limit:fast", "--filter: rate-limit: rate must be a number, not 'fast'"),
    ("--filter=redis-commands:refuse=X", "--filter: redis-commands is for the dialect redis, not lines"),
    ("--filter=rules:decide", "--filter: rules:decide is the filter of one direction: use "),
    ("--to-server-filter=rules", "--to-server-filter must be one of "),
    ("--to-server-filter=rules:dcide", "--to-server-filter: module rules has no 'dcide'"),
    ("--to-server-filter=rules:number", "--to-server-filter: rules:number: a filter must be a function or "),
    ("--to-server-filter=no_rules:x", "--to-server-filter: cannot import no_rules: ModuleNotFoundError: "),
    (
        "--to-server-filter=raising:x",
        "--to-server-filter: cannot import raising: RuntimeError: no (raising.py, line 1)",
    ),
    ("--to-client-filter=syntax:x", "--to-client-filter: cannot import syntax: SyntaxError: "),
    ("--to-client-filter=leaving:x", "--to-client-filter: cannot import leaving: SystemExit: 3 "),
    ("--to-server-filter=mqtt-topics", "--to-server-filter: mqtt-topics is a pair of filters: use the option filter"),
    ("--app=app", "--app must be of the form package.module:name, not 'app'"),
    ("--app=rules:nothing", "--app: module rules has no 'nothing'"),
    ("--on-filter-error=pass_on", "--on-filter-error must be one of stop, pass-on, drop, close, not 'pass_on'; did "),
    ("--fault=latncy", "--fault: there is no fault 'latncy'; the faults are: bandwidth, "),
    ("--fault=latency", "--fault: latency: seconds is missing"),
    (
        "--allow-ip=10.1.2.3/16",
        "--allow-ip must be an address or a network, not '10.1.2.3/16'; did you mean 10.1.0.0/16?",
    ),
    ("--allow-ip=", "--allow-ip must be an address or a network, not ''"),
    ("--allow-client=", "--allow-client must not be empty"),
    ("--allow-client=x", "--allow-client needs names, which clients of the dialect lines have only if "),
    ("--repeater-name=", "--repeater-name must be a name of letters, digits, '-', '_' and '.', such as edge-1, not ''"),
    ("--max-frame=16MB", "--max-frame must be a size such as 16MiB, 64KiB or 1000, not '16MB'"),
    ("--max-frame=-1", "--max-frame must be a size such as 16MiB, 64KiB or 1000, not '-1'"),
    ("--linger=-1", "--linger must be above 0, not -1"),
    ("--linger=5s", "--linger must be a number of seconds, not '5s'"),
    ("--max-clients=many", "--max-clients must be a whole number, not 'many'"),
    ("--admin=8090", "--admin must be an endpoint of the kind tcp, "),
    ("--admin=tcp:8090", "--admin must have an interface, such as interface=127.0.0.1, not 'tcp:8090': "),
    ("--admin=tcp:8090:interface=0.0.0.0", "--admin needs --admin-token-file: other machines, or other users, "),
    ("--admin-host=edge", "--admin-host needs --admin"),
    ("--admin-host=edge:80", "--admin-host must be the name of a host without a port, not 'edge:80'"),
    ("--admin=unix:x --admin-token-file=no", "--admin-token-file must be a file that can be read, not 'no': No such "),
    (
        "--listen=tcp:1 --admin=tcp:1:interface=127.0.0.1",
        "--admin must be another address than 'tcp:1' of --listen, not ",
    ),
    ("--log-level=debgu", "--log-level must be one of debug, info, warn, error, not 'debgu'; did you mean debug?"),
    ("--log-format=xml", "--log-format must be one of text, json, not 'xml'"),
    ("--record=", "--record must have a file, such as traffic.db:max-size=1GiB, not ''"),
    ("--record=a.db:kepe=1", "--record: there is no option 'kepe'; the options are: max-size, keep, "),
    ("--reload", "--reload needs a filter"),
    ("--check-server=0", "--check-server must be above 0, not 0"),
    ("--demo", "--demo must be the only option, without --listen"),
    ("--config=edge.toml", "--listen cannot be given with --config: write it in edge.toml"),
]
"""Options that are added to the needed ones, and the line, or its beginning if it ends with a space."""

ALONE: list[tuple[str, str]] = [
    ("", "--listen and --server are missing, or --config; see twistd repeater --help"),
    ("--listen=tcp:0", "--server is missing: where the server is, such as tcp:127.0.0.1:9001 or tls:quotes"),
    ("--config=", "--config must not be empty"),
    ("--config=no.toml", "no.toml cannot be read: No such file or directory"),
    ("--config=.", ". cannot be read: Is a directory"),
    ("--config=rules.py", "rules.py: line 1, column 5 is not TOML: Expected '=' after a key in a key/value pair"),
    ("--demo --check", "--demo must be the only option, without --check"),
]

FILES: list[tuple[str, str]] = [
    ("", "there is no repeater: begin a table such as [repeater.orders]"),
    (
        "listen = 'tcp:1'\n" + KEYS,
        "listen concerns a repeater: write it in its table, such as [repeater.orders], or in ",
    ),
    ("[repeater.edge]\nlisten = tcp:1", "line 2, column 10 is not TOML: Invalid value"),
    (KEYS + KEYS, "line 5, column 15 is not TOML: Cannot declare ('repeater', 'edge') twice"),
    (KEYS + "listn = 'tcp:1'", "repeater.edge.listn: there is no such key; did you mean listen?"),
    (KEYS + "max_frame = 1", "repeater.edge.max_frame: there is no such key; did you mean max-frame?"),
    (
        KEYS.replace('"tcp:0:interface=127.0.0.1"', "9000"),
        'repeater.edge.listen must be a text such as "tcp:9000", not 9000',
    ),
    (KEYS + "filter = 'log'", 'repeater.edge.filter must be a list of texts such as ["log"], not "log"'),
    (KEYS + "filter = ['lgo']", "repeater.edge.filter must be one of fix-orders, "),
    (
        KEYS + "to-server-filter = 'raising:x'",
        "repeater.edge.to-server-filter: cannot import raising: RuntimeError: no (",
    ),
    (KEYS + "max-clients = '5'", 'repeater.edge.max-clients must be a whole number such as 500, not "5"'),
    (KEYS + "linger = -5", "repeater.edge.linger must be above 0, not -5"),
    (KEYS + "[repeater.edge.limits]\n", "repeater.edge.limits: there is no such key"),
    (KEYS + "[repeater.edge.filter]\n", 'repeater.edge.filter must be a list of texts such as ["log"], not a table'),
    (
        KEYS.replace("edge", '"my edge"'),
        "repeater.\"my edge\" must be a name of letters, digits, '-', '_' and '.', such ",
    ),
    (
        KEYS.replace("tcp:0", "tcp:1") + KEYS.replace("tcp:0", "tcp:1").replace("edge", "b"),
        "repeater.b.listen must be another address than 'tcp:1:interface=127.0.0.1' of repeater.edge.listen, not ",
    ),
]
"""The content of files, and the line behind the name of the file."""


class WrongWaysTests(ModuleCase):
    """Wrong options, wrong files, and what cannot be used."""

    def setUp(self) -> None:
        """Go to a directory with modules."""
        super().setUp()
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.directory)
        self.write("rules.py", "def decide(message, link): ...\nnumber = 7\n")
        self.write("raising.py", "raise RuntimeError('no')\n")
        self.write("syntax.py", "def decide(:\n")
        self.write("leaving.py", "import sys\nsys.exit(3)\n")

    def answer(self, *options: str) -> str:
        """Return what twistd prints when it ends because of these options."""
        given: Any = ServerOptions()
        output = io.StringIO()
        with contextlib.redirect_stdout(output), self.assertRaises(SystemExit) as raised:
            given.parseOptions(["-n", "repeater", *options])
            makeService(given.subOptions).privilegedStartService()
        self.assertEqual(output.getvalue(), "")
        return str(raised.exception.code)

    def assert_line(self, options: list[str], expected: str) -> None:
        """These options get this line, when the repeater is started and when it is checked."""
        check = [] if "--check" in options else ["--check"]
        for answer in (self.answer(*options), self.answer(*options, *check)):
            line = f"twistd repeater: {expected}"
            self.assertEqual(answer[: len(line)], line)
            self.assertNotIn("\n", answer)
            self.assertNotIn("Traceback", answer)

    def test_options(self) -> None:
        """Each wrong option is named, with what was expected and what was given."""
        for text, expected in OPTIONS:
            given = text.split()
            names = {option.partition("=")[0] for option in given}
            needed = [option for option in NEEDED if option.partition("=")[0] not in names]
            self.assert_line([*needed, *given], expected)

    def test_alone(self) -> None:
        """So is what is missing, and a file that cannot be used."""
        for text, expected in ALONE:
            self.assert_line(text.split(), expected)

    def test_files(self) -> None:
        """In a file the key is named, too."""
        for number, (text, expected) in enumerate(FILES):
            self.write(f"edge{number}.toml", text)
            separator = " " if expected.startswith("is ") else ": "
            self.assert_line([f"--config=edge{number}.toml"], f"edge{number}.toml{separator}{expected}")


class TakenTests(TestCase):
    """Ports that another program has."""

    async def test_taken(self) -> None:
        """A port that another program has is told when it is bound; a check does not notice it."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            address = f"tcp:{port}:interface=127.0.0.1"
            for options in ([f"--listen={address}", *NEEDED[1:]], [*NEEDED, f"--admin={address}"]):
                given: Any = ServerOptions()
                given.parseOptions(["-n", "repeater", *options])
                service = makeService(given.subOptions)
                error = self.assertRaises(CannotStart, service.privilegedStartService)
                self.assertTrue(str(error).startswith(f"Couldn't listen on 127.0.0.1:{port}: [Errno 98] "), error)
                await service.stopService()
