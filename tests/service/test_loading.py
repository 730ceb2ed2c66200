"""An object that an option names is found, or one line says why not."""

from __future__ import annotations

import inspect
import sys
from typing import Any
from unittest.mock import patch

from twisted_repeater import PASS_ON, Direction, IFilter, Limits, dialects
from twisted_repeater.filters import FilterPair, Log, RateLimit
from twisted_repeater.service.loading import (
    READY,
    LoadingError,
    dialect_needed,
    find,
    is_ready,
    load_dialect,
    load_filter,
    load_filter_pair,
    module_of,
)
from twisted_repeater.service.ready_filters import READY_FILTERS, READY_FOR_ONE_WAY

from ..modules import ModuleCase

FILTERS = """
from zope.interface import implementer, provider
from twisted_repeater import PASS_ON, IFilter

def plain(message, link):
    return PASS_ON

@implementer(IFilter)
class Counting:
    def __init__(self, start=0):
        self.count = start

    def filter(self, message, link):
        self.count += 1
        return PASS_ON

counting = Counting(7)

@provider(IFilter)
class Static:
    @staticmethod
    def filter(message, link):
        return PASS_ON

class Broken:
    def __init__(self):
        raise OSError("no\\ndisk")

class NoFilter:
    pass

def made(start: int = 0):
    return Counting(start)

number = 7
nothing = None
takes_one = lambda message: PASS_ON
built_in = min
"""

DIALECTS = """
from twisted_repeater import dialects

ready = dialects.int32(mode="test")

def made(*, mode="made", size: int = 4):
    assert size == 4
    return dialects.int32(mode=mode)

def broken():
    raise ValueError("no mode")

number = 7

def coded():
    return dialects.int32(to_server="utf8")
"""

KNOWN = (
    "async_extra, delimited, fix, hl7, int32, length, lines, modbus, mqtt, postgres, redis, varint, "
    "or package.module:name"
)
COLON = r"write \: for a colon in a value"
NEITHER = "a filter must be a function or an object with a method filter, not"


class LoadingCase(ModuleCase):
    """A test case that expects errors."""

    def assert_fails(self, load: Any, name: str, message: str) -> None:
        """It cannot be loaded, for this reason."""
        self.assertEqual(str(self.assertRaises(LoadingError, load, name)), message)


class FindTests(LoadingCase):
    """``package.module:name``."""

    def test_found(self) -> None:
        """A name may be in a module, in a module of a package, or in another object."""
        self.write("alone.py", "class thing:\n    inner = 1\n")
        self.write("family/__init__.py", "")
        self.write("family/member.py", "thing = 2")
        self.assertEqual(find("alone:thing.inner"), 1)
        self.assertEqual(find("family.member:thing"), 2)

    def test_form(self) -> None:
        """A name of another form is refused."""
        for name in ("filters", "filters.f", "filters:", ":f", ""):
            self.assert_fails(find, name, f"a name must be of the form package.module:name, not {name!r}")

    def test_file(self) -> None:
        """The name of a file is no name of a module; the one that is meant is told."""
        for name, meant in (("filters.py:up", "filters:up"), ("./some/filters.py:up", "some.filters:up")):
            told = f"{name}: write the name of a module, not of a file, such as {meant}"
            self.assert_fails(find, name, told)

    def test_no_module(self) -> None:
        """The module that is missing is named, be it the one asked for or one that it imports."""
        self.write("needing.py", "import absent.module\n")
        self.assert_fails(find, "absent:f", "cannot import absent: ModuleNotFoundError: No module named 'absent'")
        self.assert_fails(
            find,
            "needing:f",
            "cannot import needing: ModuleNotFoundError: No module named 'absent' (needing.py, line 1)",
        )

    def test_broken_module(self) -> None:
        """An error in a module is one line, with its place, also if the module tries to end the process."""
        self.write("wrong.py", "f = (\n")
        self.write("raising.py", "\nraise OSError('one\\ntwo')\n")
        self.write("leaving.py", "import sys\nsys.exit('bye')\n")
        self.assert_fails(find, "wrong:f", "cannot import wrong: SyntaxError: '(' was never closed (wrong.py, line 1)")
        self.assert_fails(find, "raising:f", "cannot import raising: OSError: one two (raising.py, line 2)")
        self.assert_fails(find, "leaving:f", "cannot import leaving: SystemExit: bye (leaving.py, line 2)")

    def test_unprintable_errors(self) -> None:
        """An error that cannot be printed is told too, wherever it is raised."""
        self.write(
            "mute.py",
            "class Mute(Exception):\n    def __str__(self):\n        raise ValueError\n",
        )
        self.write("raising.py", "from mute import Mute\nraise Mute\n")
        self.write(
            "holding.py",
            "from mute import Mute\n"
            "def __getattr__(name):\n"
            "    raise Mute\n"
            "class Broken:\n"
            "    def __init__(self):\n"
            "        raise Mute\n"
            "class Hidden:\n"
            "    @property\n"
            "    def filter(self):\n"
            "        raise Mute\n"
            "hidden = Hidden()\n",
        )
        said = "Mute: <ValueError raised by its __str__>"
        self.assert_fails(find, "raising:f", f"cannot import raising: {said} (raising.py, line 2)")
        self.assert_fails(find, "holding:f", f"holding:f: {said} (holding.py, line 3)")
        self.assert_fails(
            load_filter, "holding:Broken", f"cannot make the filter holding:Broken: {said} (holding.py, line 6)"
        )
        self.assert_fails(load_filter, "holding:hidden", f"holding:hidden: {said} (holding.py, line 10)")
        self.assert_fails(
            load_dialect, "holding:Broken", f"cannot make the dialect holding:Broken: {said} (holding.py, line 6)"
        )

    def test_interrupted(self) -> None:
        """Ctrl-C goes through."""
        self.write("stopped.py", "raise KeyboardInterrupt\n")
        self.write("asking.py", "def __getattr__(name):\n    raise KeyboardInterrupt\n")
        self.assertRaises(KeyboardInterrupt, find, "stopped:f")
        self.assertRaises(KeyboardInterrupt, find, "asking:f")
        self.write(
            "posing.py",
            "class Posing:\n"
            "    def __getattribute__(self, name):\n"
            "        raise KeyboardInterrupt\n"
            "posing = Posing()\n",
        )
        self.assertRaises(KeyboardInterrupt, load_filter, "posing:posing")

    def test_place(self) -> None:
        """The place is that in the user's code, also where this package raises for it."""
        self.write(
            "wrong_wants.py", "from twisted_repeater.filters import wants\n\n@wants()\ndef f(message, link): pass\n"
        )
        self.assert_fails(
            find,
            "wrong_wants:f",
            "cannot import wrong_wants: TypeError: wants needs selectors or classes (wrong_wants.py, line 3)",
        )

    def test_no_name(self) -> None:
        """A name that the module does not have is told."""
        self.write("alone.py", "class thing:\n    inner = 1\n")
        self.assert_fails(find, "alone:thing.outer", "module alone has no 'thing.outer'")
        self.assert_fails(find, "alone:thin", "module alone has no 'thin'; did you mean thing?")

    def test_module_that_decides(self) -> None:
        """So is an error in a module's own ``__getattr__``."""
        for kind in ("ValueError", "SystemExit"):
            name = f"choosy_{kind.lower()}"
            self.write(f"{name}.py", f"def __getattr__(name):\n    raise {kind}(name)\n")
            self.assert_fails(find, f"{name}:f", f"{name}:f: {kind}: f ({name}.py, line 2)")


class FilterTests(LoadingCase):
    """Filters."""

    def setUp(self) -> None:
        """Write the module."""
        super().setUp()
        self.write("some_filters.py", FILTERS)

    def test_function(self) -> None:
        """A function is the filter, also one without a signature."""
        plain: Any = load_filter("some_filters:plain")
        self.assertIs(plain(b"", None), PASS_ON)
        self.assertIs(load_filter("some_filters:built_in"), min)

    def test_provider(self) -> None:
        """An object that provides the interface is the filter, also if it is a class."""
        self.assertEqual(getattr(load_filter("some_filters:counting"), "count", None), 7)
        self.assertIsInstance(load_filter("some_filters:Static"), type)

    def test_class(self) -> None:
        """A class is called without arguments, and makes a new filter each time."""
        first, second = load_filter("some_filters:Counting"), load_filter("some_filters:Counting")
        self.assertTrue(IFilter.providedBy(first))
        self.assertEqual(getattr(first, "count", None), 0)
        self.assertIsNot(first, second)

    def test_none(self) -> None:
        """An object that is not a filter, or cannot be called as one, is refused."""
        for name, message in [
            ("number", f"some_filters:number: {NEITHER} 7"),
            (
                "nothing",
                "some_filters:nothing: a filter must be a function or an object with a method filter, not None",
            ),
            ("takes_one", "some_filters:takes_one: a filter takes a message and its link, <lambda> takes (message)"),
            ("Broken", "cannot make the filter some_filters:Broken: OSError: no disk (some_filters.py, line 27)"),
        ]:
            self.assert_fails(load_filter, f"some_filters:{name}", message)
        self.write("two.py", "from twisted_repeater.filters import FilterPair\nboth = FilterPair()\n")
        self.assert_fails(load_filter, "two:both", "two:both is a pair of filters: use the option filter")
        self.assert_fails(load_filter, "fix-orders", "fix-orders is a pair of filters: use the option filter")
        error = self.assertRaises(LoadingError, load_filter, "some_filters:NoFilter")
        self.assertIn("a filter must be a function or an object with a method filter", str(error))

    def test_options(self) -> None:
        """A class takes options, and so does a function that makes a filter, by name or by place."""
        for name, count in (("Counting:5", 5), ("Counting:start=6", 6), ("made:7", 7)):
            self.assertEqual(getattr(load_filter(f"some_filters:{name}"), "count", None), count)
        for name, told in (
            ("Counting:many", "some_filters:Counting: start must be a whole number, not 'many'"),
            ("counting:5", "some_filters:counting: it is made already, and takes no options"),
            ("plain:x", "some_filters:plain: an option must be written as name=value, not 'x'"),
        ):
            error = self.assertRaises(LoadingError, load_filter, f"some_filters:{name}", Direction.TO_CLIENT)
            self.assertEqual(str(error), told)

    def test_ready(self) -> None:
        """A filter of this package that can be for one direction is made for that one."""
        limit = load_filter("rate_limit:100:burst=50", Direction.TO_CLIENT)
        assert isinstance(limit, RateLimit)
        self.assertEqual((limit.rate, limit.burst), (100, 50))
        log = load_filter("log:0.5:direction=to-server")
        assert isinstance(log, Log)
        self.assertEqual((log.sample, log.label), (0.5, "to the server"))
        for name, options in (("hl7-mask", ":fields=PID-5"), ("lines-log", ":a"), ("lines-replace", ":a:b")):
            for direction in Direction:
                load_filter(name + options, direction)
        names = ", ".join(READY_FOR_ONE_WAY)
        for name, told in (
            ("log:direction=both", "log: direction must be to-server, not 'both'; use the option filter for 'both'"),
            (
                "rate-limt:1",
                f"must be one of {names}, or package.module:name, not 'rate-limt'; did you mean rate-limit?",
            ),
            (
                "rate_limt:1",
                f"must be one of {names}, or package.module:name, not 'rate_limt'; did you mean rate-limit?",
            ),
            ("rules.up", f"must be one of {names}, or package.module:name, not 'rules.up'; did you mean rules:up?"),
            ("rules.py", f"must be one of {names}, or package.module:name, not 'rules.py'"),
            ("x-y:1", f"must be one of {names}, or package.module:name, not 'x-y'"),
            ("log:sample=1:2", f"log: an option must be written as name=value, not '2'; {COLON}"),
        ):
            self.assert_fails(load_filter, name, told)

    def test_about(self) -> None:
        """A description says whether its filter is one of this package, and which dialect that is for."""
        for name, ready, dialect in (
            ("rate_limit:100", True, None),
            ("fix_orders:max-rate=1", True, "fix"),
            ("some_filters:fix", False, None),
        ):
            self.assertEqual((is_ready(name), dialect_needed(name)), (ready, dialect))
        wrong = "lines-refuse:match=a:b"
        self.assertFalse(is_ready(wrong))
        self.assertRaises(LoadingError, dialect_needed, wrong)


class DialectTests(LoadingCase):
    """Dialects."""

    def setUp(self) -> None:
        """Write the module."""
        super().setUp()
        self.write("some_dialects.py", DIALECTS)

    def test_by_name(self) -> None:
        """Every dialect of the package is found by its name."""
        for name in READY:
            options = ":end=lf" if name == "delimited" else ""
            self.assertEqual(load_dialect(name + options).name, name)
        self.assert_fails(load_dialect, "Dialect", f"dialect must be one of {KNOWN}, not 'Dialect'")

    def test_complete(self) -> None:
        """No function of the package that makes a dialect is missing."""
        functions = {name: getattr(dialects, name) for name in dialects.__all__}
        made = [
            name
            for name, function in functions.items()
            if inspect.isfunction(function) and function.__annotations__["return"] == "Dialect"
        ]
        self.assertEqual(list(READY), made)

    def test_options(self) -> None:
        """A dialect of the package may have options."""
        for description, payload, frame in [
            ("length:size=2:order=little", b"ab", b"\x02\0ab"),
            ("length:adds=-4", b"ab", b"\0\0\0\x06ab"),
            ("lines:end=crlf", b"ab", b"ab\r\n"),
            ("delimited:start=0b:end=1c0d", b"ab", b"\x0bab\x1c\r"),
            ("varint:max-bytes=2", b"ab", b"\x02ab"),
        ]:
            framing: Any = load_dialect(description).framing(Limits())
            self.assertEqual(framing.encode(payload), frame)
        self.assertEqual(load_dialect("lines:max-frame=64KiB").max_frame, 65536)
        hellos: Any = load_dialect("int32:mode=test").opening
        self.assertEqual(hellos.mode, "test")
        hellos = load_dialect("async_extra:mode=Production:production=no").opening
        self.assertEqual((hellos.mode, hellos.production), ("Production", False))

    def test_wrong_options(self) -> None:
        """An option that is wrong is told with its dialect, what was expected and what was given."""
        for description, message in [
            ("length:size=5", "length: size must be 1, 2, 3, 4 or 8, not 5"),
            ("length:size=two", "length: size must be a whole number, not 'two'"),
            ("length:order=middle", "length: order must be big or little, not 'middle'"),
            ("length:2", "length: an option must be written as name=value, not '2'"),
            (
                "lines:End=lf",
                "lines: there is no option 'End'; the options are: end, secret, max-frame; did you mean end?",
            ),
            ("lines:to_server=x", "lines: there is no option 'to_server'; the options are: end, secret, max-frame"),
            ("delimited", "delimited: end is missing; write end="),
            (
                "delimited:end=eot",
                "delimited: end must be hexadecimal such as 1c0d, or cr, lf, crlf, nul, not 'eot'",
            ),
            ("lines:max-frame=0", "lines: max-frame must be above 0, not 0"),
            (
                "length:size=2:2",
                f"length: an option must be written as name=value, not '2'; {COLON}",
            ),
            (
                "postgres:server-tls=verify",
                "postgres: server-tls=verify needs server-host, the name in the server's certificate",
            ),
            ("postgres:certificate=no.pem", "postgres: 'no.pem' cannot be read: No such file or directory"),
        ]:
            self.assert_fails(load_dialect, description, f"dialect {message}")

    def test_no_extra(self) -> None:
        """A dialect that needs an extra says which, on one line."""
        needs = "the dialect redis needs hiredis: pip install 'twisted_repeater[redis]'"
        with patch.dict(sys.modules, {"hiredis": None}):
            self.assert_fails(load_dialect, "redis", f"dialect redis: {needs}")

    def test_of_a_module(self) -> None:
        """A dialect of one's own is found ready, or made, with options if its function takes some."""
        for name, mode in [("ready", "test"), ("made", "made"), ("made:mode=x\\:y:size=4", "x:y")]:
            hellos: Any = load_dialect(f"some_dialects:{name}").opening
            self.assertEqual(hellos.mode, mode)

    def test_of_a_module_with_a_name_of_ours(self) -> None:
        """A module may have the name of a dialect that is ready."""
        self.write("lines.py", "from twisted_repeater import dialects\nmine = dialects.int32()\n")
        self.assertEqual(load_dialect("lines:mine").name, "int32")
        self.assertEqual(load_dialect("lines").name, "lines")

    def test_none(self) -> None:
        """An object that is not a dialect is refused, and so are options that nobody takes."""
        for name, message in [
            ("int33", f"dialect must be one of {KNOWN}, not 'int33'"),
            (
                "some_dialects:number",
                "dialect some_dialects:number must be a Dialect, or a function that returns one, not int",
            ),
            (
                "some_dialects:broken",
                "cannot make the dialect some_dialects:broken: ValueError: no mode (some_dialects.py, line 11)",
            ),
            ("some_dialects:made:size=5", "cannot make the dialect some_dialects:made: AssertionError"),
            ("some_dialects:made:size=x", "dialect some_dialects:made: size must be a whole number, not 'x'"),
            ("some_dialects:ready:mode=x", "dialect some_dialects:ready: it is made already, and takes no options"),
        ]:
            error = self.assertRaises(LoadingError, load_dialect, name)
            self.assertEqual(str(error)[: len(message)], message)
        error = self.assertRaises(LoadingError, load_dialect, "some_dialects:coded")
        self.assertTrue(str(error).endswith("(some_dialects.py, line 16)"), str(error))


PAIRS = """
class Pair:
    def __init__(self, limit: int = 3):
        self.limit = limit

    def for_link(self, link):
        return (None, None)

class Needing(Pair):
    def __init__(self, codec):
        pass

class Broken(Pair):
    def __init__(self):
        raise OSError("no disk")

class Exact(Pair):
    def __init__(self, limit: float):
        self.limit = limit

def made(*, limit: int) -> Pair:
    return Pair(limit)

pair = Pair(7)
number = 7
plain = lambda message, link: None
plain_object = type("Plain", (), {"filter": lambda self, message, link: None})()
"""


class LoadPairTests(LoadingCase):
    """`load_filter_pair`."""

    def setUp(self) -> None:
        """Write pairs."""
        super().setUp()
        self.write("both.py", PAIRS)

    def test_found(self) -> None:
        """A name is that of an object, or of a class that is made without arguments or with options."""
        for name, limit in (
            ("both:pair", 7),
            ("both:Pair", 3),
            ("both:Pair:limit=5", 5),
            ("both:Exact:limit=2.5", 2.5),
            ("both:made:limit=2", 2),
        ):
            found: Any = load_filter_pair(name)
            self.assertEqual((found.limit, module_of(name)), (limit, "both"))

    def test_ready(self) -> None:
        """A pair of this package has a short name, and options."""
        self.assertIsInstance(load_filter_pair("log"), FilterPair)
        self.assertIsInstance(load_filter_pair("rate-limit:rate=2.5:burst=3"), FilterPair)
        self.assertIs(module_of("log:sample=0.5"), None)

    def test_name_of_a_ready_one(self) -> None:
        """A module may have the name of a pair of this package."""
        self.write("log.py", "pair = type('Pair', (), {'for_link': lambda self, link: (None, None)})()\n")
        self.assertEqual(type(load_filter_pair("log:pair")).__name__, "Pair")
        self.assertEqual(module_of("log:pair"), "log")

    def test_wrong(self) -> None:
        """What cannot be loaded, or has wrong options, is told, and why."""
        names = ", ".join(READY_FILTERS)
        one = "is the filter of one direction: use the option to-server-filter or to-client-filter"
        for name, message in (
            (
                "logs",
                f"must be one of {names}, or package.module:name, not 'logs'; did you mean log?",
            ),
            ("log:0", "log: sample must be above 0 and at most 1, not 0.0"),
            (
                "log:0.5:1",
                "log: an option must be written as name=value, not '1' (only sample may stand without a name)",
            ),
            (
                "both:Pair:limt=3",
                "both:Pair: there is no option 'limt'; the options are: limit; did you mean limit?",
            ),
            (
                "redis-commands:keys=app:*",
                f"redis-commands: an option must be written as name=value, not '*'; {COLON}",
            ),
            ("both:none", "module both has no 'none'"),
            ("both:number", "both:number: a pair of filters must be an object with a method for_link, not 7"),
            ("both:plain", f"both:plain {one}"),
            ("both:plain_object", f"both:plain_object {one}"),
            ("both:made", f"both:made {one}"),
            ("both:pair:limit=3", "both:pair: it is made already, and takes no options"),
            ("both:Pair:limit=x", "both:Pair: limit must be a whole number, not 'x'"),
            ("both:Pair:size=3", "both:Pair: there is no option 'size'; the options are: limit"),
            ("log:sample=2", "log: sample must be above 0 and at most 1, not 2.0"),
            ("log:direction=up", "log: direction must be both, to-server or to-client, not 'up'"),
            ("rate-limit", "rate-limit: rate is missing; write rate="),
            (
                "rate-limit:rate=0",
                "rate-limit: rate must be from 0.000001 to 1,000,000,000, not 0.0",
            ),
        ):
            self.assert_fails(load_filter_pair, name, message)
        error = str(self.assertRaises(LoadingError, load_filter_pair, "both:Broken"))
        self.assertEqual(error, "cannot make the filter both:Broken: OSError: no disk (both.py, line 15)")
        error = str(self.assertRaises(LoadingError, load_filter_pair, "both:Needing"))
        self.assertIn("cannot make the filter both:Needing: TypeError: ", error)
