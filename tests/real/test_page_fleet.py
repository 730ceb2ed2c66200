"""The live page of a node of a fleet, in a real Chromium, with a real Redis."""

from __future__ import annotations

from typing import Any

from ..redis_fleet.engines import Engine
from .page_case import PageCase, Twistd

DEBIAN_PACKAGES = "chromium chromium-driver redis-server"

CONFIG = """
[repeater.edge]
listen = "tcp:0:interface=127.0.0.1"
server = "tcp:127.0.0.1:1"
dialect = "lines"
"""


CELLS = """
const rows = [...document.querySelectorAll(".nodes tbody tr")];
return rows.map((row) => [...row.cells].map((cell) => cell.textContent));
"""
"""Returns the texts of the table of nodes."""


class FleetPageTests(PageCase):
    """What the page shows of a fleet."""

    def test_nodes(self) -> None:
        """All nodes are in a table, with this one marked; if the engine is lost the page says it."""
        case: Any = self
        engine = Engine(case)
        nodes = {}
        for name in ("a", "b"):
            nodes[name] = Twistd(CONFIG, "--fleet", engine.url, "--fleet-node", name)
            self.addCleanup(nodes[name].stop)
        self.open(nodes["b"].port)
        self.tab("repeater")
        self.until(lambda: len(self.script(CELLS)) == 2, "there are not two nodes")
        rows = [(row[0], row[4:]) for row in self.script(CELLS)]
        self.assertEqual(rows, [("a", ["edge", "0", ""]), ("b", ["edge", "0", "this node"])])
        self.assertEqual(self.text(".nodes tr[aria-current] td"), "b")
        engine.kill()
        self.until(lambda: "This node is no member of its fleet" in self.text("#notice"), "nothing is said")
