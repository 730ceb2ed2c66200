"""The commands that ask once."""

from __future__ import annotations

import io
import sys
from typing import Any

from twisted_repeater.ctl import calls

from .stand_in import HELD, LINK, SUMMARY, CtlCase, Raw, Request


class LookingTests(CtlCase):
    """Commands that change nothing."""

    def test_status(self) -> None:
        """All repeaters are shown, or the one that is named, as a table or as JSON."""
        self.assertIn("orders  fix      tcp:9000", self.printed("status"))
        self.answer(**{"GET /repeaters/orders": SUMMARY})
        self.assertIn('{"repeaters": [{"name": "orders", ', self.printed("status", "--repeater", "orders", "--json"))

    def test_ready(self) -> None:
        """A process that is ready is."""
        self.answer(**{"GET /readyz": {"ready": True, "reasons": []}})
        self.assertEqual(self.printed("ready"), "ready\n")

    def test_not_ready(self) -> None:
        """One that is not says why."""
        self.answer(**{"GET /readyz": Raw(503, b'{"ready": false, "reasons": ["draining", "edge: no port"]}')})
        self.assertEqual(self.ctl("ready"), 1)
        self.assertEqual(self.output.getvalue(), "not ready: draining\nnot ready: edge: no port\n")

    def test_version(self) -> None:
        """The versions are shown as ``--version`` shows them."""
        self.answer(**{"GET /version": {"version": "1", "twisted": "26", "python": "3.13", "hot_path": "compiled"}})
        self.assertEqual(self.printed("version"), "twisted_repeater 1, hot path compiled; Twisted 26, Python 3.13\n")

    def test_links(self) -> None:
        """All links are shown, however many requests that takes."""
        self.patch(calls, "LINKS_AT_ONCE", 2)

        def links(request: Request) -> Any:
            after = int(request.query.get("after", 0))
            return {"total": 3, "links": [LINK | {"id": it} for it in range(after + 1, 4)][:2]}

        self.answer(**{"GET /repeaters/orders/links": links})
        self.assertEqual(len(self.printed("links", "--client", "a*").splitlines()), 4)
        self.assertEqual([it.query for it in self.server.requests[1:]][1], {"client": "a*", "after": "2", "limit": "2"})

    def test_no_links(self) -> None:
        """No links are one line, and an empty list in JSON."""
        self.answer(**{"GET /repeaters/orders/links": {"total": 0, "links": []}})
        self.assertEqual(self.printed("links"), "no links\n")
        self.assertIn('{"total": 0, "links": []}', self.printed("links", "--json"))

    def test_errors(self) -> None:
        """Errors are shown with their links."""
        error = {"time": 1_800_000_000, "link": 7, "client": "ann", "side": "client", "error": "it broke"}
        self.answer(**{"GET /repeaters/orders/errors": {"errors": [error, error | {"link": None, "client": None}]}})
        self.assertIn("2027-01-15 08:00:00     7  ann     client  it broke\n", self.printed("errors"))
        self.answer(**{"GET /repeaters/orders/errors": {"errors": []}})
        self.assertIn("no errors\n", self.printed("errors"))

    def test_fault_kinds(self) -> None:
        """The kinds of faults are shown with their options."""
        option = {"name": "seconds", "kind": "number", "default": None, "choices": None}
        kind = {"name": "latency", "summary": "Delays messages.", "options": [option]}
        self.answer(**{"GET /fault-kinds": {"kinds": [kind]}})
        self.assertIn("latency  Delays messages.  seconds\n", self.printed("fault-kinds"))


class ClientTests(CtlCase):
    """Commands on links."""

    def test_client(self) -> None:
        """All links of a name are closed, held or resumed."""
        self.answer(**{f"POST /repeaters/orders/clients/ann/{it}": {"links": 1} for it in ("close", "hold", "resume")})
        for command, text in (("close", "closed"), ("hold", "held: nothing is read"), ("resume", "resumed")):
            self.assertIn(f"1 link of ann is {text}", self.printed(command, "ann"))
        self.answer(**{"POST /repeaters/orders/clients/ann/close": {"links": 2}})
        self.assertIn("2 links of ann are closed", self.printed("close", "ann"))

    def test_link(self) -> None:
        """One link can be named by its number."""
        self.answer(**{"POST /repeaters/orders/links/7/close": {}})
        self.assertEqual(self.printed("close", "--link", "7"), "link 7 is closed\n")

    def test_neither(self) -> None:
        """Without a name or a number nothing is closed; nor with both."""
        self.assertEqual((self.ctl("close"), self.ctl("close", "ann", "--link", "7")), (2, 2))
        self.assertEqual(self.asked, [])

    def test_newcomers(self) -> None:
        """New clients are refused, and accepted again."""
        self.answer(**{f"POST /repeaters/orders/{it}-new-clients": {} for it in ("drop", "accept")})
        self.assertEqual(self.printed("drop-new-clients"), "new clients are refused; links stay\n")
        self.assertIn("new clients are accepted\n", self.printed("accept-new-clients"))


class ProcessTests(CtlCase):
    """Commands on the process."""

    def test_reload(self) -> None:
        """Each key has its result; if something could not be reloaded, the status is 1."""
        done = {"repeater": "orders", "error": None, "keys": {"filter": "applied", "listen": "restart needed"}}
        same: dict[str, object] = {"repeater": "", "error": None, "keys": {}}
        self.answer(**{"POST /reload": {"reloaded": [same, done]}})
        self.assertEqual(
            self.printed("reload"),
            "the process: no change\norders: filter: applied\norders: listen: restart needed\n",
        )
        self.answer(**{"POST /reload": {"reloaded": []}})
        self.assertIn("restart needed\nnothing has changed\n", self.printed("reload"))
        broken = {"repeater": "orders", "error": "cannot import rules", "keys": {}}
        self.answer(**{"POST /repeaters/orders/reload": {"reloaded": [broken]}})
        self.assertEqual(self.ctl("reload", "--repeater", "orders"), 1)
        self.assertIn("orders: nothing is changed: cannot import rules\n", self.output.getvalue())


class FleetTests(CtlCase):
    """What all nodes of the fleet do; see `test_fleet`."""

    def test_fleet(self) -> None:
        """A client is closed, told something, or refused from now on, wherever it is."""
        done = {"id": "c1", "complete": True, "problem": None, "nodes": []}
        client = "/repeaters/orders/clients/ann"
        paths = (f"{client}/close", f"{client}/send", "/repeaters/orders/drop-new-clients")
        self.answer(**{f"POST {path}": done for path in paths})
        self.printed("close", "ann", "--fleet")
        self.printed("send", "to-server", "ann", "--text", "hi", "--fleet")
        self.printed("drop-new-clients", "--fleet")
        self.assertEqual([path for _, path, _ in self.asked], list(paths))

    def test_wrong(self) -> None:
        """A link has a number on its own node only, and all clients have no name."""
        self.assertEqual(self.ctl("close", "--link", "7", "--fleet"), 2)
        self.assertEqual(self.ctl("send", "to-client", "ann", "--all", "--text", "hi"), 2)


class FaultTests(CtlCase):
    """Faults and the recording."""

    def test_faults(self) -> None:
        """Faults are set, removed and listed."""
        fault = {"name": "slow", "fault": "latency:seconds=1", "hit": 2, "seen": 9, "seed": 5, "seconds_left": None}
        self.answer(
            **{
                "PUT /repeaters/orders/faults/slow": {},
                "DELETE /repeaters/orders/faults/slow": {},
                "DELETE /repeaters/orders/faults": {},
                "GET /repeaters/orders/faults": {"faults": [fault]},
            }
        )
        self.assertEqual(self.printed("faults", "set", "slow", "latency:seconds=1", "--lasts", "60"), "slow is set\n")
        self.assertIn("slow is set\n" * 2, self.printed("faults", "set", "slow", "down"))
        self.assertIn("slow is removed\n", self.printed("faults", "remove", "slow"))
        self.assertIn("all faults are removed\n", self.printed("faults", "clear"))
        self.assertIn("slow  latency:seconds=1    2   9     5", self.printed("faults"))
        self.answer(**{"GET /repeaters/orders/faults": {"faults": []}})
        self.assertIn("no faults\n", self.printed("faults", "list"))
        self.assertEqual(
            self.asked[:2],
            [
                ("PUT", "/repeaters/orders/faults/slow", {"fault": "latency:seconds=1", "lasts": 60}),
                ("PUT", "/repeaters/orders/faults/slow", {"fault": "down"}),
            ],
        )

    def test_recording(self) -> None:
        """The recording is shown, started and stopped; one that is ending does not look as if it ran."""
        self.answer(**{f"{it}": {"file": "a.db"} for it in ("GET /repeaters/orders/recording",)})
        self.answer(**{"POST /repeaters/orders/recording/start": {"runs": True, "file": "b.db"}})
        self.answer(**{"POST /repeaters/orders/recording/stop": {"runs": True, "file": "b.db"}})
        self.assertEqual(self.printed("recording"), "file: a.db\n")
        self.assertIn("\nrecords into b.db\n", self.printed("recording", "start"))
        self.assertIn("\nrecords no more; b.db is complete in a moment\n", self.printed("recording", "stop"))


class HeldTests(CtlCase):
    """Held messages, and messages to send."""

    def test_held(self) -> None:
        """Held messages are shown with their fields, their deadline, and what waits behind them."""
        self.answer(**{"GET /repeaters/orders/held": {"held": [HELD]}})
        self.assertEqual(
            self.printed("held").splitlines(),
            [
                "message 1 is held until 2027-01-15 08:01:00, 2.0 KiB behind it",
                "  08:00:00.250 7 ann -> NewOrderSingle (D): 38=1000  [PASS_ON]",
                "    35 = D  (MsgType)",
                "    38 = 1000",
            ],
        )
        self.answer(**{"GET /repeaters/orders/held": {"held": []}})
        self.assertIn("no message is held\n", self.printed("held"))

    def test_settle(self) -> None:
        """A held message is released, dropped, changed or answered."""
        path = "/repeaters/orders/held/1"
        for command, how in (
            ("release", "released"),
            ("drop", "dropped"),
            ("change", "changed"),
            ("answer", "answered"),
        ):
            self.answer(**{f"POST {path}/{command}": {"id": 1, "how": how}})
        self.printed("release", "1")
        self.printed("drop", "1")
        self.printed("change", "1", "--set", "38=500", "58=a=b")
        self.assertEqual(
            self.printed("answer", "1", "--text", "no"),
            "".join(f"message 1 is {how}\n" for how in ("released", "dropped", "changed", "answered")),
        )
        self.assertEqual(
            self.asked,
            [
                ("POST", f"{path}/release", None),
                ("POST", f"{path}/drop", None),
                ("POST", f"{path}/change", {"message": {"set": {"38": "500", "58": "a=b"}}}),
                ("POST", f"{path}/answer", {"message": {"text": "no"}}),
            ],
        )

    def test_release_all(self) -> None:
        """All held messages are released with one call, or those that match."""
        path = "/repeaters/orders/held/release"
        self.answer(**{f"POST {path}": {"released": 2}})
        self.assertIn("2 messages are released\n", self.printed("release-all"))
        self.answer(**{f"POST {path}": {"released": 1}})
        choice = ("--client", "a*", "--direction", "to-server", "--type", "D", "--text", "x")
        self.assertIn("1 message is released\n", self.printed("release-all", *choice))
        wanted = {"client": "a*", "direction": "to_server", "type": "D", "text": "x"}
        self.assertEqual(self.asked, [("POST", path, {}), ("POST", path, wanted)])

    def test_gone(self) -> None:
        """A message that is gone already is not changed, and the administration says how it went."""
        self.answer(**{"POST /repeaters/orders/held/1/drop": Raw(409, b'{"error": "message 1 is not held"}')})
        self.assertEqual(self.ctl("drop", "1"), 1)
        self.assertIn("message 1 is not held", self.errors.getvalue())

    def test_send(self) -> None:
        """A message is sent as text, as hexadecimal digits, from a file or from the standard input."""
        self.answer(
            **{
                "POST /repeaters/orders/clients/ann/send": {"links": 2},
                "POST /repeaters/orders/links/7/send": {"links": 1},
            }
        )
        self.patch(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"in")))
        self.printed("send", "to-client", "ann", "--text", r"a\n")
        self.printed("send", "to-server", "--link", "7", "--hex", "00ff")
        self.printed("send", "to-server", "ann", "--file", self.file(b"\x00\xff"))
        self.assertEqual(
            self.printed("send", "to-server", "ann", "--file", "-"),
            "sent on 2 links\nsent on 1 link\nsent on 2 links\nsent on 2 links\n",
        )
        self.assertEqual(
            [body for _, _, body in self.asked],
            [
                {"direction": "to_client", "message": {"text": r"a\n"}},
                {"direction": "to_server", "message": {"hex": "00ff"}},
                {"direction": "to_server", "message": {"base64": "AP8="}},
                {"direction": "to_server", "message": {"base64": "aW4="}},
            ],
        )

    def test_send_to_all(self) -> None:
        """A message is sent to all clients."""
        self.answer(**{"POST /repeaters/orders/send": {"links": 3}})
        self.assertEqual(self.printed("send", "to-client", "--all", "--text", "hi"), "sent on 3 links\n")

    def test_wrong(self) -> None:
        """A file that cannot be read, and a field without a value, are errors of the command."""
        self.assertEqual(self.ctl("send", "to-server", "ann", "--file", "nowhere"), 2)
        self.assertIn("--file: cannot read nowhere: No such file", self.errors.getvalue())
        self.assertEqual(self.ctl("change", "1", "--set", "38"), 2)
        self.assertIn("expected FIELD=VALUE, got '38'", self.errors.getvalue())
