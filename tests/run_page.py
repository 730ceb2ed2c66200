"""Runs the examples of one page of the docs as a reader would: in order, in an empty directory.

Run as ``python run_page.py PAGE``. What is run:

* Every fence of ``python``, all in one namespace. One whose first line is a comment with a file's name, such as
  ``# risk.py``, is saved under that name as well, and so is one of ``toml``.
* Of these, one that calls ``react`` runs in a process of its own, listens on free ports in place of those that it says
  (9001 is left, which is the server's), and if it speaks of Ctrl-C it gets that as soon as its repeater is started.
* Commands in fences of ``sh``: the service of each ``twistd ... repeater ...`` is made, but not started, as the ports
  of an example may be taken. Each ``pytest ...`` and ``openssl ...`` is run, and each ``python -m twisted_repeater
  ...`` on a recording that the page has made. Those of ``ctl`` are only read.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

FENCE = re.compile(r"^(?P<ticks>`{3,})(?P<language>[\w-]+) *\n(?P<code>.*?)^(?P=ticks) *$", re.M | re.S)


class Fence(NamedTuple):
    """A block of code on a page."""

    language: str
    line: int
    """The number of its first line on the page, the first being 1."""
    code: str


def fences_of(text: str) -> Iterator[Fence]:
    """Return the fences of a page, in order."""
    for found in FENCE.finditer(text):
        yield Fence(found["language"], text.count("\n", 0, found.start("code")) + 1, found["code"])


def commands_of(code: str) -> Iterator[list[str]]:
    """Return the commands of a shell fence, in words; lines that end with a backslash go on."""
    for line in code.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if words:
            yield words


def file_name_of(code: str) -> str | None:
    """Return the name of the file that a fence says it is."""
    found = re.match(r"# (\w+\.(?:py|toml))$", code, re.M)
    return found[1] if found else None


def in_a_process_of_its_own(call: Callable[[], object]) -> None:
    """Call something that may end the process, or may run the reactor, which cannot be run twice."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            call()
            status = 0
        except SystemExit as error:
            status = 0 if error.code is None else error.code if isinstance(error.code, int) else 1
            if isinstance(error.code, str):
                print(error.code, file=sys.stderr)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    _, ended = os.waitpid(child, 0)
    if ended:
        raise SystemExit(f"ended with status {os.waitstatus_to_exitcode(ended)}")


def run_python(page: Path, fence: Fence, namespace: dict[str, object]) -> None:
    """Run a fence of Python."""
    name = file_name_of(fence.code)
    if name is not None:
        Path(name).write_text(fence.code)
    is_program = re.search(r"^(task\.)?react\(", fence.code, re.M)
    code = (
        re.sub(r"\b(?!9001\b)([89]\d{3}|6432)\b", "0", fence.code) if is_program else fence.code
    )  # 9001 is the server's
    # The empty lines make tracebacks tell the lines of the page.
    compiled = compile("\n" * (fence.line - 1) + code, str(page), "exec")

    def run() -> None:
        if is_program and "Ctrl-C" in code:
            press_when_started()
        exec(compiled, namespace)

    if is_program:
        in_a_process_of_its_own(run)
    else:
        run()


def press_when_started() -> None:
    """Press Ctrl-C as soon as a repeater has been started."""
    from twisted.internet import reactor

    from twisted_repeater import Repeater

    signal.signal(signal.SIGINT, signal.default_int_handler)  # what a shell starts in the background ignores it
    start = Repeater.start

    def start_and_press(self: Repeater, **options: Any) -> None:
        start(self, **options)
        reactor.callLater(0, os.kill, os.getpid(), signal.SIGINT)

    Repeater.start = start_and_press  # type: ignore[method-assign]


def run_command(words: list[str]) -> None:
    """Run a command of the shell, if it is one that is run.

    What our own commands import is imported here, once for all of a page: each runs in a process of its own.
    """
    program = Path(words[0]).name
    if program == "twistd" and "repeater" in words:
        from twisted_repeater.service.tap import Options, makeService

        def make_service() -> None:  # with its filters, but it is not started
            options = Options()
            options.parseOptions(words[words.index("repeater") + 1 :])
            makeService(options)

        in_a_process_of_its_own(make_service)
    elif words[:4] == ["python", "-m", "twisted_repeater", "ctl"]:
        from twisted_repeater.ctl.parser import make_parser

        in_a_process_of_its_own(lambda: make_parser().parse_args(words[4:]))  # nobody is asked: no repeater runs
    elif words[:3] == ["python", "-m", "twisted_repeater"]:
        if Path(words[4]).exists():
            from twisted_repeater.__main__ import main as run_repeater_command

            in_a_process_of_its_own(lambda: sys.exit(run_repeater_command(words[3:])))
    elif program == "pytest":
        subprocess.run([sys.executable, "-m", *words, "-p", "no:cacheprovider"], check=True)
    elif program == "openssl":
        if shutil.which(program) is None:
            print("there is no openssl here: the rest of the page is left out")
            sys.exit(0)
        subprocess.run(words, check=True, capture_output=True)


def main(page: Path) -> None:
    """Run a page."""
    sys.path[0] = os.getcwd()
    program = ModuleType("__main__")
    sys.modules["__main__"] = program
    for fence in fences_of(page.read_text()):
        try:
            if fence.language == "python":
                run_python(page, fence, program.__dict__)
            elif fence.language == "toml" and (name := file_name_of(fence.code)):
                Path(name).write_text(fence.code)
            elif fence.language == "sh":
                for words in commands_of(fence.code):
                    run_command(words)
        except (SystemExit, subprocess.CalledProcessError) as error:
            if error.args != (0,):
                raise SystemExit(f"{page}, line {fence.line}: {error}") from error
            raise


if __name__ == "__main__":
    main(Path(sys.argv[1]))
