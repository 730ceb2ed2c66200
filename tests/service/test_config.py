"""The configuration file."""

from __future__ import annotations

import contextlib
import io
import math
import os
from collections.abc import Mapping
from datetime import date
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from twisted_repeater import Limits
from twisted_repeater.service import endpoint_texts, fleet_options
from twisted_repeater.service.config import ConfigFile, as_written, read_config
from twisted_repeater.service.option import Written
from twisted_repeater.service.options import BY_NAME, OPTIONS
from twisted_repeater.service.settings import ProcessSettings, SettingsError
from twisted_repeater.service.tap import Options

from ..modules import ModuleCase
from ..paths import DOCS
from ..run_page import fences_of

GOOD = """
[repeater.orders]
listen = "tcp:9000"
server = "tcp:10.0.0.5:9001"
"""


class ConfigCase(ModuleCase):
    """A test case whose working directory has the file ``edge.toml``."""

    def setUp(self) -> None:
        """Go to the directory."""
        super().setUp()
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.directory)

    def read(self, text: str, command: Mapping[str, Written] = {}) -> ProcessSettings:
        """Read a file with this text."""
        self.write("edge.toml", text)
        return read_config("edge.toml", command)

    def assert_wrong(self, text: str, *expected: str) -> None:
        """In a file with this text these errors are found, and no others."""
        error = self.assertRaises(SettingsError, self.read, text)
        self.assertEqual(list(error.lines), [f"edge.toml{line}" for line in expected])


class ConfigTests(ConfigCase):
    """Reading a file."""

    def test_like_options(self) -> None:
        """The file comes to the same settings as the same values on the command line."""
        found = self.read(
            """
            log-level = "debug"
            drain-timeout = 1.5
            [repeater.orders]
            listen = "tcp:9000"
            server = "tcp:10.0.0.5:9001"
            dialect = "lines"
            same-name = "replace"
            convert-versions = true
            allow-ip = ["10.1.0.0/16", "10.2.0.1"]
            filter = ["log:sample=0.1"]
            fault = ["drop", "drop:every=2"]
            record = "a.db:keep=2"
            max-frame = "1MiB"
            max-hello = 1000
            max-clients = 7
            linger = 5
            hello-timeout = 0.5
            stall-timeout = "none"
            """
        )
        options = Options()
        given = """
            --log-level=debug --drain-timeout=1.5 --repeater-name=orders --listen=tcp:9000 --server=tcp:10.0.0.5:9001
            --dialect=lines --same-name=replace --convert-versions --allow-ip=10.1.0.0/16 --allow-ip=10.2.0.1
            --filter=log:sample=0.1 --fault=drop --fault=drop:every=2 --record=a.db:keep=2 --max-frame=1MiB
            --max-hello=1000 --max-clients=7 --linger=5 --hello-timeout=0.5 --stall-timeout=none
        """
        options.parseOptions(given.split())
        self.assertEqual(found, options.settings)
        self.assertEqual(found.directory, str(self.directory))

    def test_defaults(self) -> None:
        """``[defaults]`` holds where a repeater has no value of its own; an own list takes the place of that there."""
        found = self.read(
            """
            [defaults]
            server = "tcp:h:1"
            linger = 5
            convert-versions = true
            allow-client = ["a", "b"]
            [repeater.a]
            listen = "tcp:1"
            [repeater.b]
            listen = "tcp:2"
            linger = 6
            convert-versions = false
            allow-client = ["c"]
            """
        )
        a, b = (found.repeaters[name].values for name in "ab")
        keys = ("server", "limits", "convert-versions", "allow-client")
        self.assertEqual([a[key] for key in keys], ["tcp:h:1", Limits(linger=5), True, ["a", "b"]])
        self.assertEqual([b[key] for key in keys], ["tcp:h:1", Limits(linger=6), False, ["c"]])

    def test_command_line_wins(self) -> None:
        """An option of the process on the command line wins over the file, and its errors name it."""
        found = self.read('log-level = "debug"\n' + GOOD, {"log-level": "warn"})
        self.assertEqual(found.values, self.read('log-level = "warn"\n' + GOOD).values)
        error = self.assertRaises(SettingsError, self.read, GOOD, {"log-level": "x"})
        self.assertTrue(error.lines[0].startswith("--log-level must be"), error.lines)

    def test_read_again(self) -> None:
        """The file is read again where it was, whatever the working directory is by then."""
        found = self.read(GOOD, {"log-format": "json"})
        os.chdir("/")
        self.assertEqual(found.read_again(), found)
        self.write("edge.toml", GOOD.replace("9000", "9002"))
        again = found.read_again()
        self.assertEqual(again.repeaters["orders"].values["listen"], "tcp:9002")
        self.assertEqual(again.values, found.values)
        self.write("edge.toml", "[")
        error = self.assertRaises(SettingsError, again.read_again)
        self.assertTrue(str(error).startswith("edge.toml: end of document is not TOML: "), error)

    def test_no_file(self) -> None:
        """A file that cannot be read, or is not TOML, is told with the place."""
        error = self.assertRaises(SettingsError, read_config, "none.toml", {})
        self.assertEqual(error.lines, ("none.toml cannot be read: No such file or directory",))
        error = self.assertRaises(SettingsError, read_config, str(self.directory), {})
        self.assertEqual(error.lines, (f"{self.directory} cannot be read: Is a directory",))
        self.assert_wrong("a = 1\nb = no\n", ": line 2, column 5 is not TOML: Invalid value")
        self.assert_wrong("a = 1\na = 2\n", ": line 2, column 6 is not TOML: Cannot overwrite a value")
        error = self.assertRaises(SettingsError, self.read, "x = " + "[" * 100_000)
        self.assertIn(" is not TOML: ", error.lines[0])
        (self.directory / "edge.toml").write_bytes(b'a = "\xff"')
        error = self.assertRaises(SettingsError, read_config, "edge.toml", {})
        self.assertEqual(error.lines, ("edge.toml must be a text in UTF-8: byte 5 is not",))

    def test_tables(self) -> None:
        """Repeaters are tables in a table, with names."""
        self.assert_wrong("", ": there is no repeater: begin a table such as [repeater.orders]")
        self.assert_wrong(
            "repeater = 3\ndefaults = true\n",
            ": defaults must be a table such as [defaults], not true",
            ": repeater must be a table such as [repeater.orders], not 3",
            ": there is no repeater: begin a table such as [repeater.orders]",
        )
        self.assert_wrong(
            '[repeater]\nlisten = "tcp:1"\n' + GOOD,
            ": repeater.listen concerns a repeater: write it in its table, such as [repeater.orders], or in [defaults]",
        )
        self.assert_wrong(
            "[repeater.x]\n",
            ": repeater.x.listen is missing: where clients connect, such as tcp:9000:interface=127.0.0.1 or "
            "unix:/run/quotes",
            ": repeater.x.server is missing: where the server is, such as tcp:127.0.0.1:9001 or "
            "tls:quotes.example.org:9001",
        )
        self.assert_wrong(
            GOOD.replace("orders", '"a b"'),
            """: repeater."a b" must be a name of letters, digits, '-', '_' and '.', such as edge-1, not 'a b'""",
        )

    def test_keys(self) -> None:
        """A key that there is not, or not there, is told, with the one that is most like it."""
        self.assert_wrong(
            'log-fromat = "json"\nrepaeter = 3\nxyzzy = 3\nlinger = 1\ncheck = true\n[defaults]\nadmin = "unix:x"\n'
            + GOOD
            + 'max_frame = 3\nlog-level = "info"\nrepeater-name = "x"\n"tür zu" = 1\n',
            ": log-fromat: there is no such key; did you mean log-format?",
            ": repaeter: there is no such key; did you mean repeater?",
            ": xyzzy: there is no such key",
            ": linger concerns a repeater: write it in its table, such as [repeater.orders], or in [defaults]",
            ": check can only be given on the command line",
            ": defaults.admin concerns the whole process: write it at the top of the file, before the first table",
            ": repeater.orders.max_frame: there is no such key; did you mean max-frame?",
            ": repeater.orders.log-level concerns the whole process: write it at the top of the file, before the first "
            "table",
            ": repeater.orders.repeater-name can only be given on the command line",
            ': repeater.orders."tür zu": there is no such key',
        )

    def test_types(self) -> None:
        """A value of the wrong type is told, and what was expected."""
        self.assert_wrong(
            "[defaults]\nlinger = 1979-05-27\n"
            + GOOD
            + 'dialect = 3\nfilter = "log"\nfault = [1, "x", []]\nallow-ip = []\n'
            'max-clients = "5"\nmax-hello = 1.5\nname-timeout = "5"\nhello-timeout = "none"\nconvert-versions = "yes"\n'
            "server-name = {}\nmax-waiting = true\nclose-timeout = [[]]\nsame-name = []\n",
            ": defaults.linger must be a number of seconds, not 1979-05-27",
            ': repeater.orders.dialect must be a text such as "lines", not 3',
            ': repeater.orders.filter must be a list of texts such as ["log"], not "log"',
            ': repeater.orders.fault must be a list of texts such as ["latency:seconds=0.1"], not a list of lists and '
            "numbers and texts",
            ': repeater.orders.max-clients must be a whole number such as 500, not "5"',
            ': repeater.orders.max-hello must be a number of bytes, or a text such as "16MiB", not 1.5',
            ': repeater.orders.name-timeout must be a number of seconds, or "none", not "5"',
            ': repeater.orders.hello-timeout must be a number of seconds, not "none"',
            ': repeater.orders.convert-versions must be true or false, not "yes"',
            ': repeater.orders.server-name must be a text such as "quotes", not a table',
            ': repeater.orders.max-waiting must be a number of bytes, or a text such as "16MiB", not true',
            ": repeater.orders.close-timeout must be a number of seconds, not a list of lists",
            ': repeater.orders.same-name must be a text such as "replace", not a list of nothing',
        )
        self.assert_wrong(
            GOOD + "allow-ip = [1979-05-27, nan, true]\nlinger = inf\n",
            ': repeater.orders.allow-ip must be a list of texts such as ["10.1.0.0/16"], not a list of booleans and '
            "dates and numbers",
            ": repeater.orders.linger must be a number of seconds, not 'inf'",
        )

    def test_where(self) -> None:
        """A wrong value is told where it stands: in a table, or in the defaults."""
        self.assert_wrong(
            '[defaults]\nlinger = -1\nmax-frame = "16MB"\n'
            + GOOD
            + "hello-timeout = 0\n"
            + GOOD.replace("orders", "b"),
            ": defaults.max-frame must be a size such as 16MiB, 64KiB or 1000, not '16MB'",
            ": repeater.orders.hello-timeout must be above 0, not 0",
            ": defaults.linger must be above 0, not -1",
            ": repeater.b.listen must be another address than 'tcp:9000' of repeater.orders.listen, not 'tcp:9000'",
        )

    def test_every_option(self) -> None:
        """Each option of the table can stand in the file, and a table takes no other type for it."""
        for option in OPTIONS:
            values: list[object] = [{}, [{}], None]
            for value in values:
                self.assertRaises(ValueError, as_written, option, value)
        self.assertEqual(as_written(BY_NAME["linger"], 1e-07), "1e-07")

    @given(seed=st.randoms(use_true_random=False))
    @settings(max_examples=25, deadline=None, derandomize=True)
    def test_anything(self, seed: Random) -> None:
        """Whatever TOML a file has, it can be used, or each line of the error begins with its name."""
        names = [*BY_NAME, "repeater", "defaults", "orders", "a b", "", "x\ny"]
        texts = ["tcp:9000", "tcp:h:9001", "lines", "log", "none", "16MiB", "", "\n", "a.b:c", "unix:x", "x"]
        leaves = [*texts, *texts, 0, 1, -1, 9000, 0.5, math.nan, math.inf, True, False, date(1979, 5, 27), [], {}]

        def value(depth: int) -> object:
            kind = seed.randrange(6) if depth else 5
            if kind == 0:
                return [value(depth - 1) for _ in range(seed.randrange(3))]
            if kind <= 2:
                return {seed.choice(names): value(depth - 1) for _ in range(seed.randrange(12))}
            return seed.choice(leaves)

        tables = {seed.choice(names): {seed.choice(names): value(1) for _ in range(30)} for _ in range(3)}
        content = {**{seed.choice(names): value(3) for _ in range(seed.randrange(20))}, "repeater": tables}
        self.patch(ConfigFile, "_parsed", lambda file: content)
        try:
            read_config("edge.toml", {})
        except SettingsError as error:
            self.assertTrue(all(line.startswith("edge.toml") for line in error.lines), error.lines)
            self.assertEqual(len(error.lines), str(error).count("\n") + 1)


class PageTests(ConfigCase):
    """The files that the documentation shows."""

    def test_files(self) -> None:
        """Each can be used as it is, where its directory and the file with its password are there."""
        self.patch(fleet_options, "read_secret", lambda path: b"secret")
        self.patch(endpoint_texts, "without_directory", lambda path: None)
        for page in DOCS.rglob("*.md"):
            for fence in fences_of(page.read_text()):
                if fence.language == "toml" and "[repeater." in fence.code:
                    self.assertTrue(self.read(fence.code).repeaters, page)

    def test_reference(self) -> None:
        """The file of the reference is checked with the output that stands there, and so are its errors."""
        fences = list(fences_of((DOCS / "reference" / "configuration.md").read_text()))
        file, checked, errors = (fence.code for fence in fences)
        self.write("edge.toml", file)
        output = io.StringIO()
        with contextlib.redirect_stdout(output), self.assertRaises(SystemExit):
            Options().parseOptions(["--config=edge.toml", "--check"])
        self.assertEqual(checked, f"$ twistd repeater --config edge.toml --check\n{output.getvalue()}")
        wrong = file.replace("log-format", "log-fromat").replace("tcp:9002", "tcp:9000:interface=127.0.0.1")
        lines = self.assertRaises(
            SettingsError, self.read, wrong.replace("[repeater.p", 'max-frame = "16MB"\n[repeater.p')
        )
        self.assertEqual(errors, "".join(f"twistd repeater: {line}\n" for line in lines.lines))
