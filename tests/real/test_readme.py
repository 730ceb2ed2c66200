"""The README's filter before PostgreSQL, in the two ways that the README shows."""

from __future__ import annotations

import re
import signal
import sys

from ..paths import ROOT
from ..programs import TWISTD
from ..run_page import commands_of, fences_of, file_name_of
from .postgres_server import DEBIAN_PACKAGES as POSTGRES
from .postgres_server import PostgresCase

DEBIAN_PACKAGES = "postgresql postgresql-client util-linux"
assert DEBIAN_PACKAGES == POSTGRES


class ReadmeTests(PostgresCase):
    """The README."""

    def setUp(self) -> None:
        """Write the files of the README, with free ports."""
        super().setUp()
        self.page = (ROOT / "README.md").read_text()
        self.commands: list[list[str]] = []
        for fence in fences_of(self.page):
            code = fence.code.replace("tcp:6432:", "tcp:0:").replace(":5432", f":{self.machine.port}")
            name = file_name_of(code)
            if name is not None:
                (self.directory / name).write_text(code)
            elif fence.language == "sh":
                self.commands += commands_of(code)

    async def check(self, *command: str) -> str:
        """Start the repeater, see that its filter does what the README shows, and return all that it printed."""
        repeater = self.start_client(*command)
        port = int(repeater.wait_for(r"RepeaterFactory starting on (\d+)$")[1])
        shown = re.search(r'^\$ psql .* -U ann .*-c "(.*)"\n(.*\n)', self.page, re.M)
        assert shown is not None
        self.assertEqual(await self.ask(port, shown[1]), shown[2])
        self.assertEqual(await self.ask(port, "SELECT 'passed'"), "passed\n")
        self.eve = await self.ask(port, "SELECT 1", user="eve")
        repeater.send_signal(signal.SIGINT)
        _, output = repeater.end()
        self.assertNotIn("Traceback", output)
        return output

    async def test_command(self) -> None:
        """The command refuses what its filter refuses, passes the rest, and ends with Ctrl-C."""
        words = next(words for words in self.commands if words[0] == "twistd")
        await self.check(TWISTD, "--pidfile=", *words[1:])

    async def test_program(self) -> None:
        """So does the program, which also refuses a client by its name, and logs that."""
        output = await self.check(sys.executable, "edge.py")
        self.assertIn("client 'eve' is not allowed", self.eve)
        self.assertRegex(output, "client 'eve' from .* refused: ClientNotAllowed: client 'eve' is not allowed")
