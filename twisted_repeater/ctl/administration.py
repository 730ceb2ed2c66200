"""Requests to the administration, and its answers.

Each request has a connection of its own: the administration has few places for connections, and a command of ``ctl``
makes few requests.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException, HTTPResponse
from socket import socket
from typing import Any
from urllib.parse import quote, urlencode

from .address import Address
from .errors import Refused, Unreachable, Unusable

__all__ = ["Administration", "Answer", "Query"]

TIMEOUT = 30.0
"""Seconds that the administration may be silent. A stream has a comment every 10 seconds."""

LONGEST_ANSWER = 64 * 1024 * 1024
"""Bytes of an answer. One with 10,000 links has 6 MB."""

Query = dict[str, "str | float | None"]
"""The parameters of a request; those that are ``None`` are left out."""


class Answer(dict[str, Any]):
    """An object in an answer. A field that is missing is an error of whoever answered."""

    def __missing__(self, name: str) -> Any:
        raise Unusable(f"the answer has no {name!r}: is it the administration of another version?")


class Administration:
    """The administration of a process with repeaters.

    Args:
        address: where it is.
        token: what it asks for, if it does.
        timeout: seconds that it may be silent.
    """

    def __init__(self, address: Address, token: str | None = None, timeout: float = TIMEOUT) -> None:
        self.address: Address = address
        self._timeout = timeout
        self._headers = {"Accept": "application/json", "Connection": "close"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"

    def get(self, *path: str, accepts: tuple[int, ...] = (), **query: str | float | None) -> Answer:
        """Return the answer to a GET.

        Args:
            path: the parts of the path.
            accepts: statuses that are not a refusal here.
            query: the parameters; those that are ``None`` are left out.
        """
        return self._ask("GET", path, query=query, accepts=accepts)

    def post(
        self, *path: str, body: object = None, accepts: tuple[int, ...] = (), **query: str | float | None
    ) -> Answer:
        """Return the answer to a POST; see `get`."""
        return self._ask("POST", path, query=query, body=body, accepts=accepts)

    def put(self, *path: str, body: object = None) -> Answer:
        """Return the answer to a PUT."""
        return self._ask("PUT", path, body=body)

    def delete(self, *path: str) -> Answer:
        """Return the answer to a DELETE."""
        return self._ask("DELETE", path)

    @contextmanager
    def stream(self, *path: str, query: Query) -> Iterator[tuple[socket, HTTPResponse]]:
        """Begin a stream; return its socket and its response, whose lines come as things happen."""
        connection = self.address.connection(self._timeout)
        try:
            with self._reporting():
                connection.connect()
                connected = connection.sock  # `connection` forgets it if the response says that it ends with it
                response = self._send(connection, "GET", path, query, None)
                if response.status != 200:
                    raise _refusal(response)
            yield connected, response
        finally:
            connection.close()

    def _ask(
        self,
        method: str,
        path: tuple[str, ...],
        *,
        query: Query | None = None,
        body: object = None,
        accepts: tuple[int, ...] = (),
    ) -> Answer:
        connection = self.address.connection(self._timeout)
        try:
            with self._reporting():
                response = self._send(connection, method, path, query or {}, body)
                if not 200 <= response.status < 300 and response.status not in accepts:
                    raise _refusal(response)
                return _object_of(response)
        finally:
            connection.close()

    def _send(
        self, connection: HTTPConnection, method: str, path: tuple[str, ...], query: Query, body: object
    ) -> HTTPResponse:
        target = self.address.prefix + "".join(f"/{quote(part, safe='')}" for part in path)
        parameters = urlencode({name: value for name, value in query.items() if value is not None})
        headers = self._headers if body is None else self._headers | {"Content-Type": "application/json"}
        connection.request(
            method,
            f"{target}?{parameters}" if parameters else target,
            body=None if body is None else json.dumps(body).encode(),
            headers=headers,
        )
        return connection.getresponse()

    @contextmanager
    def _reporting(self) -> Iterator[None]:
        """Say who did not answer, and where."""
        try:
            yield
        except TimeoutError as error:
            raise Unreachable(f"{self.address.text} did not answer within {self._timeout:g} seconds") from error
        except OSError as error:
            raise Unreachable(f"nobody answers at {self.address.text}: {error.strerror or error}") from error
        except HTTPException as error:
            raise Unusable(
                f"{self.address.text} does not answer as HTTP does: {error or type(error).__name__}"
            ) from error


def _refusal(response: HTTPResponse) -> Refused | Unusable:
    """Return the error for an answer that says no."""
    try:
        return Refused(response.status, str(_object_of(response)["error"]))
    except Unusable:  # somebody in front of the administration answers, or not an administration at all
        return Refused(response.status, f"the answer is {response.status} {response.reason}")


def _object_of(response: HTTPResponse) -> Answer:
    """Return the JSON object of an answer."""
    body = response.read(LONGEST_ANSWER)
    try:
        answer = json.loads(body, object_hook=Answer)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, Answer):
        raise Unusable("the answer is not a JSON object: this is not the administration of a repeater")
    return answer
