"""Answers as people read them."""

from __future__ import annotations

import time

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.ctl.administration import Answer
from twisted_repeater.ctl.texts import count, links_table, moment, nodes_table, plural, repeaters_table, size, table

from .stand_in import LANE, LINK, SUMMARY


def answer(fields: dict[str, object]) -> Answer:
    """Return an answer with its objects, as it is read."""
    return Answer({name: answer(it) if isinstance(it, dict) else it for name, it in fields.items()})


class NumberTests(SynchronousTestCase):
    """Numbers and times."""

    def test_numbers(self) -> None:
        """Numbers have a comma at thousands, sizes a unit."""
        self.assertEqual(
            [plural(1, "link"), plural(0, "link"), plural(1000, "link")], ["1 link", "0 links", "1,000 links"]
        )
        sizes = [size(it) for it in (0, 1023, 1024, 1024 * 1000, 5 * 1024**3, 1024**6)]
        self.assertEqual(sizes, ["0 B", "1023 B", "1.0 KiB", "1.0 MiB", "5.0 GiB", "1048576.0 TiB"])
        self.assertEqual(count(Answer(messages=1204, bytes=2048)), "1,204 (2.0 KiB)")

    def test_moments(self) -> None:
        """Times are those of this machine's zone."""
        self.patch(time, "localtime", time.gmtime)
        self.assertEqual(moment(1_800_000_000.9996), "2027-01-15 08:00:00")
        self.assertEqual(moment(1_800_000_000.9996, day=False), "08:00:00.999")


class TableTests(SynchronousTestCase):
    """Tables."""

    def setUp(self) -> None:
        """Choose a zone."""
        self.patch(time, "localtime", time.gmtime)

    def test_table(self) -> None:
        """Columns are aligned as their titles say, and what strangers chose cannot change the terminal."""
        lines = list(table(("NAME", " N"), [("a\x1b[2J", 1000), ("b", 5)]))
        self.assertEqual(lines, ["NAME         N", "a\\x1b[2J  1000", "b            5"])

    def test_repeaters(self) -> None:
        """A repeater has a line with all that an operator should know."""
        other = {"name": "b", "ready": False, "drops_new_clients": True, "faults": 2, "held": 1, "recording": True}
        state = "not ready, drops new clients, 2 faults, 1 message held, records"
        lines = list(repeaters_table([answer(SUMMARY), answer(SUMMARY | other)]))
        self.assertEqual(
            lines,
            [
                "NAME    DIALECT  LISTENS AT  SERVER             LINKS          TO SERVER  TO CLIENT  STATE",
                "orders  fix      tcp:9000    tcp:10.0.0.5:9001      3  1,204 (190.1 KiB)    0 (0 B)  ready",
                f"b       fix      tcp:9000    tcp:10.0.0.5:9001      3  1,204 (190.1 KiB)    0 (0 B)  {state}",
            ],
        )

    def test_nodes(self) -> None:
        """A node has a line for each of its repeaters."""
        node = {"name": "a", "own": True, "host": None, "pid": None, "version": None, "repeaters": []}
        lines = list(nodes_table([answer(node)]))
        self.assertEqual(lines[1], "a                                       0  this node")
        drains = Answer(name="orders", links=3, drops_new_clients=True, draining=True)
        rests = Answer(name="quotes", links=0, drops_new_clients=False, draining=False)
        about = {"own": False, "host": "h1", "pid": 7, "repeaters": [drains, rests]}
        lines = list(nodes_table([answer(node | about)]))
        self.assertEqual(lines[1], "a     h1      7           orders        3  draining, drops new clients")
        self.assertEqual(lines[2], "a     h1      7           quotes        0")

    def test_links(self) -> None:
        """A link has a line that says whether, and why, its messages wait."""
        waits = LANE | {"stopped": True, "awaits": "filter", "waiting_bytes": 1000, "behind_bytes": 24}
        lanes = {"to_server": LANE | {"awaits": "hold"}, "to_client": waits}
        other = {"id": 12, "held": True, "made": None, "last_error": "it\nbroke"} | lanes
        lines = list(links_table([answer(LINK), answer(LINK | other)]))
        waits_text = (
            "client held, a message to the server is held, stopped to the client, "
            "a message to the client waits for a filter, 1.0 KiB wait for the client"
        )
        head = f"{'STATE':{len(waits_text)}}  LAST ERROR"
        since = "2027-01-15 08:00:00"
        self.assertEqual(
            lines,
            [
                f"LINK  CLIENT  FROM            SINCE                TO SERVER  TO CLIENT  {head}",
                f"   7  ann     127.0.0.1:5000  {since}   2 (20 B)   2 (20 B)  active",
                f"  12  ann     127.0.0.1:5000  {' ' * len(since)}   2 (20 B)   2 (20 B)  {waits_text}  it\\nbroke",
            ],
        )
