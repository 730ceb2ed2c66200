"""The programs of others that are installed here: where they are, of which version, and how one is run by root."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

__all__ = ["find", "needs", "unprivileged", "versions"]


def find(program: str) -> str:
    """Where a program is: named by an environment variable (MITMDUMP, say), or found on the path."""
    named = os.environ.get(program.upper(), program)
    path = os.environ.get("PATH", os.defpath) + os.pathsep + "/usr/sbin"  # where Debian puts servers
    for directory in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        path += os.pathsep + str(directory)
    return shutil.which(named, path=path) or ""


def needs(program: str, how: str, *files: Path) -> Callable[[], str | None]:
    """Return a function that says why a program cannot be started."""

    def missing() -> str | None:
        if not find(program):
            return f"{program} is not installed: {how}"
        absent = [file.name for file in files if not file.exists()]
        return f"no {absent[0]}: {how}" if absent else None

    return missing


def unprivileged(directory: Path) -> list[str]:
    """Return the beginning of a command that root may not run, and give that command the directory."""
    if os.getuid():
        return []
    for path in (directory, *directory.iterdir()):
        shutil.chown(path, "nobody", "nogroup")
    return ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]


def versions() -> dict[str, str]:
    """What the programs that are installed say of themselves."""
    asked = {
        "HAProxy": ("haproxy", "-v"),
        "nginx": ("nginx", "-v"),
        "mitmproxy": ("mitmdump", "--version"),
        "PostgreSQL": ("postgres", "--version"),
        "PgBouncer": ("pgbouncer", "--version"),
        "Redis": ("redis-server", "--version"),
        "mosquitto": ("mosquitto", "-h"),
    }
    found = {}
    for name, (program, option) in asked.items():
        if where := find(program):
            done = subprocess.run([where, option], capture_output=True, text=True, check=False)
            number = re.search(r"\d+(?:\.\d+)+", done.stdout + done.stderr)
            found[name] = number[0] if number else "unknown"
    return found
