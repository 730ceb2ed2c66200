"""The layout of the package: imports go down its rows, and no module needs a reactor to be imported."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from .paths import PACKAGE, TESTS

LEVELS: list[set[str]] = [
    {
        "errors",
        "fleet",
        "link",
        "model",
        "verdicts",
        "interfaces",
        "selectors",
        "_coroutines",
        "_pending",
        "_progress",
        "_renewal",
        "_slices",
        "_text",
        "_types",
        "tls_options",
    },
    {"framings", "codecs"},
    {"dialects", "observers", "filters", "faults", "holding", "watching", "_watched"},
    {"_lane"},
    {"_sockets"},
    {"_link"},
    {"_alone", "_repeater", "_repeater_fleet"},
    {"ctl", "recording", "redis_fleet", "replay", "service", "testing", "__main__"},
    {"__init__"},
]
"""The rooms of the package, the lowest row first. A module may import from its own row and from the rows that stand
before it."""

LAST_SANS_IO = "_lane"
"""The modules up to this row know no transport, protocol, endpoint or reactor."""

IO_MODULES = (
    "socket.",
    "twisted.application.",
    "twisted.protocols.",
    "twisted.internet.abstract.",
    "twisted.internet.base.",
    "twisted.internet.endpoints.",
    "twisted.internet.protocol.",
    "twisted.internet.reactor.",
    "twisted.internet.ssl.",
    "twisted.internet.task.",
    "twisted.internet.tcp.",
    "twisted.internet.unix.",
)


NEED_TLS_OPTIONS = ("dialects.postgres.tls", "tls_options")
"""The options of TLS are in ``twisted.internet.ssl``, which also does input and output; these need the options."""


def name_of(path: Path) -> str:
    """Return the dotted name of a module inside the package: ``_lane``, ``dialects.int32``, ``dialects.__init__``."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


SOURCES = {name_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def level_of(module: str) -> int:
    """Return the number of the row that a module of the package stands in."""
    top = module.partition(".")[0]
    for level, modules in enumerate(LEVELS):
        if top in modules:
            return level
    raise LookupError(f"{module} is missing from LEVELS: add it")


def own_target(package: list[str], name: str) -> str:
    """Return the module of ours that ``import`` of a dotted name loads last; ``package`` is where the name starts."""
    parts = [*package, *name.split(".")] if name else package
    while parts and ".".join(parts) not in SOURCES and ".".join([*parts, "__init__"]) not in SOURCES:
        parts = parts[:-1]  # the last part is a name in a module
    dotted = ".".join(parts)
    return dotted if dotted in SOURCES else ".".join([*parts, "__init__"])


def imported_names(module: str, tree: ast.AST) -> Iterator[str]:
    """Return the full dotted names of all that a module imports, at whatever depth; our own begin with a dot."""
    here = module.split(".")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = here[: len(here) - node.level + 1]
                base = "." + ".".join([*package, *([base] if base else [])])
            names = [f"{base}.{alias.name}".replace("..", ".") for alias in node.names]
        else:
            continue
        for name in names:
            yield name.removeprefix("twisted_repeater") if name.startswith("twisted_repeater.") else name


def own_imports(module: str, *, for_types: bool = True) -> set[str]:
    """Return the modules of ours that a module imports, with or without those that only type checkers read."""
    tree = ast.parse(SOURCES[module].read_text())
    if not for_types:
        tree.body = [statement for statement in tree.body if not is_for_type_checkers(statement)]
    names = imported_names(module, tree)
    return {own_target([], name[1:]) for name in names if name.startswith(".")} - {module}


def is_for_type_checkers(statement: ast.stmt) -> bool:
    """Return whether a statement is ``if TYPE_CHECKING:``."""
    return isinstance(statement, ast.If) and ast.unparse(statement.test) == "TYPE_CHECKING"


def circle_in(imports: dict[str, set[str]]) -> list[str]:
    """Return the modules of a circle of imports, an empty list if there is none."""
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        circle: list[str] = error.args[1]
        return circle
    return []


class LevelTests(SynchronousTestCase):
    """Imports go down."""

    def test_nine_rows(self) -> None:
        """The package can be read in nine steps, each of which builds on those before."""
        self.assertLessEqual(len(LEVELS), 9)

    def test_each_module_has_a_level(self) -> None:
        """Every module of the package is in the table."""
        for module in SOURCES:
            level_of(module)

    def test_imports_go_down(self) -> None:
        """No module imports from a row that comes after its own."""
        wrong = [
            f"{module} imports {target}"
            for module in SOURCES
            for target in own_imports(module)
            if level_of(target) > level_of(module)
        ]
        self.assertEqual(wrong, [])

    def test_no_circles(self) -> None:
        """Modules can be imported one after the other: none needs one that needs it, in whatever room they are."""
        self.assertEqual(circle_in({module: own_imports(module, for_types=False) for module in SOURCES}), [])

    def test_a_circle_is_found(self) -> None:
        """Three modules that need each other are a circle, and are named."""
        self.assertEqual(circle_in({"a": {"b"}, "b": {"c"}, "c": set()}), [])
        self.assertEqual(set(circle_in({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}})), {"a", "b", "c"})

    def test_the_core_is_sans_io(self) -> None:
        """The lower rows import nothing that does input or output."""
        wrong = [
            f"{module} imports {name}"
            for module in SOURCES
            if level_of(module) <= level_of(LAST_SANS_IO)
            for name in imported_names(module, ast.parse(SOURCES[module].read_text()))
            if f"{name}.".startswith(IO_MODULES)
            and not (module in NEED_TLS_OPTIONS and name.startswith("twisted.internet.ssl"))
        ]
        self.assertEqual(wrong, [])

    def test_the_reader_of_imports(self) -> None:
        """Every way to write an import is understood."""
        source = (
            "import os.path\n"
            "from . import model\n"
            "from .errors import ParseError\n"
            "def later():\n"
            "    from ..codecs import RawCodec\n"
            "    import twisted_repeater._lane.lane\n"
            "    from twisted_repeater.dialects import int32\n"
        )
        self.assertEqual(
            list(imported_names("dialects.other", ast.parse(source))),
            [
                "os.path",
                ".dialects.model",
                ".dialects.errors.ParseError",
                ".codecs.RawCodec",
                "._lane.lane",
                ".dialects.int32",
            ],
        )
        self.assertEqual(own_target([], "errors.ParseError"), "errors")
        self.assertEqual(own_target([], "dialects"), "dialects.__init__")
        self.assertEqual(own_target([], "Repeater"), "__init__")


class TestsTests(SynchronousTestCase):
    """The tests themselves."""

    def test_each_says_what_it_promises(self) -> None:
        """Every test has a docstring."""
        silent = []
        for path in sorted(TESTS.rglob("test_*.py")):
            for case in ast.walk(ast.parse(path.read_text())):
                for test in case.body if isinstance(case, ast.ClassDef) else ():
                    named = isinstance(test, ast.FunctionDef | ast.AsyncFunctionDef) and test.name.startswith("test_")
                    if named and not ast.get_docstring(test):  # type: ignore[arg-type]
                        silent.append(f"{path.relative_to(TESTS)}:{test.lineno}")
        self.assertEqual(silent, [])


class ReactorTests(SynchronousTestCase):
    """A reactor is installed by whoever runs the program, not by an import."""

    def test_no_import_installs_a_reactor(self) -> None:
        """After every module of the package was imported, no reactor is installed yet."""
        modules = [f"twisted_repeater.{name}".removesuffix(".__init__") for name in SOURCES if name != "__main__"]
        program = (
            "import importlib, sys\n"
            "for module in sys.argv[1:]:\n"
            "    importlib.import_module(module)\n"
            "    if 'twisted.internet.reactor' in sys.modules:\n"
            "        sys.exit('a reactor came with ' + module)\n"
        )
        done = subprocess.run([sys.executable, "-c", program, *modules], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
