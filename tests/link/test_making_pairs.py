"""A pair of filters is asked for the filters of a link while the link is made."""

from __future__ import annotations

from typing import Any

from twisted_repeater import RefusedByApplication, Send

from .memory_case import MemoryCase


class Asked:
    """A pair of filters that says what it was asked."""

    def __init__(self, made: Any) -> None:
        self.made = made
        self.states: list[Any] = []

    def for_link(self, link: Any) -> Any:
        """See `IFilterPair`."""
        self.states.append(link.state)
        return self.made(link)


class PairTests(MemoryCase):
    """When it is asked, and what becomes of the link."""

    def test_asked(self) -> None:
        """It is asked once, when the link has its state and before its first message; also early messages are seen."""
        pair = Asked(lambda link: (lambda message, link: Send(b"seen"), None))
        world = self.memory(filters=pair, on_connect=lambda link: "state", answers=False)
        client = world.connect("ann")
        client.send(b"early")
        self.assertEqual(pair.states, [])
        world.answer()
        self.assertEqual(pair.states, ["state"])
        world.server["ann"].expect(b"seen")

    def test_refused(self) -> None:
        """If it raises or closes the link, the client is refused."""
        for made, why in ((lambda link: 1 // 0, "ZeroDivisionError"), (lambda link: close(link), "for_link closed")):
            world = self.memory(filters=Asked(made))
            world.connect("ann")
            self.assertEqual(world.calls.refusals, [("ann", RefusedByApplication)])
            self.assertIn(why, str(world.calls.refusal))


def close(link: Any) -> Any:
    """Close a link, and return filters all the same."""
    link.close()
    return (None, None)
