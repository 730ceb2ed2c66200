"""The rules about addresses."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.dialects.modbus import Area
from twisted_repeater.dialects.modbus.rules import Rule, address_of, covered, rules_of

HOLDING, COILS = Area.HOLDING_REGISTERS, Area.COILS


class ReadTests(SynchronousTestCase):
    """How rules are written."""

    def test_words(self) -> None:
        """A rule has a table, and perhaps addresses, a client and a unit, in whatever order the last two are."""
        ten = ip_network("10.0.0.0/8")
        for text, rule in (
            ("holding", Rule(HOLDING)),
            ("any", Rule(None)),
            ("coils 7", Rule(COILS, 7, 7)),
            ("discrete 7-9", Rule(Area.DISCRETE_INPUTS, 7, 9)),
            ("input 0-65535 unit 3", Rule(Area.INPUT_REGISTERS, unit=3)),
            ("any from 10.0.0.0/8", Rule(None, client=ten)),
            ("holding 1-2 from 10.0.0.0/8 unit 0", Rule(HOLDING, 1, 2, ten, 0)),
            (" holding  1-2 unit 255 from ::1 ", Rule(HOLDING, 1, 2, ip_network("::1"), 255)),
            ("any from ::ffff:10.0.0.5", Rule(None, client=ip_network("10.0.0.5"))),
            ("any from ::ffff:10.0.0.0/104", Rule(None, client=ten)),
            ("any from ::/0", Rule(None, client=ip_network("::/0"))),
        ):
            self.assertEqual(Rule.read(text), rule)

    def test_wrong(self) -> None:
        """What is not understood is an error that says what was expected."""
        for text, why in (
            ("", "expected coils, discrete, input, holding or any first"),
            ("register 1", "expected coils"),
            ("holding 9-1", "addresses must be from 0 to 65535, the lower one first, not 'holding 9-1'"),
            ("holding 65536", "addresses must be from 0 to 65535"),
            ("holding 1-x", "expected a rule such as"),
            ("holding 1 2", "expected a rule such as"),
            ("holding from", "expected a rule such as"),
            ("holding to 10.0.0.1", "expected a rule such as"),
            ("holding unit 1 unit 2", "expected a rule such as"),
            ("holding from 10.0.0.1/8", "not '10.0.0.1/8': 10.0.0.1/8 has host bits set"),
            ("holding from nowhere", "from must be an address or a network such as 10.0.0.0/8, not 'nowhere'"),
            ("holding unit 256", "unit must be a number from 0 to 255, not '256'"),
            ("holding unit one", "unit must be a number"),
        ):
            self.assertIn(why, str(self.assertRaises(ValueError, Rule.read, text)))

    def test_several(self) -> None:
        """One text in place of several is an error."""
        self.assertEqual(rules_of("read", ["any"]), (Rule(None),))
        self.assertRaises(TypeError, rules_of, "read", "any")


class AboutTests(SynchronousTestCase):
    """What a rule is about."""

    def test_about(self) -> None:
        """It is about its table and its unit; without these, about all."""
        self.assertTrue(Rule(HOLDING, unit=7).is_about(HOLDING, 7))
        self.assertTrue(Rule(None).is_about(COILS, 9))
        self.assertFalse(Rule(HOLDING).is_about(COILS, 7))
        self.assertFalse(Rule(HOLDING, unit=7).is_about(HOLDING, 0))

    def test_whole(self) -> None:
        """Only a rule without any limit is about everything."""
        self.assertTrue(Rule(None).is_whole)
        for rule in (Rule(HOLDING), Rule(None, 1), Rule(None, 0, 9), Rule(None, unit=1)):
            self.assertFalse(rule.is_whole)

    def test_overlaps(self) -> None:
        """It overlaps with a range that has one of its addresses; a broadcast reaches each unit."""
        rule = Rule(HOLDING, 10, 19, unit=7)
        for addresses, found in ((range(10), False), (range(11), True), (range(19, 30), True), (range(20, 30), False)):
            self.assertEqual(rule.overlaps(HOLDING, addresses, 7), found)
        self.assertTrue(rule.overlaps(HOLDING, range(10, 11), 0))
        self.assertFalse(rule.overlaps(COILS, range(10, 11), 0))
        self.assertFalse(rule.overlaps(HOLDING, range(10, 11), 8))
        self.assertFalse(rule.overlaps(HOLDING, range(12, 12), 7))

    @given(
        st.lists(st.tuples(st.integers(0, 12), st.integers(0, 5)), max_size=4), st.integers(0, 12), st.integers(0, 8)
    )
    def test_covered(self, parts: list[tuple[int, int]], first: int, count: int) -> None:
        """Several rules cover a range if each address is in one of them."""
        rules = [Rule(None, start, start + more) for start, more in parts]
        addresses = range(first, first + count)
        each = all(any(rule.first <= at <= rule.last for rule in rules) for at in addresses)
        self.assertEqual(covered(rules, addresses), each)


class AddressTests(SynchronousTestCase):
    """The addresses of clients."""

    def test_kinds(self) -> None:
        """A client has an internet address, also where IPv4 comes as IPv6, unless it comes from a Unix socket."""
        self.assertEqual(address_of(IPv4Address("TCP", "10.0.0.5", 1)), ip_address("10.0.0.5"))
        self.assertEqual(address_of(IPv6Address("TCP", "::ffff:10.0.0.5", 1)), ip_address("10.0.0.5"))
        self.assertEqual(address_of(IPv6Address("TCP", "::1", 1)), ip_address("::1"))
        self.assertIsNone(address_of(UNIXAddress("/run/socket")))
        self.assertIsNone(address_of(IPv4Address("TCP", "somewhere", 1)))
