"""``ctl hold-messages``."""

from __future__ import annotations

import io
import json
import os
import queue
import sys
from collections.abc import Callable

from twisted_repeater.ctl.holding import HELP

from .stand_in import HELD, CtlCase, Raw, Request, Stream, event

ASKED = "or ? for help"

PATH = "/repeaters/orders/held"


class Terminal(io.StringIO):
    """A terminal, at which somebody does the next thing of a script when a text is printed."""

    def __init__(self, script: list[tuple[str, Callable[[], object]]]) -> None:
        super().__init__()
        self._script = script

    def write(self, text: str) -> int:
        """Print a text."""
        written = super().write(text)
        if self._script and self._script[0][0] in text:
            self._script.pop(0)[1]()
        return written


def press() -> None:
    """Press Ctrl-C."""
    raise KeyboardInterrupt


class HoldingCase(CtlCase):
    """The command, with somebody at its terminal."""

    def setUp(self) -> None:
        """Make a terminal, and a stream that can be written to."""
        super().setUp()
        self.events: queue.Queue[bytes] = queue.Queue()
        self.script: list[tuple[str, Callable[[], object]]] = []
        self.output, self.errors = Terminal(self.script), Terminal(self.script)
        self.patch(sys, "stdout", self.output)
        self.patch(sys, "stderr", self.errors)
        reads, self.writes = os.pipe()
        self.patch(sys, "stdin", os.fdopen(reads))
        self.addCleanup(sys.stdin.close)
        self.addCleanup(os.close, self.writes)
        self.answer(
            **{
                "GET /repeaters/orders/stream": lambda request: Stream(iter(self.events.get, b"")),
                "POST /repeaters/orders/rules": {"id": 9},
                "DELETE /repeaters/orders/rules/9": {},
            }
        )
        for how in ("released", "dropped", "changed", "answered"):
            self.answer(**{f"POST {PATH}/1/{how.rstrip('ped') if how == 'dropped' else how.removesuffix('d')}": {}})
        self.happen(event("hello", stream="s1"))
        self.addCleanup(self.events.put, b"")

    def happen(self, *events: bytes) -> None:
        """Let something happen."""
        for one in events:
            self.events.put(one)

    def hold(self, **fields: object) -> bytes:
        """Return the event of a message that is held."""
        return event("held", **HELD | fields)

    def settles(self, command: str, how: str, held: int = 1) -> None:
        """Answer a command by settling a message."""

        def settle(request: Request) -> object:
            self.happen(event("settled", id=held, how=how))
            return {}

        self.answer(**{f"POST {PATH}/{held}/{command}": settle})

    def when(self, printed: str, *lines: str) -> None:
        """Type lines when a text is printed; without lines, press Ctrl-C."""
        text = "".join(f"{line}\n" for line in lines).encode()
        self.script.append((printed, (lambda: os.write(self.writes, text)) if lines else press))

    def commands(self) -> list[tuple[str, object]]:
        """Return the commands about held messages, and their bodies."""
        return [
            (path.removeprefix(f"{PATH}/"), body) for method, path, body in self.asked if path.startswith(f"{PATH}/")
        ]


class AskingTests(HoldingCase):
    """Somebody decides at the terminal."""

    def test_release(self) -> None:
        """A message is shown, and released when somebody says so; Ctrl-C removes the rule."""
        self.settles("release", "released")
        self.happen(self.hold())
        self.when(ASKED, "r")
        self.when("message 1: released")
        self.assertEqual(self.ctl("hold-messages", "--client", "a*", "--direction", "to-server", "--every", "2"), 0)
        self.assertEqual(
            self.output.getvalue().splitlines(),
            [
                "message 1 is held until 2027-01-15 08:01:00, 2.0 KiB behind it",
                "  08:00:00.250 7 ann -> NewOrderSingle (D): 38=1000  [PASS_ON]",
                "    35 = D  (MsgType)",
                "    38 = 1000",
                "release, drop, change FIELD=VALUE, answer TEXT, or ? for help",
            ],
        )
        rule = {"client": "a*", "direction": "to_server", "every": 2, "stream": "s1"}
        self.assertEqual(self.asked[1], ("POST", "/repeaters/orders/rules", rule))
        self.assertEqual(self.asked[-1][:2], ("DELETE", "/repeaters/orders/rules/9"))

    def test_commands(self) -> None:
        """Messages are changed, answered and dropped, one after the other; another one's rule is not ours."""
        self.settles("change", "changed")
        self.settles("answer", "answered", 2)
        self.settles("drop", "dropped", 3)
        self.happen(
            self.hold(),
            self.hold(id=0, rule=8),
            self.hold(id=2),
            self.hold(id=3),
            event("settled", id=0, how="deadline"),
        )
        self.when(ASKED, "change 38=500 58='two words'")
        self.when(ASKED, "answer not today")
        self.when(ASKED, "dr")
        self.when("message 3: dropped")
        self.ctl("hold-messages")
        self.assertEqual(
            self.commands(),
            [
                ("1/change", {"message": {"set": {"38": "500", "58": "two words"}}}),
                ("2/answer", {"message": {"text": "not today"}}),
                ("3/drop", None),
            ],
        )

    def test_text(self) -> None:
        """A message without fields is changed into another text."""
        self.settles("change", "changed")
        self.happen(self.hold(settable=[]))
        self.when(ASKED, r"c buy 5\n")
        self.when("message 1: changed")
        self.ctl("hold-messages")
        self.assertEqual(self.commands(), [("1/change", {"message": {"text": r"buy 5\n"}})])

    def test_mistakes(self) -> None:
        """Somebody who mistypes, or whom the administration refuses, is told why and can try again."""
        self.answer(**{f"POST {PATH}/1/change": Raw(400, b'{"error": "38 must be a number"}')})
        self.happen(self.hold())
        self.when(ASKED, "", "?", "what\x1b", "change 38", "change 'a", "change 38=x", "show")
        self.when("38 must be a number")
        self.ctl("hold-messages")
        for text in (HELP, "got 'what\\x1b'", "expected FIELD=VALUE, got '38'", "'a: No closing quotation"):
            self.assertIn(text, self.errors.getvalue())

    def test_show(self) -> None:
        """A message can be shown again."""
        self.happen(self.hold())
        self.when(ASKED, "show")
        self.when(ASKED)
        self.ctl("hold-messages")
        self.assertEqual(self.output.getvalue().count("message 1 is held"), 2)

    def test_nothing(self) -> None:
        """If nothing is held, there is nothing to decide."""
        self.when("Ctrl-C ends", "release")
        self.when("no message is held")
        self.ctl("hold-messages")
        self.assertEqual(self.commands(), [])

    def test_settled_elsewhere(self) -> None:
        """A message that its deadline released is forgotten, and the next one is asked about."""
        self.happen(self.hold(), self.hold(id=2))
        self.when(ASKED)
        self.script.clear()
        self.when(ASKED, "")
        self.happen(event("settled", id=1, how="deadline"))
        self.when(ASKED)
        self.ctl("hold-messages")
        self.assertIn("message 1: deadline\n", self.errors.getvalue())

    def test_settled_behind(self) -> None:
        """If one that waits its turn is gone, the question stays."""
        self.happen(self.hold(), self.hold(id=2), event("settled", id=2, how="dropped"))
        self.happen(event("settled", id=1, how="deadline"))
        self.when("message 1: deadline")
        self.ctl("hold-messages")
        self.assertEqual(self.output.getvalue().count(ASKED), 1)
        self.assertIn("message 2: dropped", self.errors.getvalue())

    def test_nobody_types(self) -> None:
        """Where nobody can type, messages are shown all the same."""
        os.write(self.writes, b"show\n")
        closed, self.writes = self.writes, os.dup(self.writes)
        os.close(closed)
        os.dup2(os.open(os.devnull, os.O_RDONLY), sys.stdin.fileno())
        self.happen(self.hold())
        self.when(ASKED)
        self.ctl("hold-messages")


class StreamTests(HoldingCase):
    """The stream that the rule belongs to."""

    def test_resync(self) -> None:
        """After messages were missed, the list of the administration counts."""
        self.answer(**{f"GET {PATH}": {"held": [HELD | {"id": 5}, HELD | {"id": 6, "rule": 8}, HELD]}})
        self.happen(event("resync"))
        self.when(ASKED)
        self.ctl("hold-messages")
        self.assertIn(
            "message 5 is held until 2027-01-15 08:01:00, 2.0 KiB behind it, 1 more held\n", self.output.getvalue()
        )

    def test_new_stream(self) -> None:
        """If the administration does not know the stream any more, the rule is made again."""
        self.happen(event("hello", stream="s1"), self.hold(), event("hello", stream="s2"))
        self.when("Ctrl-C ends", "")
        self.when("Ctrl-C ends")
        self.ctl("hold-messages")
        rules = [body for method, path, body in self.asked if path.endswith("/rules")]
        self.assertEqual(rules, [{"stream": "s1"}, {"stream": "s2"}])

    def test_refused(self) -> None:
        """A rule that is refused ends the command with the reason."""
        self.answer(**{"POST /repeaters/orders/rules": Raw(400, b'{"error": "every must be above 0"}')})
        self.assertEqual(self.ctl("hold-messages", "--every", "0"), 1)
        self.assertIn("every must be above 0", self.errors.getvalue())

    def test_gone(self) -> None:
        """If the administration is gone at the end, its rules are gone, too."""
        self.answer(**{"DELETE /repeaters/orders/rules/9": Raw(500, b"")})
        self.when("Ctrl-C ends")
        self.assertEqual(self.ctl("hold-messages"), 0)

    def test_json(self) -> None:
        """With ``--json`` nobody is asked, and each event is an object on a line."""
        self.happen(self.hold(), event("settled", id=1, how="released"))
        self.when("message 1: released")
        self.ctl("hold-messages", "--json")
        lines = [json.loads(line) for line in self.output.getvalue().splitlines()]
        self.assertEqual([(it["event"], it["id"]) for it in lines], [("held", 1), ("settled", 1)])
