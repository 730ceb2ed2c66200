"""Tests of the plain values: sides, directions, limits, hellos."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.model import Direction, Hello, Limits, OnFilterError, Side, effective


class SideTests(SynchronousTestCase):
    """The two connections of a link, the two ways between them."""

    def test_other_side(self) -> None:
        """Across the link from the client is the server, and the other way round."""
        self.assertIs(Side.CLIENT.other, Side.SERVER)
        self.assertIs(Side.SERVER.other, Side.CLIENT)

    def test_directions(self) -> None:
        """A direction leads from one side to the other."""
        self.assertEqual((Direction.TO_SERVER.source, Direction.TO_SERVER.target), (Side.CLIENT, Side.SERVER))
        self.assertEqual((Direction.TO_CLIENT.source, Direction.TO_CLIENT.target), (Side.SERVER, Side.CLIENT))


class OnFilterErrorTests(SynchronousTestCase):
    """What may become of a message whose filter fails."""

    def test_by_their_names_on_a_command_line(self) -> None:
        """Each is found by the word that an option gives."""
        words = ["stop", "pass-on", "drop", "close"]
        self.assertEqual([OnFilterError(word) for word in words], list(OnFilterError))


class LimitsTests(SynchronousTestCase):
    """Every limit of a repeater."""

    def test_defaults(self) -> None:
        """The limits that are promised are those that hold when nothing is said."""
        limits = Limits()
        self.assertEqual((limits.hello_timeout, limits.close_timeout, limits.linger), (10, 5, 30))
        self.assertEqual((limits.max_frame, limits.max_hello), (16 * 1024 * 1024, 64 * 1024))
        self.assertIs(limits.filter_timeout, None)

    def test_no_limit_where_that_is_allowed(self) -> None:
        """A filter may take for ever, and so may a peer that reads nothing, or sends no more of a frame."""
        limits = Limits(filter_timeout=None, stall_timeout=None, frame_timeout=None)
        self.assertEqual((limits.filter_timeout, limits.stall_timeout, limits.frame_timeout), (None, None, None))

    def test_numbers_for_defaults(self) -> None:
        """What was left to its default has a number in the end; what was asked for stays."""
        limits = effective(Limits(linger=7.0))
        self.assertEqual((limits.max_clients, limits.max_unfinished_hellos, limits.linger), (500, 500, 7.0))
        limits = effective(Limits(max_clients=600), 70)
        self.assertEqual((limits.max_clients, limits.max_unfinished_hellos), (600, 70))
        for max_frame, most in ((16 << 20, 256 << 20), (100 << 20, 400 << 20), (1, 256 << 20)):
            self.assertEqual(effective(Limits(max_frame=max_frame)).max_unfinished_frames, most)
        self.assertEqual(effective(Limits(max_frame=5, max_unfinished_frames=6)).max_unfinished_frames, 6)

    def test_room_for_one_frame(self) -> None:
        """A frame that is allowed must have room while it comes."""
        Limits(max_frame=1000, max_unfinished_frames=1000)
        error = self.assertRaises(ValueError, lambda: Limits(max_frame=1000, max_unfinished_frames=999))
        self.assertEqual(str(error), "max_unfinished_frames must be at least max_frame, 1000, not 999")

    def test_a_limit_everywhere_else(self) -> None:
        """Any other limit must be there."""
        may_be_none = {"stall_timeout", "frame_timeout", "dead_peer_timeout"}
        for field in fields(Limits):
            if getattr(Limits(), field.name) is not None and field.name not in may_be_none:
                nothing: dict[str, Any] = {field.name: None}
                error = self.assertRaises(ValueError, lambda nothing=nothing: Limits(**nothing))
                self.assertIn(field.name, str(error))

    def test_above_zero(self) -> None:
        """No limit may be zero, negative or not a number."""
        for field in fields(Limits):
            for value in (0, -1, float("nan")):
                wrong: dict[str, Any] = {field.name: value}
                error = self.assertRaises(ValueError, lambda wrong=wrong: Limits(**wrong))
                self.assertIn(f"{field.name} must be above 0", str(error))

    def test_whole_numbers(self) -> None:
        """Sizes and numbers of connections are whole, times need not be."""
        self.assertEqual(Limits(hello_timeout=0.5).hello_timeout, 0.5)
        for value in (1.5, 2.0, True):
            error = self.assertRaises(ValueError, lambda value=value: Limits(max_clients=value))
            self.assertEqual(str(error), f"max_clients must be a whole number, not {value}")

    def test_frozen(self) -> None:
        """Limits don't change under a running repeater."""
        limits: Any = Limits()
        with self.assertRaises(FrozenInstanceError):
            limits.max_frame = 1


class HelloTests(SynchronousTestCase):
    """What a peer says of itself."""

    def test_name_is_enough(self) -> None:
        """Everything but the name has a default."""
        self.assertEqual(Hello("alice"), Hello("alice", mode="", send_version=1, recv_version=1, credentials=""))
