"""What the distribution is made of, as far as it can be told from a checkout."""

from __future__ import annotations

import re
import subprocess
import tomllib
from importlib.metadata import requires
from importlib.util import resolve_name
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from twisted_repeater.__main__ import HOT_PATH

from .paths import DOCS, PACKAGE, ROOT

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
EXTENSIONS: list[dict[str, Any]] = PROJECT["tool"]["setuptools"]["ext-modules"]


class HotPathTests(SynchronousTestCase):
    """The modules that are compiled where a compiler is found."""

    def test_one_list(self) -> None:
        """What is built, what ``--version`` looks at, and what has C types beside it are the same modules."""
        built = [extension["name"] for extension in EXTENSIONS]
        typed = {".".join(path.relative_to(ROOT).with_suffix("").parts) for path in PACKAGE.rglob("*.pxd")}
        self.assertEqual(built, [module.__name__ for module in HOT_PATH])
        self.assertEqual(set(built), typed)

    def test_built_from_their_own_sources(self) -> None:
        """Each is built from the .py and the .pxd of its name, and does without where that fails."""
        for extension in EXTENSIONS:
            path = extension["name"].replace(".", "/")
            self.assertEqual(extension["sources"], [f"{path}.py"])
            self.assertIn(f"{path}.pxd", extension["depends"])
            self.assertTrue(extension["optional"])

    def test_rebuilt_with_the_types_they_use(self) -> None:
        """A module whose C types refer to another module's is built again when those change."""
        for extension in EXTENSIONS:
            name = extension["name"]
            types = (ROOT / name.replace(".", "/")).with_suffix(".pxd").read_text()
            for used in re.findall(r"^from ([\w.]+) cimport", types, re.MULTILINE):
                module = resolve_name(used, name.rpartition(".")[0])
                if module.startswith("twisted_repeater."):
                    self.assertIn(f"{module.replace('.', '/')}.pxd", extension["depends"])

    def test_not_stale(self) -> None:
        """No module runs compiled from a source that has changed since."""
        stale = []
        for extension, module in zip(EXTENSIONS, HOT_PATH, strict=True):
            compiled = Path(str(module.__file__))
            for source in (*extension["sources"], *extension["depends"]):
                beside = compiled.parent == (ROOT / source).parent and compiled.suffix != ".py"
                if beside and compiled.stat().st_mtime < (ROOT / source).stat().st_mtime:
                    stale.append(source)
        self.assertEqual(stale, [], "install again (pip install -e .), or delete the compiled modules")


class PluginTests(SynchronousTestCase):
    """The folder of Twisted's plugins."""

    def test_no_package_of_our_own(self) -> None:
        """There is one plugin, and nothing that would hide Twisted's own modules or plugins."""
        files = [path.relative_to(ROOT).as_posix() for path in (ROOT / "twisted").rglob("*.py*")]
        ours = [file for file in files if "__pycache__" not in file]
        self.assertEqual(ours, ["twisted/plugins/repeater_dropin.py"])


class MetadataTests(SynchronousTestCase):
    """What an installation asks for, and what changed in it."""

    def test_two_dependencies(self) -> None:
        """A plain installation needs Twisted and zope.interface, nothing else."""
        needed = [text for text in requires("twisted_repeater") or () if "extra ==" not in text]
        self.assertEqual([re.split("[<>=]", text)[0] for text in needed], ["twisted", "zope.interface"])

    def test_changelog(self) -> None:
        """The changelog begins with the version that is built, or with "Unreleased" before its release."""
        release, dev, _ = PROJECT["project"]["version"].partition(".dev")
        newest = re.findall("^## (.*)$", (DOCS / "changelog.md").read_text(), re.M)[0]
        self.assertEqual(newest.split()[0], "Unreleased" if dev else release)


class ReadmeTests(SynchronousTestCase):
    """The two commands of the README."""

    def test_two_commands(self) -> None:
        """It has one command to see the repeater work and one to test it, each on a machine with Python alone."""
        commands = re.findall(r"^python3 -m venv .*", (ROOT / "README.md").read_text(), re.MULTILINE)
        self.assertEqual(len(commands), 2)
        self.assertTrue(commands[0].endswith("&& .venv/bin/twistd -n repeater --demo"))
        self.assertTrue(commands[1].endswith("&& .venv/bin/pytest"))


class ChecksTests(SynchronousTestCase):
    """`.ci/run`, which runs the checks."""

    script = ROOT / ".ci" / "run"

    def setUp(self) -> None:
        """Find the script."""
        if not self.script.exists():
            raise SkipTest("not in a checkout")

    def run_script(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the script."""
        return subprocess.run([self.script, *arguments], capture_output=True, text=True, check=False)

    def test_runs_the_test_command(self) -> None:
        """The test command comes from the README, so that the two cannot differ."""
        self.assertIn("README.md", self.script.read_text())

    def test_help(self) -> None:
        """The help lists every step that there is."""
        steps = re.findall(r"^step_(\w+)\(\)", self.script.read_text(), re.MULTILINE)
        listed = re.findall(r"^  ([a-z]+)  ", self.run_script("--help").stdout, re.MULTILINE)
        self.assertEqual(listed, steps)

    def test_unknown_step(self) -> None:
        """A step that there is not is an error, which names those that there are."""
        done = self.run_script("lint", "polish")
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stderr, "^unknown step: polish; the steps are: test .* lint .*$")
