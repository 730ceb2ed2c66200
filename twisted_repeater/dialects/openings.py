"""The openings that are ready: how a link begins in protocols of different kinds.

`hellos`, where both peers say who they are before anything else, has a module of its own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from inspect import isawaitable

from .._text import repr_of
from .attempt import Attempt, Frame, Opening

__all__ = ["by_address", "first_message", "server_first"]


async def by_address(attempt: Attempt) -> None:
    """Wait for the client's first byte, name the client after its address, and connect to the server.

    For protocols in which the client speaks first, and whose clients have no name, or say it later. A port scan, which
    sends nothing, reaches no server.
    """
    await attempt.client.peek_bytes(1)


async def server_first(attempt: Attempt) -> None:
    """Connect to the server at once, with the client's address as its name.

    For protocols in which the server speaks first, or either side may. If places run out, the clients that have not
    sent a byte give way.
    """
    await attempt.admit()
    await attempt.dial()


def first_message(name_of: Callable[[Frame], str | Awaitable[str | None] | None]) -> Opening:
    """Return an opening that finds the client's name in the client's first message.

    The message stays in the stream, so it goes through the filters and to the server. For example::

        def name_of(frame: Frame) -> str:  # the first message is a line such as b"HELLO ann"
            word, _, name = frame.payload.partition(b" ")
            if word != b"HELLO":
                raise InvalidHello(f"a client must begin with HELLO, not {word!r}")
            return name.decode(errors="replace")

        Dialect(name="greeting", framing=dialects.lines().framing, opening=first_message(name_of))

    Args:
        name_of: returns the name, or ``None`` to name the client after its address. It may be a coroutine function. If
            it raises a `ConnectingError`, the client is refused with that. If it raises a `ParseError`, the client is
            refused with an `InvalidHello`. Any other error is an `OpeningFailed`.

    Raises:
        TypeError: ``name_of`` is not a function.
    """
    if not callable(name_of):
        raise TypeError(f"name_of must be a function of a frame, not {repr_of(name_of)}")

    async def opening(attempt: Attempt) -> None:
        named = name_of(await attempt.client.peek())
        name = await named if isawaitable(named) else named
        if name is not None and not isinstance(name, str):
            raise TypeError(f"a name must be a string or None, not {repr_of(name)}")
        await attempt.admit(name)

    opening.__qualname__ = f"first_message({getattr(name_of, '__qualname__', repr_of(name_of))})"
    return opening
