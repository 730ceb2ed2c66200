"""Requests to the administration, and its answers."""

from __future__ import annotations

import socket

from twisted_repeater.ctl import administration
from twisted_repeater.ctl.address import address_of
from twisted_repeater.ctl.administration import Administration
from twisted_repeater.ctl.errors import Refused, Unreachable, Unusable

from .stand_in import CtlCase, Raw, Stream


class RequestTests(CtlCase):
    """What is asked."""

    def test_paths(self) -> None:
        """Each part of a path is percent-encoded, and parameters without a value are left out."""
        self.server.answers["GET /clients/a%2Fb%20%C3%A9/close"] = {}
        self.administration.get("clients", "a/b é", "close", client="x&y", after=None, limit=3)
        (request,) = self.server.requests
        self.assertEqual(request.query, {"client": "x&y", "limit": "3"})
        self.assertNotIn("content-type", request.headers)
        self.assertNotIn("authorization", request.headers)

    def test_methods(self) -> None:
        """Bodies are JSON."""
        self.answer(**{f"{method} /x": {} for method in ("POST", "PUT", "DELETE")})
        self.administration.post("x", body={"a": 1})
        self.administration.put("x", body={"a": 2})
        self.administration.delete("x")
        self.assertEqual(self.asked, [("POST", "/x", {"a": 1}), ("PUT", "/x", {"a": 2}), ("DELETE", "/x", None)])
        self.assertEqual(self.server.requests[0].headers["content-type"], "application/json")

    def test_token(self) -> None:
        """The token is in each request."""
        self.answer(**{"GET /x": {}})
        Administration(address_of(self.url), "secret").get("x")
        self.assertEqual(self.server.requests[0].headers["authorization"], "Bearer secret")

    def test_prefix(self) -> None:
        """A prefix of the address stands before each path."""
        self.answer(**{"GET /edge/x": {}})
        Administration(address_of(f"{self.url}/edge")).get("x")
        self.assertEqual(self.server.requests[0].path, "/edge/x")


class AnswerTests(CtlCase):
    """What comes back."""

    def refusal(self, answer: Raw) -> Refused:
        """Return the error for an answer."""
        self.answer(**{"GET /x": answer})
        error: Refused = self.assertRaises(Refused, self.administration.get, "x")
        return error

    def test_refusal(self) -> None:
        """The sentence of the administration is the text of the error; without one the status is."""
        error = self.refusal(Raw(409, b'{"error": "it is gone already"}'))
        self.assertEqual((error.code, str(error), error.status), (409, "it is gone already", 1))
        self.assertEqual(str(self.refusal(Raw(502, b"<html>"))), "the answer is 502 Bad Gateway")
        self.assertEqual(str(self.refusal(Raw(404, b"{}"))), "the answer is 404 Not Found")

    def test_accepted(self) -> None:
        """A status that the caller accepts is not a refusal."""
        self.answer(**{"GET /readyz": Raw(503, b'{"ready": false}')})
        self.assertEqual(self.administration.get("readyz", accepts=(503,)), {"ready": False})

    def test_not_json(self) -> None:
        """An answer that is not an object in JSON comes from something else."""
        for body in (b"<html>", b"[]", b"[" * 100_000, b"\xff"):
            self.answer(**{"GET /x": Raw(200, body)})
            error = self.assertRaises(Unusable, self.administration.get, "x")
            self.assertIn("this is not the administration of a repeater", str(error))

    def test_too_long(self) -> None:
        """An answer is not read without end."""
        self.patch(administration, "LONGEST_ANSWER", 10)
        self.answer(**{"GET /x": {"a": "long text"}})
        self.assertRaises(Unusable, self.administration.get, "x")

    def test_missing_field(self) -> None:
        """A field that is missing, at any depth, is an error that names it."""
        self.answer(**{"GET /x": {"a": {}}})
        answer = self.administration.get("x")
        error = self.assertRaises(Unusable, lambda: answer["a"]["links"])
        self.assertIn("no 'links'", str(error))

    def test_nobody(self) -> None:
        """Where nobody listens, the error says where that was."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{free.getsockname()[1]}"
            error = self.assertRaises(Unreachable, Administration(address_of(url)).get, "x")
        self.assertEqual(str(error), f"nobody answers at {url}: Connection refused")

    def test_silence(self) -> None:
        """Who does not answer in time is not waited for."""
        with socket.create_server(("127.0.0.1", 0)) as silent:
            url = f"http://127.0.0.1:{silent.getsockname()[1]}"
            error = self.assertRaises(Unreachable, Administration(address_of(url), timeout=0.01).get, "x")
        self.assertEqual(str(error), f"{url} did not answer within 0.01 seconds")

    def test_not_http(self) -> None:
        """Who speaks something else is named."""
        self.answer(**{"GET /x": Raw(42, b"")})
        self.assertIn("does not answer as HTTP does", str(self.assertRaises(Unusable, self.administration.get, "x")))


class StreamTests(CtlCase):
    """`Administration.stream`."""

    def test_stream(self) -> None:
        """Its lines can be read as they come."""
        self.answer(**{"GET /stream": Stream(b"event: a\n")})
        with self.administration.stream("stream", query={"client": "a*"}) as (connected, response):
            self.assertEqual(response.readline(), b"event: a\n")
            self.assertEqual(connected.getpeername(), self.server.server_address)
        self.assertEqual(self.server.requests[0].query, {"client": "a*"})

    def test_refused(self) -> None:
        """If it is refused, the administration's sentence says why."""
        self.answer(**{"GET /stream": Raw(503, b'{"error": "there are 8 streams"}')})
        with self.assertRaises(Refused) as caught, self.administration.stream("stream", query={}):
            pass
        self.assertEqual(str(caught.exception), "there are 8 streams")
