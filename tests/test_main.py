"""``python -m twisted_repeater``."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import version
from types import ModuleType

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import __main__ as main
from twisted_repeater.framings import base


def output_of(*arguments: str, **environment: str) -> str:
    """Run the module as a user does."""
    command = [sys.executable, "-m", "twisted_repeater", *arguments]
    return subprocess.run(command, env=os.environ | environment, check=True, capture_output=True, text=True).stdout


def module_from(path: str) -> ModuleType:
    """Make an empty module that says it was loaded from a file."""
    module = ModuleType(path.partition(".")[0])
    module.__file__ = path
    return module


class HowItRunsTests(SynchronousTestCase):
    """Compiled or interpreted."""

    def test_interpreted(self) -> None:
        """Modules that were loaded from source run interpreted."""
        self.assertEqual(main.how_it_runs([module_from("a.py"), module_from("b.py")]), "interpreted")

    def test_compiled(self) -> None:
        """A compiled module is told with the compiler and its release."""
        self.patch(base, "framing_of", type("function", (), {"__module__": "_cython_3_1_2"})())
        self.assertEqual(main.how_it_runs([module_from("a.so")]), "compiled by Cython 3.1.2")

    def test_partly_compiled(self) -> None:
        """The modules that were not compiled are named."""
        self.patch(base, "framing_of", type("function", (), {"__module__": "_cython_3_1_2"})())
        told = main.how_it_runs([module_from("a.so"), module_from("b.py"), module_from("c.py")])
        self.assertEqual(told, "compiled by Cython 3.1.2, but for b, c")


class CommandLineTests(SynchronousTestCase):
    """The output that a user sees."""

    def test_version(self) -> None:
        """``--version`` gives one line: the version, how the hot path runs, and the Python that it runs on."""
        told = output_of("--version")
        self.assertTrue(told.startswith(f"twisted_repeater {version('twisted_repeater')}, hot path "), told)
        self.assertIn(f"hot path {main.how_it_runs()}; Twisted {version('twisted')}, CPython", told)
        self.assertEqual(told.count("\n"), 1)

    def test_not_installed(self) -> None:
        """A distribution that is not installed has no version."""
        self.assertEqual(main.version_of("no-such-distribution"), "(not installed)")

    def test_no_arguments(self) -> None:
        """Without arguments it tells what there is."""
        told = output_of()
        self.assertIn("twistd -n repeater --help", told)
        for name, (_, purpose) in main.COMMANDS.items():
            self.assertRegex(told, f"{name} +{purpose}")

    def test_command(self) -> None:
        """A command gets its own arguments, `--help` too, and its answer is the exit status."""
        asked: list[list[str]] = []

        def obey(arguments: list[str]) -> int:
            asked.append(arguments)
            return 3

        command = ModuleType("twisted_repeater.greeting")
        command.main = obey  # type: ignore[attr-defined]
        self.patch(main, "COMMANDS", {"greet": ("greeting", "greet somebody")})
        sys.modules[command.__name__] = command
        self.addCleanup(sys.modules.pop, command.__name__)
        self.assertEqual(main.main(["greet", "--help", "ann"]), 3)
        self.assertEqual(asked, [["--help", "ann"]])

    def test_unknown_argument(self) -> None:
        """An unknown argument, or command, is refused."""
        for argument in ("--no-such-option", "no-such-command"):
            error = self.assertRaises(SystemExit, main.main, [argument])
            self.assertEqual(error.code, 2)
