"""The docs and the README: their examples run, and the reference has every public name."""

from __future__ import annotations

import ast
import builtins
import importlib
import inspect
import os
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

import twisted_repeater
from twisted_repeater.codecs.bin_prot import bin_prot_codec, enumeration
from twisted_repeater.service.tap import Options
from twisted_repeater.testing import OpeningHarness

from .needed import cannot_test
from .paths import DOCS, EXAMPLES, ROOT, TESTS
from .programs import Program, ProgramCase
from .real.test_ocaml_judge import OCAML, why_not
from .run_page import commands_of, fences_of, file_name_of
from .test_layout import LEVELS

RUN_PAGE = TESTS / "run_page.py"
PAGES = [ROOT / "README.md", *sorted(page for page in DOCS.rglob("*.md") if "_build" not in page.parts)]
PACKAGE_PARENT = Path(twisted_repeater.__file__).resolve().parents[1]

DIRECTIVE = re.compile(
    r"^ *\.\. auto(?:(module):: ([\w.]+)\n *:members:|(?:class|function|data|interface):: ([\w.]+))$", re.M
)
"""What puts a docstring into the reference."""


class PageTests(SynchronousTestCase):
    """The examples of each page; see `tests.run_page`. Each page has a test of its own, which is added below."""

    def run_page(self, page: Path) -> None:
        """Run the examples of a page in an empty directory; those in ``docs/examples`` can be imported."""
        directory = self.mktemp()
        os.makedirs(directory)
        Path(directory, "pytest.ini").touch()  # else the pytest of an example takes the settings of this project
        path = os.pathsep.join(filter(None, [str(PACKAGE_PARENT), str(EXAMPLES), os.environ.get("PYTHONPATH")]))
        done = subprocess.run(
            [sys.executable, RUN_PAGE, page],
            cwd=directory,
            env=os.environ | {"PYTHONPATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        self.assertEqual(done.returncode, 0, done.stdout)


def add_page_test(page: Path) -> None:
    """Add the test of a page."""
    name = page.relative_to(ROOT).as_posix()

    def test(self: PageTests) -> None:
        self.run_page(page)

    test.__doc__ = f"The examples of {name} run."
    test.__name__ = f"test_{re.sub('[^a-z0-9]+', '_', name.removesuffix('.md').lower())}"
    setattr(PageTests, test.__name__, test)


for page_with_examples in PAGES:
    if any(fence.language in ("python", "sh") for fence in fences_of(page_with_examples.read_text())):
        add_page_test(page_with_examples)


class FenceTests(SynchronousTestCase):
    """How examples are found."""

    def test_fences(self) -> None:
        """Fences are found with their language and their line; a fence inside of a longer one is part of its text."""
        text = "# A page\n\n```python\na = 1\n```\n\n````text\n```sh\nno\n```\n````\n```sh\nls -l \\\n  a\n```\n"
        fences = list(fences_of(text))
        self.assertEqual([(fence.language, fence.line) for fence in fences], [("python", 4), ("text", 8), ("sh", 13)])
        self.assertEqual(fences[0].code, "a = 1\n")
        self.assertEqual(list(commands_of(fences[2].code)), [["ls", "-l", "a"]])

    def test_files(self) -> None:
        """A fence is a file if its first line says so."""
        self.assertEqual(file_name_of("# risk.py\nx = 1\n"), "risk.py")
        self.assertIsNone(file_name_of("x = 1\n# risk.py\n"))

    def test_failing_page(self) -> None:
        """The error of a failing example has its line on the page."""
        page = Path(self.mktemp())
        page.write_text("```python\na = 1\n```\nText.\n```python\n\nassert a == 2\n```\n")
        done = subprocess.run([sys.executable, RUN_PAGE, page], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn(f'"{page}", line 7', done.stderr)


class LinkTests(SynchronousTestCase):
    """Links from page to page. Sphinx checks those inside of docs/; these are the others."""

    def test_readme(self) -> None:
        """Every file that the README links to exists."""
        links = re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / "README.md").read_text())
        self.assertEqual([link for link in links if not (ROOT / link).exists()], [])
        self.assertTrue(links)


class ContributingPageTests(SynchronousTestCase):
    """The page for contributors."""

    text = (DOCS / "contributing.md").read_text()

    def test_steps(self) -> None:
        """The page names every step of ``.ci/run``."""
        steps = re.findall(r"^step_(\w+)\(\)", (ROOT / ".ci" / "run").read_text(), re.M)
        self.assertEqual([step for step in steps if f"`.ci/run {step}`" not in self.text], [])

    def test_rooms(self) -> None:
        """The picture of the layout has every folder of the package."""
        rooms = [init.parent.name for init in Path(twisted_repeater.__file__).parent.glob("*/__init__.py")]
        self.assertEqual([room for room in rooms if f" {room}/ " not in self.text], [])


class FileTests(SynchronousTestCase):
    """The files that a page tells the reader to write."""

    def test_whole(self) -> None:
        """Each has all its imports, so that it can be loaded with nothing but what the page shows in it."""
        for page in PAGES:
            for fence in fences_of(page.read_text()):
                name = file_name_of(fence.code)
                if name is not None and fence.language == "python":
                    with self.subTest(page=page.name, file=name):
                        self.assertEqual(unknown_names(fence.code), set())


def unknown_names(code: str) -> set[str]:
    """Return the names that a module uses, and that it defines nowhere."""
    used: set[str] = set()
    known = {*vars(builtins), "__file__"}
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Name):
            (used if isinstance(node.ctx, ast.Load) else known).add(node.id)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            known.add(node.name)
        elif isinstance(node, ast.arg):
            known.add(node.arg)
        elif isinstance(node, ast.alias):
            known.add((node.asname or node.name).partition(".")[0])
        elif isinstance(node, ast.ExceptHandler) and node.name:
            known.add(node.name)
    return used - known


class TwistdCase(ProgramCase):
    """A page that shows a command of twistd, run before the example's server, with ports that are free."""

    page: Path

    def setUp(self) -> None:
        """Start the server, and read the page."""
        super().setUp()
        server = self.run_example("server", "0")
        server_port = server.wait_for(r"^quotes on port (\d+)$")[1]
        self.files: list[tuple[str, str]] = []
        """Names and contents of the page's files, in order."""
        commands: list[list[str]] = []
        for fence in fences_of(self.page.read_text()):
            code = fence.code.replace("tcp:9000:", "tcp:0:").replace(":9001", f":{server_port}")
            name = file_name_of(code)
            if name is not None:
                self.files.append((name, code))
            elif fence.language == "sh":
                commands += commands_of(code)
        self.options = next(words[words.index("repeater") :] for words in commands if words[0] == "twistd")
        for name, code in reversed(self.files):
            self.path(name).write_text(code)

    def start_repeater(self) -> tuple[Program, str]:
        """Run the page's command; return it and its port."""
        repeater = self.run_twistd(*self.options)
        return repeater, repeater.wait_for(r"RepeaterFactory starting on (\d+)$")[1]

    def start_client(self, port: str) -> Program:
        """Start the example's client, and see it linked."""
        client = self.run_example("client", port, "ann")
        client.wait_for("^linked to quotes$")
        return client


class ReadmeTests(ProgramCase):
    """The README. Its filter is tested before PostgreSQL, in ``tests/real/test_readme.py``."""

    def test_demo(self) -> None:
        """The table of the demo is what the demo prints."""
        page = (ROOT / "README.md").read_text()
        table = next(fence.code for fence in fences_of(page) if fence.language == "text")
        self.assertTrue(table.startswith("      sends "))
        self.run_twistd("repeater", "--demo").wait_for(re.escape(table))


class ReloadPageTests(TwistdCase):
    """The page about changing a filter while it runs."""

    page = DOCS / "howto" / "reload.md"

    def test_change(self) -> None:
        """The second file takes over from the first, with its state, on a link that was there before."""
        repeater, port = self.start_repeater()
        client = self.start_client(port)
        client.type(*["price ACME"] * 4)
        client.wait_for("^enough$")
        name, code = self.files[1]
        self.path(name).write_text(code)
        repeater.wait_for("reloaded; applied: to-server-filter$")
        client.type(*["price ACME"] * 2)
        client.wait_for("^enough$", times=2)
        client.wait_for("^ACME costs 101.50$", times=4)


class FirstDialectPageTests(SynchronousTestCase):
    """The page about a first dialect."""

    def test_first_lines(self) -> None:
        """Clients read what the page says that they read."""
        text = (DOCS / "howto" / "first-dialect.md").read_text()
        page: dict[str, Any] = {"__name__": "chat"}
        exec(next(fence.code for fence in fences_of(text) if fence.code.startswith("# chat.py")), page)
        rows = re.findall(r"^\| (.+) \| (.+) \|$", text.partition("| you type |")[2], re.M)
        self.assertEqual(len(rows), 4)
        for typed, read in rows:
            harness = OpeningHarness(page["chat"](), is_client_allowed=lambda name: name.startswith("a"))
            progress = harness.client_connects()
            if typed.startswith("nothing"):
                progress = harness.advance(10)
            else:
                progress = harness.client_sends(typed.strip("`").encode() + b"\n")
            expected = "" if read.startswith("nothing") else read.strip("`") + "\n"
            self.assertEqual(progress.to_client.decode(), expected)


OCAML_DRIVER = """
let print (writer : _ Bin_prot.Type_class.writer) value =
  let size = writer.size value in
  let buf = Bin_prot.Common.create_buf size in
  ignore (writer.write buf ~pos:0 value : int);
  for at = 0 to size - 1 do Printf.printf "%02x" (Char.code (Bigarray.Array1.get buf at)) done;
  print_newline ()

let () =
  let order = { id = 7; side = Sell; symbol = "ACME"; price = Some 101.5; legs = [ "INIT", 3 ] } in
  print bin_writer_to_server (Order order);
  print bin_writer_to_server (Order { order with side = Buy; price = None; legs = [] });
  print bin_writer_to_server (Cancel (-300));
  print bin_writer_to_server Heartbeat;
  print bin_writer_mode Production
"""


class OCamlPageTests(SynchronousTestCase):
    """The page about OCaml programs."""

    def test_types(self) -> None:
        """The types that it shows in OCaml and in Python are the same on the wire."""
        reason = why_not()
        if reason is not None:
            cannot_test(reason)
        fences = list(fences_of((DOCS / "howto" / "ocaml.md").read_text()))
        directory = Path(self.mktemp())
        directory.mkdir()
        source = directory / "page.ml"
        source.write_text("\n".join(fence.code for fence in fences if fence.language == "ocaml") + OCAML_DRIVER)
        build = OCAML / "build.sh"
        subprocess.run(["sh", build, directory, source.resolve()], check=True)
        written = subprocess.run([directory / "judge"], check=True, capture_output=True, text=True).stdout.split()
        page: dict[str, Any] = {"__name__": "page"}
        sys.modules["page"] = ModuleType("page")  # where dataclasses look for their module
        self.addCleanup(sys.modules.pop, "page")
        for fence in fences:
            if file_name_of(fence.code) == "orders.py" or "class Mode" in fence.code:
                exec(fence.code, page)
        order = page["Order"](7, page["Side"].SELL, "ACME", 101.5, [("INIT", 3)])
        other = page["Order"](7, page["Side"].BUY, "ACME", None, [])
        codec = page["dialect"]().to_server.codec(1)
        ours = [codec.encode(message).hex() for message in (order, other, ("Cancel", -300), "Heartbeat")]
        mode = bin_prot_codec(enumeration(page["Mode"])).encode(page["Mode"].PRODUCTION)
        self.assertEqual([*ours, mode.hex()], written)


class LayoutPageTests(SynchronousTestCase):
    """The page about the layout of the code."""

    text = (DOCS / "explanation" / "code-layout.md").read_text()

    def test_places(self) -> None:
        """Every file and folder that it names exists."""
        places = re.findall(r"`(\w+/[\w/]*(?:\.py)?)`", self.text)
        parents = (PACKAGE_PARENT / "twisted_repeater", ROOT)
        self.assertEqual([place for place in places if not any((parent / place).exists() for parent in parents)], [])
        self.assertTrue(places)

    def test_levels(self) -> None:
        """It has every level and every module, in the order that `tests.test_layout` checks."""
        rows = re.findall(r"^\|[^|]*\|((?: `\w+`,?)+) \|", self.text.partition("## Who talks")[0], re.M)
        told = [re.findall(r"`(\w+)`", row) for row in rows]
        expected = [module for level in LEVELS for module in sorted(level)]
        self.assertEqual(sorted(module for row in told for module in row), sorted(expected))
        order = [next(at for at, level in enumerate(LEVELS) if module in level) for row in told for module in row]
        self.assertEqual(order, sorted(order))


IN_ROOMS = {
    "codecs.msgspec",
    "codecs.protobuf",
    "observers.metrics",
    "service.loading",
    "service.tap",
    "testing.pytest_plugin",
}
"""The modules inside of packages that users import by their own path; of the others the packages export the names."""


def public_modules() -> Iterator[ModuleType]:
    """Return the modules that users may import; those of optional extras only where these are installed."""
    yield twisted_repeater
    for found in pkgutil.walk_packages(twisted_repeater.__path__, "twisted_repeater."):
        _, *parts = found.name.split(".")
        in_room = len(parts) > 1 and not found.ispkg and ".".join(parts) not in IN_ROOMS
        if not in_room and not any(part.startswith("_") for part in parts):
            yield importlib.import_module(found.name)


def find(path: str) -> Any:
    """Return what a dotted path names in a module."""
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def members_of(module: ModuleType) -> list[tuple[str, Any]]:
    """Return what Sphinx documents of a module: its names, except for data that it imports from another."""
    base = PACKAGE_PARENT.joinpath(*module.__name__.split("."))
    source = base.with_suffix(".py") if base.with_suffix(".py").exists() else base / "__init__.py"
    own = {
        getattr(target, "id", getattr(target, "name", None))
        for statement in ast.parse(source.read_text()).body
        for target in getattr(statement, "targets", [getattr(statement, "target", statement)])
    }
    members = [(name, getattr(module, name)) for name in module.__all__]
    return [(name, it) for name, it in members if name in own or inspect.isclass(it) or inspect.isroutine(it)]


class ReferenceTests(SynchronousTestCase):
    """``docs/reference``."""

    def documented(self) -> list[tuple[str, Any]]:
        """Return what the reference documents: names with their objects."""
        found: list[tuple[str, Any]] = []
        for page in sorted((DOCS / "reference").glob("*.md")):
            for is_module, module, path in DIRECTIVE.findall(page.read_text()):
                if is_module:
                    found += members_of(importlib.import_module(module))
                else:
                    found.append((path.rpartition(".")[2], find(path)))
        return found

    def test_every_public_name(self) -> None:
        """Every name in the ``__all__`` of a public module is documented, under whichever of its modules."""
        documented = self.documented()
        missing = [
            f"{module.__name__}.{name}"
            for module in public_modules()
            for name in module.__all__
            if not isinstance(getattr(module, name), ModuleType)
            and not any(name == other and getattr(module, name) is it for other, it in documented)
        ]
        self.assertEqual(missing, [])

    def test_nothing_twice(self) -> None:
        """Nothing is documented twice: a link would not know where to go."""
        documented = self.documented()
        twice = [
            name
            for index, (name, it) in enumerate(documented)
            for other, that in documented[:index]
            if name == other and it is that
        ]
        self.assertEqual(twice, [])

    def test_every_option(self) -> None:
        """Every option of ``twistd repeater`` has a row on the page of the command line."""
        text = (DOCS / "reference" / "command-line.md").read_text()
        rows = dict(re.findall(r"^\| `--([\w-]+)` \|.*\| (.*?) ?\|$", text, re.M))
        self.assertEqual(set(rows), {name.rstrip("=") for name in Options().longOpt})
