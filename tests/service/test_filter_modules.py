"""Filter modules that are reloaded: which, what becomes of the old ones, and what if that fails."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from twisted_repeater.service import filter_metrics
from twisted_repeater.service.filter_modules import FilterModules
from twisted_repeater.service.loaded_modules import home_of
from twisted_repeater.service.loading import LoadingError

from ..modules import ModuleCase
from .test_filter_metrics import leave_registered


class FilterModulesCase(ModuleCase):
    """A test case with a filter in a module, whose verdict is whatever ``answer`` says."""

    def answer(self, modules: FilterModules, key: str = "to_server_filter") -> Any:
        """Ask a filter."""
        found: Any = modules.filters[key]
        return getattr(found, "filter", found)(None, None)

    def load(self, name: str = "rules:decide") -> FilterModules:
        """Load one filter."""
        return FilterModules({"to_server_filter": name})


class ReloadTests(FilterModulesCase):
    """`FilterModules.reload`."""

    def test_new_text(self) -> None:
        """The new text counts, also when its file has the size and the second of the old one."""
        path = self.write("rules.py", "def decide(message, link):\n    return 'a'\n")
        modules = self.load()
        self.assertEqual(self.answer(modules), "a")
        status = path.stat()
        for letter in "bcd":
            self.write("rules.py", f"def decide(message, link):\n    return '{letter}'\n")
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
            modules.reload()
            self.assertEqual(self.answer(modules), letter)

    def test_helpers(self) -> None:
        """A module that lies beside the filter's is reloaded with it, whichever of them changed."""
        self.write("limits.py", "limit = 1\n")
        self.write("rules.py", "from limits import limit\ndef decide(message, link):\n    return limit\n")
        modules = self.load()
        self.write("limits.py", "limit = 20\n")
        modules.reload()
        self.assertEqual(self.answer(modules), 20)
        self.assertIs(sys.modules["limits"].limit, 20)

    def test_directory_that_cannot_be_read(self) -> None:
        """Where a package without a file cannot be looked up, the old modules come back all the same."""
        self.write("spread/limits.py", "limit = 7\n")
        self.write("rules.py", "from spread.limits import limit\ndef decide(message, link):\n    return limit\n")
        modules = self.load()
        old = sys.modules["spread.limits"]

        class Unreadable:
            """The path of a package, in a directory that cannot be listed."""

            def __iter__(self) -> Any:
                raise OSError(24, "too many files")

        def refuse(filters: dict[str, Any]) -> None:
            vars(sys.modules["spread"])["__path__"] = Unreadable()
            raise ValueError("no")

        self.assertRaises(LoadingError, modules.reload, refuse)
        self.assertIs(sys.modules["spread.limits"], old)
        modules.reload()
        self.assertEqual(self.answer(modules), 7)

    def test_packages(self) -> None:
        """So are the modules of the filter's own package, and those imported later, in a function."""
        self.write("desk/__init__.py", "")
        self.write("desk/inner/limits.py", "limit = 1\n")
        self.write(
            "desk/rules.py", "def decide(message, link):\n    from .inner import limits\n    return limits.limit\n"
        )
        modules = self.load("desk.rules:decide")
        self.assertEqual(self.answer(modules), 1)
        self.write("desk/inner/limits.py", "limit = 20\n")
        modules.reload()
        self.assertEqual(self.answer(modules), 20)

    def test_one_module_for_both(self) -> None:
        """Two filters of one module have one module after as before."""
        self.write("rules.py", "seen = []\ndef up(message, link):\n    return seen\ndown = up\n")
        modules = FilterModules({"to_server_filter": "rules:up", "to_client_filter": "rules:down"})
        old = self.answer(modules)
        modules.reload()
        new = self.answer(modules)
        self.assertIsNot(new, old)
        self.assertIs(self.answer(modules, "to_client_filter"), new)

    def test_what_was_there_before_stays(self) -> None:
        """A module that was loaded before the filters is not reloaded: messages are of its types."""
        self.write("orders.py", "class Order:\n    pass\n")
        self.write("rules.py", "import json\nfrom orders import Order\ndef decide(message, link):\n    return Order\n")
        order = importlib.import_module("orders").Order
        modules = self.load()
        json = sys.modules["json"]
        modules.reload()
        self.assertIs(self.answer(modules), order)
        self.assertIs(sys.modules["json"], json)

    def test_package_that_stays(self) -> None:
        """A package that was loaded before stays, the modules in it that belong to the filter don't."""
        self.write("desk/__init__.py", "")
        self.write("desk/limits.py", "limit = 1\n")
        self.write("desk/rules.py", "from . import limits\ndef decide(message, link):\n    return limits.limit\n")
        desk = importlib.import_module("desk")
        modules = self.load("desk.rules:decide")
        self.write("desk/limits.py", "limit = 20\n")
        modules.reload()
        self.assertEqual(self.answer(modules), 20)
        self.assertIs(sys.modules["desk"], desk)
        self.write("desk/limits.py", "limit = 300\n")
        self.write("desk/rules.py", "from . import limits\nraise ValueError\n")
        self.assertRaises(LoadingError, modules.reload)
        self.assertEqual(desk.limits.limit, 20)

    def test_filter_beside_the_dialect(self) -> None:
        """A filter whose own module was loaded before stays, and after a change of its file it is said to be stuck."""
        self.write("rules.py", "def decide(message, link):\n    return 1\n")
        importlib.import_module("rules")
        modules = self.load()
        self.assertEqual(modules.fixed, ["rules"])
        modules.reload()
        self.assertEqual((self.answer(modules), modules.stuck("to_server_filter")), (1, False))
        self.write("rules.py", "def decide(message, link):\n    return 2\n")
        self.assertFalse(modules.needs_reload(modules.names, modules.pairs))
        modules.reload()
        self.assertEqual((self.answer(modules), modules.stuck("to_server_filter")), (1, True))

    def test_this_package_stays(self) -> None:
        """This package is not reloaded, even where it lies beside the filter."""
        import twisted_repeater

        self.write("rules.py", "def decide(message, link):\n    return 1\n")
        modules = self.load()
        modules._homes.add(Path(twisted_repeater.__file__).parents[1])
        # The tests lie there, too: other tests would miss them, and their packages would miss them as attributes.
        modules._kept = frozenset(name for name in sys.modules if name.partition(".")[0] == "tests")
        before = sys.modules["twisted_repeater.verdicts"]
        modules.reload()
        self.assertIs(sys.modules["twisted_repeater.verdicts"], before)

    def test_no_filters(self) -> None:
        """Without filters nothing is loaded."""
        self.assertEqual(FilterModules({}).reload(), {})


class FailureTests(FilterModulesCase):
    """Filters that cannot be loaded."""

    def assert_stays(self, modules: FilterModules, message: str) -> None:
        """It cannot be reloaded for this reason, and nothing changes."""
        before, loaded = modules.filters, dict(sys.modules)
        error = self.assertRaises(LoadingError, modules.reload)
        self.assertEqual(str(error), message)
        self.assertIs(modules.filters, before)
        self.assertEqual(sys.modules, loaded)

    def test_old_one_stays(self) -> None:
        """The old filter and its modules stay as they were, those that were loaded well already included."""
        self.write("desk/__init__.py", "")
        self.write("desk/limits.py", "limit = 1\n")
        self.write("desk/rules.py", "from . import limits\ndef decide(message, link):\n    return limits.limit\n")
        modules = self.load("desk.rules:decide")
        self.write("desk/limits.py", "limit = 20\n")
        self.write("desk/rules.py", "from . import limits\nwrong = 1 / 0\n")
        self.assert_stays(modules, "cannot import desk.rules: ZeroDivisionError: division by zero (rules.py, line 2)")
        self.assertEqual(self.answer(modules), 1)
        desk = sys.modules["desk"]
        self.assertEqual((desk.limits.limit, desk.rules), (1, sys.modules["desk.rules"]))

    def test_name_is_gone(self) -> None:
        """A module without the filter's name does not replace it."""
        self.write("rules.py", "def decide(message, link):\n    return 1\n")
        modules = self.load()
        self.write("rules.py", "")
        self.assert_stays(modules, "module rules has no 'decide'")

    def test_interrupted(self) -> None:
        """Nor does one during whose loading somebody loses patience, who is told."""
        self.write("rules.py", "def decide(message, link):\n    return 1\n")
        modules = self.load()
        before = sys.modules["rules"]
        self.write("rules.py", "raise KeyboardInterrupt\n")
        self.assertRaises(KeyboardInterrupt, modules.reload)
        self.assertIs(sys.modules["rules"], before)

    def test_module_is_gone(self) -> None:
        """Nor does a file that is gone."""
        path = self.write("rules.py", "def decide(message, link):\n    return 1\n")
        modules = self.load()
        path.unlink()
        self.assert_stays(modules, "cannot import rules: ModuleNotFoundError: No module named 'rules'")


STATEFUL = """
class Filter:
    version = {version}
    def __init__(self):
        self.seen = []
    def __call__(self, message, link):
        return self.seen
    def migrate(self, old):
        self.seen = old.seen{seen}
"""


class MigrationTests(FilterModulesCase):
    """Filters that take over the state of those before them."""

    def test_object(self) -> None:
        """A filter's method ``migrate`` is called with the old filter."""
        self.write("rules.py", STATEFUL.format(version=1, seen=""))
        modules = self.load("rules:Filter")
        self.answer(modules).append("one")
        self.write("rules.py", STATEFUL.format(version=2, seen=""))
        modules.reload()
        self.assertEqual(getattr(modules.filters["to_server_filter"], "version", None), 2)
        self.assertEqual(self.answer(modules), ["one"])

    def test_function(self) -> None:
        """For a function it is the function ``migrate`` beside it."""
        text = (
            "seen = []\ndef decide(message, link):\n    return seen\n"
            "def migrate(old):\n    seen.extend(old.__globals__['seen'])\n"
        )
        self.write("rules.py", text)
        modules = self.load()
        self.answer(modules).append("one")
        modules.reload()
        self.assertEqual(self.answer(modules), ["one"])

    def test_any_filter(self) -> None:
        """So it is for any other filter without a method: decorated, made, or from another module."""
        self.write("more.py", "def other(message, link):\n    return 'other'\n")
        self.write(
            "rules.py",
            "import functools\nfrom more import other\nfrom twisted_repeater.filters import wants\n"
            "from twisted_repeater.selectors import first_byte\ntaken = []\n"
            "@wants(first_byte(b'O'))\ndef decorated(message, link):\n    pass\n"
            "@functools.cache\ndef cached(message, link):\n    pass\n"
            "partial = functools.partial(lambda other, message, link: None, 1)\n"
            "class Plain:\n    def __call__(self, message, link):\n        pass\n"
            "def migrate(old):\n    taken.append(old)\n",
        )
        for name in ("decorated", "cached", "partial", "Plain", "other"):
            modules = self.load(f"rules:{name}")
            old = modules.filters["to_server_filter"]
            modules.reload()
            self.assertEqual(sys.modules["rules"].taken, [getattr(old, "provider", old)])
            self.forget(frozenset(), sys.path)

    def test_later(self) -> None:
        """A filter that takes over later does not take over at all, and that is said."""
        self.write(
            "rules.py",
            "def decide(message, link):\n    return 1\nasync def migrate(old):\n    raise AssertionError\n",
        )
        modules = self.load()
        error = self.assertRaises(LoadingError, modules.reload)
        self.assertEqual(
            str(error),
            "rules:decide: cannot migrate: "
            "TypeError: migrate must be done when it returns, for decide it returned a coroutine",
        )

    def test_failure(self) -> None:
        """A filter that cannot take over does not."""
        self.write("rules.py", STATEFUL.format(version=1, seen=""))
        modules = self.load("rules:Filter")
        self.write("rules.py", STATEFUL.format(version=2, seen=".no_such"))
        error = self.assertRaises(LoadingError, modules.reload)
        self.assertEqual(
            str(error),
            "rules:Filter: cannot migrate: AttributeError: 'list' object has no attribute 'no_such' (rules.py, line 9)",
        )
        self.assertEqual(getattr(modules.filters["to_server_filter"], "version", None), 1)


METRIC = """
from prometheus_client import Counter, REGISTRY
SEEN = Counter("tests_orders_seen", "Orders")
def decide(message, link):
    SEEN.inc()
    return {answer}
"""

COUNTING = """
from prometheus_client import Counter

class Counting:
    def __init__(self):
        self.seen = Counter("tests_orders_seen", "Orders", ["client"])

    def __call__(self, message, link):
        self.seen.labels(client="ann").inc()

    def migrate(self, old):
        for metric in old.seen.collect():
            for sample in metric.samples:
                if sample.name.endswith("_total"):
                    self.seen.labels(**sample.labels).inc(sample.value)
"""


class MetricTests(FilterModulesCase):
    """Modules that register metrics with ``prometheus_client``, which refuses a second one of the same name."""

    def setUp(self) -> None:
        """Remember the registered metrics."""
        super().setUp()
        try:
            from prometheus_client import REGISTRY
        except ImportError:
            raise SkipTest("prometheus_client is missing") from None
        self.registry = REGISTRY
        self.before = filter_metrics.registered()
        self.addCleanup(leave_registered, self.before)

    def seen(self, **labels: str) -> float | None:
        """Return the registry's count of orders."""
        return self.registry.get_sample_value("tests_orders_seen_total", labels)

    def test_again(self) -> None:
        """The metric of the new module takes the place of the old one, each time."""
        self.write("rules.py", METRIC.format(answer=1))
        modules = self.load()
        for answer in (2, 3):
            self.answer(modules)
            self.write("rules.py", METRIC.format(answer=answer))
            modules.reload()
            self.assertEqual((self.answer(modules), self.seen()), (answer, 1))
        self.write("rules.py", "def decide(message, link):\n    return 4\n")
        modules.reload()
        self.assertEqual(filter_metrics.registered(), self.before)

    def test_failure(self) -> None:
        """After an attempt that failed, in the module or later, the old metric counts on, and the next one succeeds."""
        self.write("rules.py", METRIC.format(answer=1))
        modules = self.load()
        self.answer(modules)
        there = filter_metrics.registered()
        for wrong in (METRIC.format(answer=2) + "rubbish\n", METRIC.format(answer=2).replace("decide", "other")):
            self.write("rules.py", wrong)
            self.assertRaises(LoadingError, modules.reload)
            self.assertEqual(filter_metrics.registered(), there)
        self.write("rules.py", METRIC.format(answer=2))

        def refuse(filters: dict[str, Any]) -> None:
            raise ValueError("no")

        self.assertRaises(LoadingError, modules.reload, refuse)
        self.assertEqual((self.answer(modules), self.seen()), (1, 2))
        modules.reload()
        self.assertEqual((self.answer(modules), self.seen()), (2, 1))

    def test_first_in_a_failed_attempt(self) -> None:
        """A metric that a failed attempt was the first to make does not stand in the way of the next."""
        self.write("rules.py", "def decide(message, link):\n    return 1\n")
        modules = self.load()
        self.write("rules.py", METRIC.format(answer=2) + "rubbish\n")
        self.assertRaises(LoadingError, modules.reload)
        self.assertEqual(filter_metrics.registered(), self.before)
        self.write("rules.py", METRIC.format(answer=2))
        modules.reload()
        self.assertEqual((self.answer(modules), self.seen()), (2, 1))

    def test_value_goes_on(self) -> None:
        """A filter that makes its metric when it is made can go on from the old value, in ``migrate``."""
        self.write("rules.py", COUNTING)
        modules = self.load("rules:Counting")
        self.answer(modules)
        for number in (2, 3):
            modules.reload()
            self.answer(modules)
            self.assertEqual(self.seen(client="ann"), number)

    def test_taken_back(self) -> None:
        """A filter that has unregistered its metric itself is loaded again all the same."""
        self.write("rules.py", METRIC.format(answer=1) + "REGISTRY.unregister(SEEN)\n")
        modules = self.load()
        modules.reload()
        self.assertEqual(filter_metrics.registered(), self.before)


class ChangedTests(FilterModulesCase):
    """`FilterModules.changed`."""

    def setUp(self) -> None:
        """Load a filter that needs a module."""
        super().setUp()
        self.limits = self.write("limits.py", "limit = 1\n")
        self.write("rules.py", "import limits\ndef decide(message, link):\n    return limits.limit\n")
        self.modules = self.load()

    def test_settled(self) -> None:
        """A change is told once the file is left alone between two questions, until it is loaded."""
        self.assertFalse(self.modules.changed())
        self.write("limits.py", "limit = 20\n")
        self.assertFalse(self.modules.changed())
        self.write("limits.py", "limit = 200\n")
        self.assertFalse(self.modules.changed())
        self.assertTrue(self.modules.changed())
        self.assertTrue(self.modules.changed())
        self.modules.reload()
        self.assertFalse(self.modules.changed())

    def test_failure_is_not_tried_again(self) -> None:
        """What could not be loaded is not told again until something changes."""
        self.write("limits.py", "limit = = 20\n")
        self.modules.changed()
        self.assertTrue(self.modules.changed())
        self.assertRaises(LoadingError, self.modules.reload)
        self.assertFalse(self.modules.changed())
        self.write("limits.py", "limit = 20\n")
        self.modules.changed()
        self.assertTrue(self.modules.changed())

    def test_lack_that_passes(self) -> None:
        """What could not be loaded for a lack of descriptors or memory is tried again, though no file has changed."""
        for lack in ("OSError(24, 'too many files')", "MemoryError()", "KeyError() from OSError(23, 'no more')"):
            self.write("lack.py", f"def check():\n    raise {lack}\n")
            self.write("limits.py", f"import lack\nlack.check()\nlimit = {len(lack)}\n")
            self.modules.changed()
            for _ in range(3):
                self.assertTrue(self.modules.changed())
                self.assertRaises(LoadingError, self.modules.reload)
                self.assertTrue(self.modules.passing)
            self.write("lack.py", "def check(): pass\n")
            self.modules.changed()
            self.assertTrue(self.modules.changed())
            self.modules.reload()
            self.assertEqual(self.answer(self.modules), len(lack))
            self.assertFalse(self.modules.passing or self.modules.changed())

    def test_failing_module_is_watched(self) -> None:
        """A module that could not be loaded for the first time is looked at too."""
        for text in ("limit = 1 / 0\n", "limit = \n"):
            self.write("more.py", text)
            self.write("limits.py", f"from more import limit  # {text}")
            self.assertRaises(LoadingError, self.modules.reload)
            self.assertFalse(self.modules.changed())
            self.write("more.py", "limit = 300\n")
            self.modules.changed()
            self.assertTrue(self.modules.changed())
        self.modules.reload()
        self.assertEqual(self.answer(self.modules), 300)

    def test_imported_later(self) -> None:
        """A module that a filter has imported since, in a function, is looked at too."""
        self.write("more.py", "limit = 1\n")
        self.write("rules.py", "def decide(message, link):\n    from more import limit\n    return limit\n")
        self.modules.reload()
        self.assertFalse(self.modules.changed())
        self.answer(self.modules)
        self.assertFalse(self.modules.changed())
        self.write("more.py", "limit = 20\n")
        self.modules.changed()
        self.assertTrue(self.modules.changed())
        self.modules.reload()
        self.assertEqual(self.answer(self.modules), 20)

    def test_missing_module(self) -> None:
        """So is one that is missing, until it is there."""
        self.write("desk/__init__.py", "")
        for number, (statement, path) in enumerate(
            (
                ("import more", "more.py"),
                ("import some.thing", "some/thing.py"),
                ("import desk.limits", "desk/limits/__init__.py"),
                ("from desk import rules", "desk/rules.py"),
            )
        ):
            self.write("limits.py", f"{statement}\nlimit = {number}\n")
            self.assertRaises(LoadingError, self.modules.reload)
            self.assertFalse(self.modules.changed())
            self.write(path, "")
            self.modules.changed()
            self.assertTrue(self.modules.changed(), statement)
            self.modules.reload()
            self.assertEqual(self.answer(self.modules), number)

    def test_missing_name(self) -> None:
        """If an import error has no name, no file is waited for."""
        self.write("limits.py", "raise ImportError('no')\n")
        self.assertRaises(LoadingError, self.modules.reload)
        self.assertFalse(self.modules.changed())

    def test_odd_errors(self) -> None:
        """An error that names a file or a module that there cannot be leaves all as it was."""
        for text in (
            f"exec(compile('1 / 0', {'x' * 5000!r}, 'exec'))",
            "exec(compile('1 / 0', 'x\\0y', 'exec'))",
            "raise ImportError('no', name='x\\0y')",
            "raise ImportError('no', name=3)",
            "raise SystemExit(3)",
            "class Odd(Exception): pass\nraise Odd",
        ):
            self.write("limits.py", f"{text}\n")
            self.assertRaises(LoadingError, self.modules.reload)
            self.assertEqual(self.answer(self.modules), 1)
            self.assertEqual(sys.modules["limits"].limit, 1)
            self.assertFalse(self.modules.changed())

    def test_interrupted(self) -> None:
        """Ctrl-C while a module is loaded passes, all else is the failure of the module; both leave all as it was."""
        for error, raised in (("KeyboardInterrupt", KeyboardInterrupt), ("GeneratorExit", LoadingError)):
            self.write("limits.py", f"raise {error}\n")
            self.assertRaises(raised, self.modules.reload)
            self.assertEqual(self.answer(self.modules), 1)
            self.assertEqual(sys.modules["limits"].limit, 1)
            self.assertFalse(self.modules.changed())

    def test_file_is_gone(self) -> None:
        """A file that is gone has changed."""
        self.limits.unlink()
        self.modules.changed()
        self.assertTrue(self.modules.changed())


class HomeTests(SynchronousTestCase):
    """The directory that a module's top-level package is in."""

    def test_homes(self) -> None:
        """It is found from the module's name and file; a module without a sensible file has none."""
        for name, file, home in [
            ("rules", "/desk/rules.py", Path("/desk")),
            ("a.b.rules", "/desk/a/b/rules.py", Path("/desk")),
            ("a.b", "/desk/a/b/__init__.py", Path("/desk")),
            ("a.b.c.d", "/rules.py", None),
            ("built_in", None, None),
        ]:
            module = type(sys)(name)
            module.__file__ = file
            self.assertEqual(home_of(name, module), home)


PAIR = """
class Pair:
    def __init__(self, start: int = 0):
        self.start = start
        self.before = None

    def for_link(self, link):
        return ({answer}, self.before)

    def migrate(self, old):
        self.before = old.start
"""


class PairTests(FilterModulesCase):
    """Pairs of filters."""

    def made(self, modules: FilterModules) -> list[Any]:
        """Return what each pair returns for a link."""
        return [member.for_link(None) for member in modules.filters["filters"].members]

    def test_reload(self) -> None:
        """Pairs form a chain; each is reloaded with its options, and takes over from the one before it."""
        self.write("rules.py", PAIR.format(answer=1))
        modules = FilterModules({}, ["rules:Pair:start=5", "log", "rules:Pair"])
        members = modules.filters["filters"].members
        self.assertEqual(self.made(modules)[::2], [(1, None), (1, None)])
        self.write("rules.py", PAIR.format(answer=20))
        modules.reload()
        self.assertEqual(self.made(modules)[::2], [(20, 5), (20, 0)])
        self.assertIs(modules.filters["filters"].members[1], members[1])

    def test_failure(self) -> None:
        """If a pair cannot be loaded, take over, or be used, the old ones stay."""
        self.write("rules.py", PAIR.format(answer=1))
        modules = FilterModules({}, ["rules:Pair"])
        old = modules.filters["filters"]
        self.write("rules.py", "Pair = 7\n")
        self.assertRaises(LoadingError, modules.reload)
        self.write("rules.py", PAIR.format(answer=20).replace("old.start", "old.nothing"))
        error = self.assertRaises(LoadingError, modules.reload)
        self.assertIn("rules:Pair: cannot migrate: AttributeError", str(error))
        self.write("rules.py", PAIR.format(answer=300))

        def refuse(filters: dict[str, Any]) -> None:
            raise ValueError("no")

        self.assertRaises(LoadingError, modules.reload, refuse)
        self.assertIs(modules.filters["filters"], old)
        modules.reload()
        self.assertEqual(self.made(modules), [(300, 0)])

    def test_order(self) -> None:
        """Pairs that form no chain are an error that names the option."""
        self.write(
            "rules.py",
            "from twisted_repeater.filters import in_order\n"
            "pair = in_order(lambda message, link: None, ends_answer=bool, asks=bool)\n",
        )
        error = self.assertRaises(LoadingError, FilterModules, {}, ["rules:pair", "log"])
        self.assertEqual(
            str(error),
            "--filter: TypeError: in_order must be the last in a chain: filters after it could answer out of turn",
        )


class SeveralTests(FilterModulesCase):
    """The filters of several repeaters, and what a reload changes."""

    def test_where(self) -> None:
        """An error begins with the place of the description, unless it has one already."""
        for text in ("nowhere:f", "lines-refuse:match=a:b"):
            for names, pairs in (({"edge/to-server-filter": text}, {}), ({}, {"edge/filter": [text]})):
                error = self.assertRaises(LoadingError, FilterModules, names, pairs, where="at {}".format)
                self.assertTrue(str(error).startswith("at edge/"), error)

    def test_only_new(self) -> None:
        """If no file has changed, only filters with other descriptions are loaded; others stay as they are."""
        self.write("rules.py", "def decide(message, link):\n    return 1\ndef other(message, link):\n    return 2\n")
        names = {"a/to-server-filter": "rules:decide", "b/to-server-filter": "rules:decide"}
        modules = FilterModules(names, {"a/filter": ["log"]})
        before = dict(modules.filters)
        self.assertFalse(modules.needs_reload(modules.names, modules.pairs))
        got: list[Any] = []
        names = {**names, "b/to-server-filter": "rules:other"}
        self.assertTrue(modules.needs_reload(names, modules.pairs))
        modules.reload(got.append, names, {}, again=modules.stale)
        self.assertEqual(got, [{"b/to-server-filter": modules.filters["b/to-server-filter"], "a/filter": None}])
        self.assertIs(modules.filters["a/to-server-filter"], before["a/to-server-filter"])
        self.assertEqual(self.answer(modules, "b/to-server-filter"), 2)

    def test_failure(self) -> None:
        """If the new filters fail, what they have loaded is forgotten, and what was there stays."""
        modules = FilterModules({})
        self.write("rules.py", "1 / 0\n")
        self.assertRaises(LoadingError, modules.reload, lambda _: None, {"a/to-server-filter": "rules:decide"})
        self.assertEqual((modules.names, modules.filters), ({}, {}))
        self.write("rules.py", "def decide(message, link):\n    return 1\n")
        modules.reload(names={"a/to-server-filter": "rules:decide"})
        self.assertEqual(self.answer(modules, "a/to-server-filter"), 1)

    def test_named_files(self) -> None:
        """The content of files that options name counts, without reloading any module."""
        file = self.write("allowed.txt", "^price\n")
        self.write(
            "rules.py",
            "class Pair:\n"
            "    def __init__(self, *, file: str):\n        self.text = __import__('pathlib').Path(file).read_text()\n"
            "    def for_link(self, link):\n        return None, None\n",
        )
        modules = FilterModules({}, [f"rules:Pair:file={file}", "log"])
        allow, log = modules.filters["filters"].members
        self.assertFalse(modules.needs_reload(modules.names, modules.pairs))
        file.write_text("^order\n")
        self.assertTrue(modules.needs_reload(modules.names, modules.pairs))
        self.assertFalse(modules.stale)
        modules.reload(again=False)
        self.assertEqual((modules.filters["filters"].members[0].text, allow.text), ("^order\n", "^price\n"))
        self.assertIs(modules.filters["filters"].members[1], log)
        self.assertFalse(modules.needs_reload(modules.names, modules.pairs))

    def test_same_again(self) -> None:
        """A chain whose members all stay is the same object."""
        modules = FilterModules({}, ["log", "log"])
        before = modules.filters["filters"]
        modules.reload()
        self.assertIs(modules.filters["filters"], before)

    def test_kept(self) -> None:
        """Modules that a dialect has loaded later are never reloaded."""
        self.write("orders.py", "class Order:\n    pass\n")
        self.write("rules.py", "import orders\ndef decide(message, link):\n    return orders.Order\n")
        modules = self.load()
        order = self.answer(modules)
        modules.keep(["orders"])
        modules.reload()
        self.assertIs(self.answer(modules), order)

    def test_watched(self) -> None:
        """Other files are looked at, too, until they are noted."""
        file = self.write("edge.toml", "a")
        modules = FilterModules({})
        modules.watched.add(str(file))
        self.assertFalse(modules.changed())
        file.write_text("b")
        self.assertFalse(modules.changed())
        self.assertTrue(modules.changed())
        modules.note_watched()
        self.assertFalse(modules.changed())
