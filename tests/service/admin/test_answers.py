"""Answers as JSON."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.service.admin.answers import ApiError, ErrorAnswer, json_of


class AnswerTests(SynchronousTestCase):
    """What is sent."""

    def test_strange_names(self) -> None:
        """A name whose bytes are not text becomes escapes, which every reader of JSON understands."""
        data = json_of(ErrorAnswer("\udcff \u0142"))
        self.assertEqual(data, rb'{"error":"\udcff \u0142"}')
        self.assertEqual(json.loads(data), {"error": "\udcff \u0142"})
        self.assertEqual(json_of(ErrorAnswer("\u0142")), '{"error":"\u0142"}'.encode())

    def test_error(self) -> None:
        """An error becomes an answer with its status, its headers, and one sentence."""
        answer = ApiError(405, "no", {"allow": "GET"}).answer
        self.assertEqual(
            (answer.status, answer.headers, json_of(answer.content)), (405, {"allow": "GET"}, b'{"error":"no"}')
        )
        self.assertEqual(ApiError(404, "no").answer.headers, {})
