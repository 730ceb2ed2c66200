"""The properties of a packet, in order."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects.mqtt import NO_PROPERTIES, Properties, Property

SITE = (Property.USER_PROPERTY, ("site", "north"))
SEEN = (Property.USER_PROPERTY, ("seen-by", "edge"))
ALIAS = (Property.TOPIC_ALIAS, 3)


class PropertiesTests(SynchronousTestCase):
    """How they are read, and how others are made of them."""

    def test_get(self) -> None:
        """The first value of a name is found, or all of them."""
        properties = Properties([SITE, ALIAS, SEEN])
        self.assertEqual(properties.get(Property.TOPIC_ALIAS), 3)
        self.assertEqual(properties.get(Property.USER_PROPERTY), ("site", "north"))
        self.assertEqual(properties.all(Property.USER_PROPERTY), (SITE[1], SEEN[1]))
        self.assertEqual(NO_PROPERTIES.all(Property.USER_PROPERTY), ())
        self.assertIsNone(NO_PROPERTIES.get(Property.TOPIC_ALIAS))
        self.assertEqual(NO_PROPERTIES.get(Property.RECEIVE_MAXIMUM, 65535), 65535)

    def test_order(self) -> None:
        """They are a tuple of pairs, in order."""
        self.assertEqual(list(Properties([SITE, ALIAS])), [SITE, ALIAS])
        self.assertNotEqual(Properties([SITE, ALIAS]), Properties([ALIAS, SITE]))
        self.assertFalse(NO_PROPERTIES)

    def test_having(self) -> None:
        """One is added at the end; it replaces another of its name, unless it is a user property."""
        properties = Properties([ALIAS, SITE])
        self.assertEqual(properties.having(Property.TOPIC_ALIAS, 4), Properties([SITE, (Property.TOPIC_ALIAS, 4)]))
        self.assertEqual(properties.having(*SEEN), Properties([ALIAS, SITE, SEEN]))

    def test_without(self) -> None:
        """Those of some names are left out."""
        properties = Properties([SITE, ALIAS, SEEN])
        self.assertEqual(properties.without(Property.USER_PROPERTY), Properties([ALIAS]))
        self.assertEqual(properties.without(Property.USER_PROPERTY, Property.TOPIC_ALIAS), NO_PROPERTIES)

    def test_text(self) -> None:
        """Their text has no data of a login."""
        properties = Properties([ALIAS, (Property.AUTHENTICATION_DATA, b"secret"), (999, 1)])  # type: ignore[list-item]
        self.assertEqual(repr(properties), "Properties([(TOPIC_ALIAS, 3), (AUTHENTICATION_DATA, ...), (999, 1)])")
