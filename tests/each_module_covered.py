"""Checks that each module is covered fully by its own tests: ``python -m tests.each_module_covered [NAME ...]``.

With names (``_link.pair``, ``dialects.int32``) only those modules are checked. The tests of ``_link/pair.py`` are in
``tests/link/test_pair.py``, with more in ``test_pair_*.py`` if there are such files. The modules of a room may share a
file with its name: those of ``framings`` have ``tests/framings/test_framings.py``, those of ``codecs/bin_prot`` have
``tests/codecs/test_bin_prot.py``. A module that only declares names or types needs no tests. The modules run
interpreted, as compiled code is not traced.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .paths import INTERPRETED, PACKAGE, ROOT, TESTS

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def own_test_files(module: str) -> tuple[Path, ...]:
    """Return the test files of a module."""
    *folders, name = (part.strip("_") for part in module.split("."))
    folder = TESTS.joinpath(*folders)
    if (own := folder / f"test_{name}.py").exists():
        return own, *sorted(folder.glob(f"test_{name}_*.py"))
    shared = (folder / f"test_{folder.name}.py", folder.with_name(f"test_{folder.name}.py"))
    return tuple(file for file in shared if file.exists())


def has_code(path: Path) -> bool:
    """Return whether any function of a module has more than a docstring or ``...``."""
    functions = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, FUNCTIONS)]
    statements = [statement for function in functions for statement in function.body]
    return not all(isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant) for each in statements)


def run(arguments: list[str], directory: str) -> subprocess.CompletedProcess[str]:
    """Run coverage.py in this environment, with the sources first on the path."""
    environment = os.environ | {
        "COVERAGE_FILE": os.path.join(directory, "coverage"),
        "PYTEST_DEBUG_TEMPROOT": directory,  # in one directory for all, each would clean up after the others
        "PYTHONPATH": str(INTERPRETED),
    }
    command = [sys.executable, "-m", "coverage", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )


def complaint_about(test_files: tuple[Path, ...], modules: list[str]) -> str:
    """Run test files alone; return what they leave uncovered in their modules, nothing if all is well."""
    paths = ",".join(str(PACKAGE / f"{module.replace('.', '/')}.py") for module in modules)
    with tempfile.TemporaryDirectory() as directory:
        tests = run(["run", "-m", "pytest", "-q", "-p", "no:cacheprovider", *map(str, test_files)], directory)
        if tests.returncode:
            return tests.stdout
        run(["combine", "-q"], directory)
        report = run(["report", f"--include={paths}", "--fail-under=100"], directory)
        return report.stdout if report.returncode else ""


def main(asked: list[str]) -> int:
    """Check the modules that are asked for, all of them by default, and print how it went."""
    paths = [path.relative_to(PACKAGE) for path in sorted(PACKAGE.rglob("*.py")) if has_code(path)]
    found = [".".join(path.with_suffix("").parts) for path in paths if path.name != "__init__.py"]
    if unknown := set(asked) - set(found):
        sys.exit(f"no such module: {', '.join(sorted(unknown))}")
    modules_of: defaultdict[tuple[Path, ...], list[str]] = defaultdict(list)
    for module in asked or found:
        modules_of[own_test_files(module)].append(module)
    failures = [f"{module}: no test file of its own" for module in modules_of.pop((), [])]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        complaints = {files: pool.submit(complaint_about, files, modules) for files, modules in modules_of.items()}
        for files, future in complaints.items():
            complaint = future.result()
            names = ", ".join(str(file.relative_to(TESTS)) for file in files)
            print(f"{names}: {', '.join(modules_of[files])}: {'NOT covered' if complaint else 'covered'}", flush=True)
            if complaint:
                failures.append(f"{names}\n{complaint}")
    for failure in failures:
        print(f"\n{failure}")
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
