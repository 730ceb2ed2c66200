"""Which part of a recording is exported."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import Direction
from twisted_repeater.recording.export import Choice

from .made import SECOND, START, made_link, made_message


class ChoiceTests(SynchronousTestCase):
    """Links and messages that are wanted."""

    def test_all(self) -> None:
        """Without conditions everything is wanted."""
        choice = Choice()
        self.assertTrue(choice.wants_link(made_link()))
        self.assertTrue(choice.wants_message(made_message(1)))
        self.assertTrue(choice.meets(None, None))

    def test_links(self) -> None:
        """Links can be chosen by their numbers, and by patterns of client names."""
        self.assertTrue(Choice(links={2, 3}).wants_link(made_link(3)))
        self.assertFalse(Choice(links={2, 3}).wants_link(made_link(1)))
        named = Choice(clients=["desk-*", "ann"])
        self.assertTrue(named.wants_link(made_link(client_name="desk-7")))
        self.assertTrue(named.wants_link(made_link(client_name="ann")))
        self.assertFalse(named.wants_link(made_link(client_name="Ann")))
        self.assertFalse(Choice(links={1}, clients=["ann"]).wants_link(made_link(1, client_name="bob")))

    def test_direction(self) -> None:
        """Messages of one direction can be chosen."""
        choice = Choice(direction=Direction.TO_CLIENT)
        self.assertTrue(choice.wants_message(made_message(1, to_client=True)))
        self.assertFalse(choice.wants_message(made_message(1)))

    def test_times(self) -> None:
        """Messages can be chosen by their time, with the first and the last moment."""
        choice = Choice(since=START, until=START + SECOND)
        wanted = [choice.wants_message(made_message(1, after=after)) for after in (-0.000001, 0, 1, 1.000001)]
        self.assertEqual(wanted, [False, True, True, False])

    def test_lasting(self) -> None:
        """Something that lasts is wanted if it was there at any of the wanted times."""
        choice = Choice(since=START, until=START + SECOND)
        for began, ended, meets in (
            (START - 5, START - 1, False),
            (START - 5, START, True),
            (START - 5, None, True),
            (None, None, True),
            (None, START - 1, False),
            (START + SECOND, None, True),
            (START + SECOND + 1, None, False),
        ):
            self.assertIs(choice.meets(began, ended), meets, (began, ended))
