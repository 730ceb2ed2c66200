"""The live page in a real Chromium, before a server of HL7 and a PostgreSQL."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from selenium.webdriver.common.by import By

from .page_case import SEND, PageCase, Twistd
from .postgres_server import machine
from .servers import RealServer
from .test_hl7 import SERVER, codes, exchange, message

DEBIAN_PACKAGES = "chromium chromium-driver postgresql postgresql-client util-linux"


class ProtocolPageCase(PageCase):
    """A test case with the page of a repeater of some dialect."""

    def begin(self, dialect: str, port: int, **rule: str) -> int:
        """Open the page of a repeater before a server, make a rule, and return the port of the repeater."""
        running = Twistd(
            f'[repeater.edge]\ndialect = "{dialect}"\nlisten = "tcp:0:interface=127.0.0.1"\n'
            f'server = "tcp:127.0.0.1:{port}"\n'
        )
        self.addCleanup(running.stop)
        self.open(running.port)
        self.tab("rules")
        for name, value in rule.items():
            self.fill(f"#panel-rules [name={name}]", value)
        self.click("#panel-rules button.main")
        self.said("are held from now on")
        return int(running.program.wait_for(r"clients at 127\.0\.0\.1:(\d+)")[1])

    def held(self, count: int) -> None:
        """Wait until so many messages are held."""
        self.until(lambda: self.text("#tab-held .badge") == (str(count) if count else ""), f"{count} are not held")

    def fields(self) -> dict[str, str]:
        """Return the fields in the editor, by their names, with their values."""
        inputs = self.find(".edit table").find_elements(By.CSS_SELECTOR, "input")
        return {each.get_attribute("name") or "": each.get_attribute("value") or "" for each in inputs}

    def set_field(self, name: str, value: str) -> None:
        """Write into a field of the editor, and send what is there."""
        self.fill(f".edit input[name='{name}']", value)
        self.press(*SEND)


class Hl7Tests(ProtocolPageCase):
    """Messages of HL7."""

    def setUp(self) -> None:
        """Start the server."""
        super().setUp()
        directory = tempfile.mkdtemp(prefix="page-")
        self.addCleanup(shutil.rmtree, directory)
        self.kept = Path(directory) / "kept"
        server = RealServer(lambda port: [sys.executable, SERVER, str(port), str(self.kept)])
        self.addCleanup(server.stop)
        self.port = self.begin("hl7", server.port, type="ADT^*")

    def received(self) -> list[str]:
        """Return the last segment of each message that the server has got."""
        blocks = [ast.literal_eval(line) for line in self.kept.read_text().splitlines()]
        return [block.decode().rstrip("\r").rpartition("\r")[2] for block in blocks]

    def test_hold(self) -> None:
        """A patient gets another name, a copy of the message goes to the server, and a wrong edit is explained."""
        self.expected = "422"
        call = self.aside(lambda: exchange(self.port, message("7")))
        self.held(1)
        self.until(lambda: "ADT^A01" in self.text("#held-list"))
        fields = self.fields()
        self.assertEqual((fields["PID-5"], fields["MSH-10"], "MSH-2" in fields), ("DOE^JOHN", "7", False))
        self.set_field("PID-5", "a\\rZZZ|1")
        self.said("must be within a field")
        self.held(1)
        self.set_field("PID-5", "ROE^JANE\u00e9")
        answers: Any = call.result()
        self.assertEqual(codes(*answers), ["AA 7"])
        self.held(0)
        self.assertEqual(self.received(), ["PID|1||7||ROE^JANE\u00e9||"])
        self.until(lambda: "ACK" in "\n".join(self.rows("#messages-list")))
        self.choose("#messages-list", "ADT^A01")
        self.until(lambda: "changed" in self.text(".headline .verdict"))
        self.click("#panel-message button", "Send a copy")
        self.until(lambda: (self.find("#panel-send textarea").get_attribute("value") or "").startswith("MSH|"))

    def test_large(self) -> None:
        """A message that is too large to be shown whole cannot be cut off by an edit; those behind it are released."""
        more = "OBX|1|TX|||" + "x" * 1_500_000 + "\r"
        calls = [self.aside(lambda: exchange(self.port, message("8", more=more))) for _ in range(2)]
        self.held(2)
        self.until(lambda: "ADT^A01" in self.text("#held-list"))
        self.click(".modes label", "Hex")
        self.until(lambda: "1.4 MiB is too large to be changed here" in self.text(".editor .hint"))
        parts = (".editor textarea", ".editor button.main", ".editor button.danger")
        self.assertEqual([self.find(css).is_enabled() for css in parts], [False, False, True])
        self.click(".held-left button", "Release all")
        self.said("2 messages are released")
        for call in calls:
            answers: Any = call.result()
            self.assertEqual(codes(*answers), ["AA 8"])


class PostgresTests(ProtocolPageCase):
    """Statements and rows of PostgreSQL."""

    def test_hold(self) -> None:
        """A statement is changed, then the row that answers it, and what cannot be a statement is explained."""
        self.expected = "422"
        server = machine(False)
        port = self.begin("postgres", server.port, type="[QD][ua]*")
        where = f"host=127.0.0.1 port={port} user=bob dbname=postgres sslmode=disable"
        psql = ["psql", "--no-psqlrc", "--tuples-only", "--no-align", where, "-c", "SELECT 1, NULL"]
        call = self.aside(lambda: subprocess.run(psql, capture_output=True, text=True, check=True).stdout)
        self.held(1)
        self.until(lambda: "SELECT 1, NULL" in self.text("#held-list"))
        self.set_field("sql", "SELECT \\x00")
        self.said("text must not have a zero byte in it")
        self.set_field("sql", "SELECT 'it''s', NULL")
        self.until(lambda: "DataRow" in self.text("#held-list"))
        self.until(lambda: "it's | NULL" in self.text("#held-list"))
        self.assertEqual(self.fields(), {"1": "it's", "2": ""})
        self.fill(".edit input[name='1']", "that's")
        self.set_field("2", "all")
        self.assertEqual(call.result(), "that's|all\n")
        self.held(0)
        self.choose("#messages-list", "SELECT 1, NULL")
        self.assertIn("SELECT 'it''s', NULL", self.text("#panel-message h3 + .sides"))
