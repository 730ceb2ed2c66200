"""Messages as lines for people."""

from __future__ import annotations

import time

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.ctl.administration import Answer
from twisted_repeater.ctl.events import Event
from twisted_repeater.ctl.shown import LONGEST_BYTES, fields_of, line_of, message_line

from .stand_in import LINK, MESSAGE


class MessageTests(SynchronousTestCase):
    """A message."""

    def setUp(self) -> None:
        """Choose a zone."""
        self.patch(time, "localtime", time.gmtime)

    def shown(self, **fields: object) -> Answer:
        """Return a message with some other fields."""
        return Answer(MESSAGE | fields)

    def test_line(self) -> None:
        """A line says when it came, from whom, what it is, and what was decided."""
        self.assertEqual(message_line(self.shown()), "08:00:00.250 7 ann -> NewOrderSingle (D): 38=1000  [PASS_ON]")
        begins = self.shown(summary="NewOrderSingle (D) 38=1000")
        self.assertEqual(message_line(begins), "08:00:00.250 7 ann -> NewOrderSingle (D) 38=1000  [PASS_ON]")
        back = self.shown(direction="to_client", type=None, summary="ok\x1b]0;title\x07", verdict="")
        self.assertEqual(message_line(back), "08:00:00.250 7 ann <- ok\\x1b]0;title\\x07")

    def test_sent(self) -> None:
        """What was sent because of a message is beside the verdict, with the way that it went."""
        sent = [Answer(summary=text, size=2, bytes=None) for text in ("on", "no")]
        changed = self.shown(verdict="Send", forward=sent[0])
        self.assertIn("38=1000  [Send -> on]", message_line(changed))
        answered = self.shown(verdict="SendBack", direction="to_client", back=sent[1])
        self.assertIn("38=1000  [SendBack -> no]", message_line(answered))

    def test_fields(self) -> None:
        """Each field has a line, with its label if it has one."""
        self.assertEqual(list(fields_of(self.shown())), ["    35 = D  (MsgType)", "    38 = 1000"])
        self.assertEqual(list(fields_of(self.shown(fields=[]))), [])

    def test_bytes(self) -> None:
        """A message without fields is shown as its bytes, escaped, and cut if there are many."""
        self.assertEqual(
            list(fields_of(self.shown(fields=None, bytes=Answer(base64="YRti", cut=False)))), ["    a\\x1bb"]
        )
        cut = self.shown(fields=None, size=5000, bytes=Answer(base64="YWFh", cut=True))
        self.assertEqual(list(fields_of(cut)), ["    aaa ... (4.9 KiB)"])
        long = self.shown(fields=None, size=4000, bytes=Answer(base64="YWFh" * 1000, cut=False))
        self.assertEqual(list(fields_of(long)), ["    " + "a" * LONGEST_BYTES + " ... (3.9 KiB)"])

    def test_secret(self) -> None:
        """Of a message with secrets no bytes are shown."""
        lines = list(fields_of(self.shown(fields=None, bytes=None, redacted=True)))
        self.assertEqual(lines, ["    (it is not shown, because it has secrets)"])


class EventTests(SynchronousTestCase):
    """What else happens."""

    def test_links(self) -> None:
        """Links that are made and that end have a line; what is not for people has none."""
        made = Event("link_made", Answer(LINK))
        self.assertEqual(line_of(made), "link 7 of client ann from 127.0.0.1:5000 is made")
        ended = Event("link_ended", Answer(link=7, client="ann", reason="the client left"))
        self.assertEqual(line_of(ended), "link 7 of client ann has ended: the client left")
        closed = Event("link_ended", Answer(link=7, client="ann", reason=None))
        self.assertEqual(line_of(closed), "link 7 of client ann has ended")
        refused = Event("link_refused", Answer(client="eve", error="not\nallowed"))
        self.assertEqual(line_of(refused), "client eve is refused: not\\nallowed")
        error = Event("error", Answer(link=7, client="ann", side="client", error="it broke"))
        self.assertEqual(line_of(error), "link 7 of client ann: it broke")
        self.assertIsNone(line_of(Event("counts", Answer())))

    def test_message(self) -> None:
        """A message has the line of a message."""
        self.assertIn("ann -> NewOrder", line_of(Event("message", Answer(MESSAGE))) or "")
