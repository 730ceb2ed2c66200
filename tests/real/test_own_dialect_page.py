"""The how-to for a dialect of one's own, followed between a real MariaDB and its client."""

from __future__ import annotations

import re
import shlex
import subprocess

from twisted.trial.unittest import SynchronousTestCase

from ..needed import needed
from ..paths import DOCS, EXAMPLES
from ..programs import LONGEST, ProgramCase
from ..run_page import Fence, commands_of, fences_of
from .test_mysql import as_root, mariadb

PAGE = (DOCS / "howto" / "own-dialect.md").read_text()
PROMPT = "MariaDB [shop]> "
SETUP = """
CREATE DATABASE IF NOT EXISTS shop; USE shop;
CREATE TABLE IF NOT EXISTS fruit (name VARCHAR(10) PRIMARY KEY);
INSERT IGNORE INTO fruit VALUES ('apple'), ('pear');
GRANT ALL ON shop.* TO ann@'127.0.0.1'; GRANT ALL ON shop.* TO eve@'127.0.0.1';
"""


def fences(language: str) -> list[Fence]:
    """Return the fences of a language on the page."""
    return [fence for fence in fences_of(PAGE) if fence.language == language]


class PageTests(ProgramCase):
    """``docs/howto/own-dialect.md``."""

    def setUp(self) -> None:
        """Start the server, with the table that the page asks for."""
        self.server = mariadb()
        super().setUp()
        self.client = needed("mariadb", "mariadb-client")
        as_root(self.server, SETUP)

    def start_repeater(self, *options: str) -> str:
        """Run the page's command before the server, on a free port; return the port."""
        [fence] = fences("sh")
        [words] = commands_of(fence.code.replace("tcp:3307:", "tcp:0:").replace(":3306", f":{self.server.port}"))
        repeater = self.run_twistd(*words[words.index("repeater") :], *options)
        return repeater.wait_for(r"RepeaterFactory starting on (\d+)$")[1]

    def follow(self, fence: Fence, port: str) -> None:
        """Do what a terminal on the page does, and see what it shows."""
        first, *lines = fence.code.splitlines()
        words = shlex.split(first.removeprefix("$ ").replace("3307", port))
        self.assertEqual(words[0], "mariadb")
        done = subprocess.run(
            [self.client, "--no-defaults", "--table", "--force", *words[1:]],
            input="".join(line.removeprefix(PROMPT) + "\n" for line in lines if line.startswith(PROMPT)),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LONGEST,
            check=False,
        )
        # If nobody types, it shows the statement that has failed, and its line.
        shown = re.sub(r"^-+\n.*\n-+\n\n|(?<=\)) at line \d+", "", done.stdout, flags=re.M).splitlines()
        # It writes errors at once, and the rest at its end.
        self.assertEqual(sorted(shown), sorted(line for line in lines if not line.startswith(PROMPT)))

    def test_followed(self) -> None:
        """What the page types shows what the page shows, with the options that the page adds too."""
        first, second = fences("text")
        self.follow(first, self.start_repeater())
        [options] = re.findall(r"add\s+`(--allow-client [^`]*)`", PAGE)
        self.follow(second, self.start_repeater(*options.split()))


class FileTests(SynchronousTestCase):
    """The files of the page."""

    def test_parts(self) -> None:
        """The parts on the page are the whole files of the examples, in order."""
        parts = "\n\n\n".join(fence.code.strip("\n") for fence in fences("python")) + "\n"
        files = [(EXAMPLES / name).read_text() for name in ("mysql_dialect.py", "mysql_tls.py")]
        whole = "\n\n\n".join(text.strip("\n") for text in files) + "\n"
        self.assertEqual(re.sub(r"\n{3,}", "\n\n\n", parts), re.sub(r"\n{3,}", "\n\n\n", whole))
