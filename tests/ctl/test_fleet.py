"""The commands about the fleet, and the commands that all its nodes obey."""

from __future__ import annotations

import json
from typing import Any

from .stand_in import CtlCase, Raw

FACTS: dict[str, Any] = {"own": False, "host": "h1", "pid": 7, "version": "1.0", "repeaters": []}


def outcome(**errors: str | None) -> Any:
    """Return what nodes did: each closed two links, or has an error."""
    nodes = [
        {"node": node, "done": error is None, "value": None if error else 2, "error": error}
        for node, error in errors.items()
    ]
    complete = not any(errors.values())
    answer = {"id": "c1", "complete": complete, "problem": None, "nodes": nodes}
    return answer if complete else Raw(504, json.dumps(answer).encode())


class LookingTests(CtlCase):
    """Commands that show the fleet."""

    def test_nodes(self) -> None:
        """Each node is shown with its repeaters; this one is marked."""
        orders = {"name": "orders", "links": 1200, "drops_new_clients": True, "draining": True}
        nodes = [FACTS | {"name": "a", "own": True, "repeaters": [orders]}, FACTS | {"name": "b"}]
        self.answer(**{"GET /fleet": {"node": "a", "alone": False, "problem": None, "nodes": nodes}})
        self.assertEqual(
            self.printed("nodes").splitlines(),
            [
                "NODE  HOST  PID  VERSION  REPEATER  LINKS  STATE",
                "a     h1      7  1.0      orders    1,200  this node, draining, drops new clients",
                "b     h1      7  1.0                    0",
            ],
        )

    def test_no_member(self) -> None:
        """If this node is no member, the reason is there, and the status is 1."""
        node = FACTS | {"name": "a", "own": True}
        self.answer(**{"GET /fleet": {"node": "a", "alone": False, "problem": "no engine", "nodes": [node]}})
        self.assertEqual(self.ctl("nodes"), 1)
        self.assertIn("a is no member of the fleet: no engine\n", self.output.getvalue())

    def test_find(self) -> None:
        """The nodes that have a client are shown; if there are none the status is 1."""
        self.answer(**{"GET /fleet/clients": {"client": "ann", "found": [{"repeater": "orders", "nodes": ["a", "b"]}]}})
        self.assertEqual(self.printed("find", "ann", "--repeater", "orders"), "orders: a, b\n")
        self.assertEqual(self.server.requests[-1].query, {"name": "ann", "repeater": "orders"})
        self.answer(**{"GET /fleet/clients": {"client": "ann", "found": []}})
        self.assertEqual(self.ctl("find", "ann"), 1)
        self.assertIn("no node has a client ann\n", self.output.getvalue())

    def test_clients(self) -> None:
        """Names of clients are shown, of this node or of each node."""
        path = "GET /repeaters/orders/clients"
        self.answer(**{path: {"clients": ["ann", "bob"]}})
        self.assertEqual(self.printed("clients", "--limit", "2"), "ann\nbob\n")
        self.assertEqual(self.server.requests[-1].query, {"limit": "2"})
        self.answer(**{path: {"clients": []}})
        self.assertIn("no clients\n", self.printed("clients"))
        nodes = [
            {"node": "a", "done": True, "value": ["ann"], "error": None},
            {"node": "b", "done": False, "value": None, "error": "no answer in time"},
        ]
        answer = {"id": "c1", "complete": False, "problem": None, "nodes": nodes}
        self.answer(**{path: Raw(504, json.dumps(answer).encode())})
        self.assertEqual(self.ctl("clients", "--fleet"), 1)
        self.assertIn("NODE  CLIENT\na     ann\nb: not done: no answer in time\n", self.output.getvalue())
        self.answer(**{path: answer | {"complete": True, "nodes": []}})
        self.assertIn("no clients\n", self.printed("clients", "--node", "a"))


class ObeyingTests(CtlCase):
    """Commands that all nodes obey."""

    def test_all_done(self) -> None:
        """What each node did is shown."""
        client = "/repeaters/orders/clients/ann"
        self.answer(
            **{
                f"POST {client}/close": outcome(a=None, b=None),
                f"POST {client}/send": outcome(a=None),
                "POST /repeaters/orders/send": outcome(b=None),
                "POST /repeaters/orders/drop-new-clients": outcome(a=None),
            }
        )
        self.printed("close", "ann", "--fleet", "--timeout", "2", "--id", "c1")
        wanted = {"scope": "fleet", "id": "c1", "timeout": "2.0"}
        self.assertEqual(self.server.requests[-1].query, wanted)
        self.printed("send", "to-client", "ann", "--text", "hi", "--fleet")
        self.printed("send", "to-server", "--all", "--text", "hi", "--node", "b")
        self.assertEqual(self.server.requests[-1].query, {"scope": "fleet", "node": "b"})
        self.assertEqual(
            self.printed("drop-new-clients", "--fleet"),
            "a: 2 links closed\nb: 2 links closed\na: sent on 2 links\nb: sent on 2 links\n"
            "a: new clients are refused; links stay\n",
        )

    def test_not_done(self) -> None:
        """A node that did not do it is shown with the reason and the way to repeat it, and the status is 1."""
        self.answer(**{"POST /repeaters/orders/accept-new-clients": outcome(a=None, b="no answer in time")})
        self.assertEqual(self.ctl("accept-new-clients", "--fleet"), 1)
        self.assertEqual(
            self.output.getvalue().splitlines(),
            [
                "a: new clients are accepted",
                "b: not done: no answer in time",
                "to repeat it for the nodes that have not done it, add --id c1",
            ],
        )
        self.answer(
            **{
                "POST /repeaters/orders/accept-new-clients": Raw(
                    504, b'{"id": "c1", "complete": false, "problem": "no engine", "nodes": []}'
                )
            }
        )
        self.assertEqual(self.ctl("accept-new-clients", "--fleet", "--json"), 1)
        self.assertEqual(json.loads(self.output.getvalue().splitlines()[-1])["problem"], "no engine")
        self.assertEqual(self.ctl("accept-new-clients", "--fleet"), 1)
        self.assertIn("other nodes could not be asked: no engine\n", self.output.getvalue())

    def test_drain(self) -> None:
        """A node is drained over some time."""
        answer = outcome(b=None)
        answer["nodes"][0]["value"] = None
        self.answer(**{"POST /fleet/nodes/b/drain": answer, "POST /drain": {}})
        self.assertEqual(
            self.printed("drain", "--node", "b", "--over", "20"),
            "b: drains: its links end in good order, then it ends\n",
        )
        self.printed("drain", "--node", "b")
        self.printed("drain")
        sent = [("POST", "/fleet/nodes/b/drain", {"over": 20}), ("POST", "/fleet/nodes/b/drain", {})]
        self.assertEqual(self.asked, [*sent, ("POST", "/drain", None)])

    def test_wrong(self) -> None:
        """What belongs to the fleet is refused where it means nothing, and nothing is asked."""
        for words in (
            ["close", "ann", "--id", "c1"],
            ["clients", "--timeout", "2"],
            ["close", "--link", "7", "--fleet"],
            ["close", "--fleet"],
            ["send", "to-client", "ann", "--all", "--text", "hi"],
            ["send", "to-client", "--fleet", "--text", "hi"],
            ["drain", "--over", "3"],
        ):
            self.assertEqual(self.ctl(*words), 2, words)
        self.assertEqual(self.asked, [])
