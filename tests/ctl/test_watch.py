"""``ctl watch``."""

from __future__ import annotations

import json
from functools import partial

from twisted_repeater.ctl import watch
from twisted_repeater.ctl.events import Events

from .stand_in import LINK, MESSAGE, CtlCase, Raw, Request, Stream, event


class WatchTests(CtlCase):
    """`watch`."""

    EVENTS = (
        event("hello", stream="s1", epoch=1, repeater="orders")
        + event("link_made", **LINK)
        + event("message", **MESSAGE)
        + event("counts", seen=10, shown=1, left_out=1000)
        + event("counts", seen=10, shown=1, left_out=1000)
        + event("counts", seen=12, shown=1, left_out=1001)
        + event("resync")
    )

    def watch(self, *options: str) -> str:
        """Watch until Ctrl-C, which comes when the stream is lost; return what is printed."""
        streams: list[object] = [Stream(self.EVENTS, stays=False)]

        def answer(request: Request) -> object:
            return streams.pop() if streams else Raw(503, b"")

        self.answer(**{"GET /repeaters/orders/stream": answer})

        def interrupt(seconds: float) -> None:
            raise KeyboardInterrupt

        self.patch(watch, "Events", partial(Events, sleep=interrupt))
        return self.printed("watch", *options)

    def test_lines(self) -> None:
        """Messages and links are lines; what is left out is said beside them."""
        lines = self.watch().splitlines()
        self.assertEqual(
            lines,
            [
                "link 7 of client ann from 127.0.0.1:5000 is made",
                "08:00:00.250 7 ann -> NewOrderSingle (D): 38=1000  [PASS_ON]",
            ],
        )
        self.assertEqual(
            self.errors.getvalue(),
            "messages are shown as they pass; Ctrl-C ends that\n"
            "(1,000 messages left out: --max-rate shows more, --client fewer)\n"
            "(1 message left out: --max-rate shows more, --client fewer)\n"
            "(messages are left out: the connection was lost)\n",
        )

    def test_fields(self) -> None:
        """With ``--fields`` each message has its fields."""
        self.assertIn("[PASS_ON]\n    35 = D  (MsgType)\n    38 = 1000\n", self.watch("--fields"))

    def test_json(self) -> None:
        """With ``--json`` each event is an object on a line."""
        events = [json.loads(line) for line in self.watch("--json").splitlines()]
        self.assertEqual(
            [it["event"] for it in events], ["hello", "link_made", "message", "counts", "counts", "counts", "resync"]
        )
        self.assertEqual(events[2], {"event": "message"} | MESSAGE)

    def test_end(self) -> None:
        """When no more events come, it ends."""
        self.patch(watch, "Events", lambda *path, query: [])
        self.assertEqual(self.printed("watch"), "")

    def test_choice(self) -> None:
        """The administration chooses the messages."""
        self.watch("--client", "a*", "--direction", "to-server", "--type", "New*", "--text", "ACME", "--max-rate", "5")
        query = next(it.query for it in self.server.requests if it.path.endswith("stream"))
        expected = {"client": "a*", "direction": "to_server", "type": "New*", "text": "ACME", "max_rate": "5"}
        self.assertEqual(query, expected)
