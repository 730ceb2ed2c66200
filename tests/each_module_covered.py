"""Checks that each module is covered fully by its own tests: ``python -m tests.each_module_covered [NAME ...]``.

With names (``_link.pair``, ``dialects.int32``) only those modules are checked. The tests of ``_link/pair.py`` are in
``tests/link/test_pair.py``, with more in ``test_pair_*.py`` if there are such files. The modules of a room may share a
file with its name: those of ``framings`` have ``tests/framings/test_framings.py``, those of ``codecs/bin_prot`` have
``tests/codecs/test_bin_prot.py``. A module that only declares names or types needs no tests. The modules run
interpreted, as compiled code is not traced.
"""

from __future__ import annotations

import ast
import atexit
import multiprocessing
import os
import sys
import tempfile
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import coverage
import pytest

from .paths import INTERPRETED, PACKAGE, ROOT, TESTS

# The tests of each module run in a process of their own, forked from one that has imported the parts of others, which
# takes a second. None of ours may be among them: coverage.py must see its first line run.
FORKS = multiprocessing.get_context("forkserver")
PARTS_OF_OTHERS = [
    "coverage",
    "hypothesis.strategies",
    "msgspec",
    "pytest",
    "twisted.internet.endpoints",
    "twisted.internet.ssl",
    "twisted.trial.unittest",
    "twisted.web.server",
]

# Asserts are not rewritten, as hypothesis is there before pytest begins; the search for lost errors takes its time.
HOW = ["-q", "--assert=plain", "-p", "no:cacheprovider", "-p", "no:unraisableexception"]

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


def run_alone(test_files: tuple[Path, ...], modules: list[str], directory: str) -> None:
    """Run test files; end with 1 unless they pass and cover their modules. What is printed goes to a file.

    This is all that a process does, which has what it imports from the one that it was forked from.
    """
    with open(os.path.join(directory, "printed"), "w") as printed:
        for stream in (1, 2):
            os.dup2(printed.fileno(), stream)
    paths = [str(PACKAGE / f"{module.replace('.', '/')}.py") for module in modules]
    os.environ["PYTEST_DEBUG_TEMPROOT"] = directory  # in one directory for all, each would clean up after the others
    measured = coverage.Coverage(
        os.path.join(directory, "coverage"),
        config_file=str(ROOT / "pyproject.toml"),
        source_pkgs=[],  # these modules alone: it takes time to trace the others
        include=paths,
    )
    with measured.collect():
        failed = pytest.main([*HOW, *map(str, test_files)])
        atexit._run_exitfuncs()  # what the tests have left to it; multiprocessing does not
    measured.save()
    if failed:
        sys.exit(1)
    measured.combine()  # with what the programs that the tests have started ran
    sys.exit(measured.report(paths) < 100)  # of all of them, also of one that was never imported


def complaint_about(test_files: tuple[Path, ...], modules: list[str]) -> str:
    """Run test files alone; return what they print if they fail or leave something uncovered, else nothing."""
    with tempfile.TemporaryDirectory() as directory:
        process = FORKS.Process(target=run_alone, args=(test_files, modules, directory))
        process.start()
        process.join()
        printed = Path(directory, "printed")
        return f"{printed.read_text() if printed.exists() else ''}\n" if process.exitcode else ""


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
    os.environ["PYTHONPATH"] = str(INTERPRETED)
    FORKS.set_forkserver_preload(PARTS_OF_OTHERS)
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
