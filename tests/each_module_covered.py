"""Checks that each module is covered fully by its own test file: ``python -m tests.each_module_covered [NAME ...]``.

With names (``_lane``, ``dialects.int32``) only those modules are checked. The modules run interpreted, as compiled
code is not traced. An ``__init__.py`` only names what is elsewhere, and has no tests of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

TESTS = Path(__file__).parent.absolute()
ROOT = TESTS.parent
PACKAGE = ROOT / "twisted_repeater"


def own_test_file(module: str) -> Path | None:
    """Return the test file of a module; the parts of a subpackage may share one."""
    package, _, name = module.rpartition(".")
    name = name.strip("_")
    for stem in (f"test_{package}_{name}", f"test_{name}", f"test_{package}"):
        if (path := TESTS / f"{stem}.py").exists():
            return path
    return None


def run(arguments: list[str], directory: str) -> subprocess.CompletedProcess[str]:
    """Run coverage.py in this environment, with the sources first on the path."""
    environment = os.environ | {
        "COVERAGE_FILE": os.path.join(directory, "coverage"),
        "PYTHONPATH": str(TESTS / "interpreted"),
    }
    command = [sys.executable, "-m", "coverage", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )


def complaint_about(test_file: Path, modules: list[str]) -> str:
    """Run a test file alone; say what it leaves uncovered in its modules, nothing if all is well."""
    paths = ",".join(str(PACKAGE / f"{module.replace('.', '/')}.py") for module in modules)
    with tempfile.TemporaryDirectory() as directory:
        tests = run(["run", "-m", "pytest", "-q", "-p", "no:cacheprovider", str(test_file)], directory)
        if tests.returncode:
            return tests.stdout
        run(["combine", "-q"], directory)
        report = run(["report", f"--include={paths}", "--fail-under=100"], directory)
        return report.stdout if report.returncode else ""


def main(asked: list[str]) -> int:
    """Check the modules that are asked for, all of them by default, and say how it went."""
    paths = [path.relative_to(PACKAGE).with_suffix("") for path in sorted(PACKAGE.rglob("*.py"))]
    found = [".".join(path.parts) for path in paths if path.name != "__init__"]
    if unknown := set(asked) - set(found):
        sys.exit(f"no such module: {', '.join(sorted(unknown))}")
    modules_of: defaultdict[Path | None, list[str]] = defaultdict(list)
    for module in asked or found:
        modules_of[own_test_file(module)].append(module)
    orphans = modules_of.pop(None, [])
    failures = [f"{module}: no test file of its own" for module in orphans]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        complaints = {path: pool.submit(complaint_about, path, modules) for path, modules in modules_of.items() if path}
        for path, future in complaints.items():
            complaint = future.result()
            told = f"{path.name}: {', '.join(modules_of[path])}"
            print(f"{told}: {'NOT covered' if complaint else 'covered'}", flush=True)
            if complaint:
                failures.append(f"{path.name}\n{complaint}")
    for failure in failures:
        print(f"\n{failure}")
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
