"""Builds the sdist and the wheel, looks into them, and runs them in clean environments.

Run as ``python -m tests.distributions``.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import venv
import zipfile
from collections.abc import Iterable
from pathlib import Path

from .paths import ROOT

EXTENSIONS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["ext-modules"]
PLUGIN = "twisted/plugins/repeater_dropin.py"


def check(holds: bool, what: str) -> None:
    """End with a message unless something holds."""
    if not holds:
        sys.exit(f"distributions: not so: {what}")
    print(f"distributions: {what}", flush=True)


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    """Run a command away from the checkout; return its output."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env=os.environ | {"PIP_COMPILE": "0"} | environment,  # most of what is installed is never imported
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if done.returncode:
        sys.exit(f"distributions: {' '.join(map(str, command))} failed:\n{done.stdout}")
    return done.stdout


def environment_at(directory: Path) -> Path:
    """Make a clean virtual environment and give its Python."""
    venv.create(directory, with_pip=True)
    return directory / "bin" / "python"


def check_wheel(names: Iterable[str], compiled: bool) -> None:
    """Look into a wheel."""
    files = {name for name in names if ".dist-info/" not in name}
    check(
        {name for name in files if not name.startswith("twisted_repeater/")} == {PLUGIN},
        "the wheel has the package, the plugin, and nothing else",
    )
    check("twisted_repeater/py.typed" in files, "the wheel says that it is typed")
    check("twisted_repeater/service/admin/page/index.html" in files, "the wheel has the live page")
    sources = {source for extension in EXTENSIONS for source in extension["sources"]}
    check(sources <= files, "the wheel has the sources of the hot path")
    built = [name for name in files if name.endswith(".so")]
    check(
        len(built) == (len(sources) if compiled else 0),
        f"the wheel has the hot path {'compiled' if compiled else 'as source only'}",
    )


def check_sdist(names: Iterable[str]) -> None:
    """Look into an sdist."""
    files = {name.partition("/")[2] for name in names}
    wanted = [
        "LICENSE",
        "README.md",
        "docs/index.md",
        "docs/conf.py",
        "tests/test_package.py",
        "tests/interpreted/sitecustomize.py",
    ]
    wanted += [f"{source.removesuffix('.py')}.pxd" for extension in EXTENSIONS for source in extension["sources"]]
    check(files.issuperset(wanted), "the sdist has the licence, the tests, the docs and the C types")
    built = [name for name in files if name.endswith((".so", ".pyc", ".c", "dropin.cache"))]
    check(not built, f"the sdist has nothing that is made of something else {built or ''}")


def check_installation(python: Path, how: str, cwd: Path) -> None:
    """Run the installed package, away from the checkout."""
    check(f"hot path {how}" in run(python, "-m", "twisted_repeater", "--version", cwd=cwd), f"it runs {how}")
    twistd = python.with_name("twistd")
    check("\n    repeater " in run(twistd, "--help", cwd=cwd), "twistd --help shows the plugin")
    check("\n    web " in run(twistd, "--help", cwd=cwd), "and Twisted's own")
    check("--server-name" in run(twistd, "repeater", "--help", cwd=cwd), "twistd repeater --help shows the options")


def main() -> None:
    """Build, look, install and run."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        built, away = directory / "dist", directory / "away"
        away.mkdir()
        builder = environment_at(directory / "builder")
        run(builder, "-m", "pip", "install", "-q", "build", cwd=away)
        # The wheel is built from the sdist. That it is compiled matters here, not how well, which takes a minute more.
        run(builder, "-m", "build", "--outdir", built, ROOT, cwd=away, CFLAGS="-O0 -g0")
        (sdist,), (wheel,) = built.glob("*.tar.gz"), built.glob("*.whl")
        with tarfile.open(sdist) as archive:
            check_sdist(archive.getnames())
        check_wheel(zipfile.ZipFile(wheel).namelist(), compiled=True)

        python = environment_at(directory / "clean")
        run(python, "-m", "pip", "install", "-q", wheel, cwd=away)
        check_installation(python, "compiled by Cython", away)

        run(
            builder,
            "-m",
            "pip",
            "wheel",
            "-q",
            "--no-deps",
            "-w",
            directory / "plain",
            sdist,
            cwd=away,
            CC="/bin/false",
        )
        (plain,) = (directory / "plain").glob("*.whl")
        check_wheel(zipfile.ZipFile(plain).namelist(), compiled=False)
        run(python, "-m", "pip", "install", "-q", "--no-deps", "--force-reinstall", plain, cwd=away)
        check_installation(python, "interpreted", away)


if __name__ == "__main__":
    main()
