"""The tutorial works for a reader who does what it says and nothing else."""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from twisted.trial.unittest import SynchronousTestCase

from .paths import DOCS, EXAMPLES
from .programs import LONGEST, TWISTD, Program, ProgramCase

PAGE = DOCS / "tutorial.md"

BLOCK = re.compile(r"^```\{code-block\} (\w+)\n(?::caption: ([^\n]*)\n)?\n?(.*?)^```$", re.M | re.S)

SET_UP = [
    "mkdir risk && cd risk",
    "python3 -m venv .venv && . .venv/bin/activate",
    "pip install '/path/to/twisted_repeater[msgspec]' pytest",
]
"""The commands that this reader leaves out."""

MANY = 20_000
"""The number of orders that this reader sends; the page sends a million, so that there is time to type."""


class Block(NamedTuple):
    """A block of the page."""

    language: str
    caption: str
    """The name of a file, or of the program whose terminal is shown."""
    text: str


def blocks() -> Iterator[Block]:
    """Return the blocks of the page, in order."""
    for found in BLOCK.finditer(PAGE.read_text()):
        yield Block(found[1], found[2] or "", found[3])


class Reader(ProgramCase):
    """Somebody who follows the page in an empty directory, with other ports, because those of the page may be taken."""

    def setUp(self) -> None:
        """Begin with an empty directory."""
        super().setUp()
        for example in Path(self.directory).iterdir():
            example.unlink()
        self.running: dict[str, Program] = {}
        self.seen: dict[str, Counter[str]] = {}
        self.ports = {"9000": "0", "9001": "0"}
        self.printed = ""

    def follow(self, block: Block) -> None:
        """Do what a block says."""
        if block.language == "python":
            self.path(block.caption).write_text(block.text)
        elif block.language == "diff":
            self.change(block)
        elif block.language == "sh":
            for command in block.text.replace("\\\n", " ").splitlines():
                self.do(command)
        elif block.caption == "pytest":
            self.assertIn(f" {block.text.strip()} ", f" {self.printed}")
        else:
            self.look_at(block.caption, block.text.splitlines())

    def change(self, block: Block) -> None:
        """Change the lines of a file."""
        text = self.path(block.caption).read_text()
        before = "".join(line[1:] for line in block.text.splitlines(keepends=True) if line[0] == "-")
        after = "".join(line[1:] for line in block.text.splitlines(keepends=True) if line[0] == "+")
        self.assertEqual(text.count(before), 1)
        self.path(block.caption).write_text(text.replace(before, after))

    # -- commands ------------------------------------------------------------------------------------------------

    def do(self, command: str) -> None:
        """Type a command."""
        words = shlex.split(command)
        if command in SET_UP:
            return
        if words[:2] == ["python", "exchange.py"]:
            self.start("exchange", sys.executable, "exchange.py", self.ports[words[2]])
            self.ports["9001"] = self.running["exchange"].wait_for(r"^exchange on port (\d+)$")[1]
        elif words[0] == "twistd":
            arguments = " ".join(words[1:])
            for said, port in self.ports.items():
                arguments = re.sub(rf"\b{said}\b", "0" if said == "9000" else port, arguments)
            self.start("repeater", TWISTD, *arguments.split())
            self.ports["9000"] = self.running["repeater"].wait_for(r"RepeaterFactory starting on (\d+)$")[1]
        elif words[:2] == ["python", "trader.py"]:
            self.start("trader", sys.executable, "trader.py", self.ports[words[2]], words[3])
        elif words[0] == "pytest":
            self.printed = self.shell(f"{sys.executable} -m {command}")
        else:
            if words[0] == "kill":  # while orders are on their way
                self.running["exchange"].wait_for("^robot: Order 500$")
            elif words[0] == "sort":
                _, output = self.running["exchange"].terminate()
                self.path("exchange.log").write_text(output)
            self.printed = self.shell(command)

    def shell(self, command: str) -> str:
        """Run a command of the shell to its end; return its output."""
        done = subprocess.run(
            command,
            shell=True,
            cwd=self.directory,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LONGEST,
            check=False,
        )
        self.assertEqual(done.returncode, 0, done.stdout)
        return done.stdout

    def start(self, name: str, *command: str) -> None:
        """Start a program. End the running one of that name first."""
        if name in self.running:
            self.end(name)
        self.running[name] = self.run_program(*command)
        self.seen[name] = Counter()

    def end(self, name: str) -> None:
        """End a program: by Ctrl-D or Ctrl-C."""
        program = self.running.pop(name)
        if name == "trader":
            program.type_end()
        else:
            program.send_signal(signal.SIGINT)
        _, output = program.end()
        self.assertNotIn("Traceback", output)

    # -- what is shown ---------------------------------------------------------------------------------------------

    def look_at(self, name: str, lines: list[str]) -> None:
        """Type the lines that begin with ``>``, and wait for the others."""
        program = self.running[name]
        typed: list[str] = []
        for line in lines:
            if line.startswith("> "):
                typed.append(line[2:].replace("1000000", str(MANY)))
                continue
            if typed:
                program.type(*typed)
                typed = []
            self.seen[name][line] += 1
            varies = r"(?<=127.0.0.1:)\d+" if name == "repeater" else r"(?<=^answers: )\d+|(?<=accepted )\d+"
            pattern = r"\d+".join(map(re.escape, re.split(varies, line)))
            program.wait_for(pattern if name == "repeater" else f"^{pattern}$", self.seen[name][line])
        if typed:
            program.type(*typed)


class TutorialTests(Reader):
    """The page, from its beginning to its end."""

    def test_followed(self) -> None:
        """Every file, command and terminal is as the page says; no order is lost while the filter is loaded again."""
        for block in blocks():
            self.follow(block)
        answers = self.running["trader"].wait_for(r"^answers: (\d+) accepted (\d+) rejected$")
        accepted, rejected = int(answers[1]), int(answers[2])
        self.assertEqual(accepted + rejected, MANY)
        self.assertTrue(MANY // 2 < accepted < MANY, answers[0])
        self.assertEqual(self.printed, f"{accepted}\n")
        self.end("trader")
        self.end("repeater")


class FilesTests(SynchronousTestCase):
    """The files of the tutorial."""

    def test_examples(self) -> None:
        """The folder of the examples has the files that a reader has at the end, without the last change."""
        written = {block.caption: block.text for block in blocks() if block.language == "python"}
        examples = {path.name: path.read_text() for path in (EXAMPLES / "orders").glob("*.py")}
        self.assertEqual(written, examples)

    def test_blocks(self) -> None:
        """The reader above knows what to do with every block of the page."""
        self.assertEqual(PAGE.read_text().count("```"), 2 * len(list(blocks())))
        for block in blocks():
            if block.language in ("python", "diff"):
                self.assertRegex(block.caption, r"^\w+\.py$")
            elif block.language == "text":
                self.assertIn(block.caption, ("trader", "exchange", "repeater", "pytest"))
            else:
                self.assertEqual((block.language, block.caption), ("sh", ""))
