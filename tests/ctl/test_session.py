"""What a command works with."""

from __future__ import annotations

import os

from twisted_repeater.ctl.administration import Answer
from twisted_repeater.ctl.errors import Unusable
from twisted_repeater.ctl.parser import make_parser
from twisted_repeater.ctl.session import Session, criteria_of, note, session_of

from .stand_in import SUMMARY, CtlCase


class SessionTests(CtlCase):
    """`session_of` and `Session`."""

    def session(self, *arguments: str) -> Session:
        """Return the session of a command."""
        return session_of(make_parser().parse_args([*arguments, "status"]))

    def test_default(self) -> None:
        """Without an option or an environment variable, the usual address is tried, and the text says so."""
        os.environ.pop("REPEATER_ADMIN")
        address = self.session().administration.address
        self.assertEqual((address.host, address.port), ("127.0.0.1", 8090))
        self.assertEqual(address.text, "http://127.0.0.1:8090 (the default; --admin and REPEATER_ADMIN choose another)")
        self.assertEqual(self.session("--admin", "unix:a").administration.address.text, "unix:a")

    def test_token(self) -> None:
        """The token is read from the file that the option or the environment names."""
        self.answer(**{"GET /x": {}})
        os.environ["REPEATER_TOKEN_FILE"] = self.file(b"one\n")
        self.session().administration.get("x")
        self.session("--token-file", self.file(b" two ")).administration.get("x")
        tokens = [request.headers["authorization"] for request in self.server.requests]
        self.assertEqual(tokens, ["Bearer one", "Bearer two"])

    def test_no_token(self) -> None:
        """A file without a token is an error that names it."""
        for content, reason in ((b"", "must have the token"), (b"a\nb", "must have the token"), (b"\xff", "not ASCII")):
            error = self.assertRaises(Unusable, self.session, "--token-file", self.file(content))
            self.assertIn(reason, str(error))
        error = self.assertRaises(Unusable, self.session, "--token-file", "nowhere")
        self.assertIn("cannot read nowhere: No such file", str(error))

    def test_one_repeater(self) -> None:
        """The only repeater is chosen by itself, and asked for once."""
        session = self.session()
        self.assertEqual((session.repeater, session.path), ("orders", ("repeaters", "orders")))
        self.assertEqual(len(self.server.requests), 1)
        self.assertEqual(self.session("--repeater", "a").path, ("repeaters", "a"))

    def test_print(self) -> None:
        """Answers are printed as lines for people, or as an object for programs; notes are beside them."""
        self.session().print(Answer(a="é"), ["one", "two"])
        self.session("--json").print(Answer(a="é"), ["one", "two"])
        note("by the way")
        self.assertEqual(self.output.getvalue(), 'one\ntwo\n{"a": "\\u00e9"}\n')
        self.assertEqual(self.errors.getvalue(), "by the way\n")

    def test_several(self) -> None:
        """If there are several, one must be named; the error has their names."""
        self.answer(**{"GET /repeaters": {"repeaters": [SUMMARY, SUMMARY | {"name": "quotes"}]}})
        error = self.assertRaises(Unusable, lambda: self.session().repeater)
        self.assertEqual(str(error), "there are 2 repeaters: choose one with --repeater orders or quotes")
        self.answer(**{"GET /repeaters": {"repeaters": []}})
        error = self.assertRaises(Unusable, lambda: self.session().repeater)
        self.assertEqual(str(error), "the process has no repeater")

    def test_criteria(self) -> None:
        """Only options that were given become criteria, a direction in the words of the API."""
        given = make_parser().parse_args(["watch", "--direction", "to-server", "--type", "D"])
        self.assertEqual(criteria_of(given, "max_rate"), {"direction": "to_server", "type": "D"})
        self.assertEqual(criteria_of(make_parser().parse_args(["release-all"])), {})
