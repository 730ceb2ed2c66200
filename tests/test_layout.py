"""The layout of the package: imports go down the levels, and no module needs a reactor to be imported."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import twisted_repeater

PACKAGE = Path(twisted_repeater.__file__).parent

LEVELS: list[set[str]] = [
    {
        "errors",
        "link",
        "model",
        "verdicts",
        "interfaces",
        "selectors",
        "_coroutines",
        "_offsets",
        "_pending",
        "_slices",
        "_text",
        "_types",
    },
    {"framings", "codecs"},
    {"dialects", "observers", "filters"},
    {"_lane"},
    {"_sockets"},
    {"_link"},
    {"_repeater"},
    {"service", "testing"},
    {"__init__", "__main__"},
]
"""Where each module, or subpackage, stands. A module may import from its own level and from those above it in this
table; of the private modules of one level, none may import another."""

LAST_SANS_IO = "dialects"
"""Modules down to this level know no transport, protocol, endpoint or reactor."""

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


def name_of(path: Path) -> str:
    """Return the dotted name of a module inside the package: ``_lane``, ``dialects.int32``, ``dialects.__init__``."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


SOURCES = {name_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def level_of(module: str) -> int:
    """Tell on which level a module of the package stands."""
    top = module.partition(".")[0]
    for level, modules in enumerate(LEVELS):
        if top in modules:
            return level
    raise LookupError(f"{module} is on no level: add it to LEVELS")


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


def own_imports(module: str) -> set[str]:
    """Return the modules of ours that a module imports."""
    names = imported_names(module, ast.parse(SOURCES[module].read_text()))
    return {own_target([], name[1:]) for name in names if name.startswith(".")} - {module}


class LevelTests(SynchronousTestCase):
    """Imports go down the levels."""

    def test_each_module_has_a_level(self) -> None:
        """Every module of the package is in the table."""
        for module in SOURCES:
            level_of(module)

    def test_imports_go_down(self) -> None:
        """No module imports from a level that stands on its own, nor a private one from its like."""
        wrong = []
        for module in SOURCES:
            for target in own_imports(module):
                top, target_top = module.partition(".")[0], target.partition(".")[0]
                beside = level_of(target) == level_of(module) and top != target_top
                if level_of(target) > level_of(module) or (beside and top[0] == target_top[0] == "_"):
                    wrong.append(f"{module} imports {target}")
        self.assertEqual(wrong, [])

    def test_the_core_is_sans_io(self) -> None:
        """The lower levels import nothing that does input or output."""
        wrong = [
            f"{module} imports {name}"
            for module in SOURCES
            if level_of(module) <= level_of(LAST_SANS_IO)
            for name in imported_names(module, ast.parse(SOURCES[module].read_text()))
            if f"{name}.".startswith(IO_MODULES)
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
                "._lane",
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
        for path in sorted(Path(__file__).parent.glob("test_*.py")):
            for case in ast.walk(ast.parse(path.read_text())):
                for test in case.body if isinstance(case, ast.ClassDef) else ():
                    named = isinstance(test, ast.FunctionDef | ast.AsyncFunctionDef) and test.name.startswith("test_")
                    if named and not ast.get_docstring(test):  # type: ignore[arg-type]
                        silent.append(f"{path.name}:{test.lineno}")
        self.assertEqual(silent, [])


class ReactorTests(SynchronousTestCase):
    """A reactor is installed by whoever runs the program, not by an import."""

    def test_no_import_installs_a_reactor(self) -> None:
        """A process that has imported every module of the package has no reactor yet."""
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
