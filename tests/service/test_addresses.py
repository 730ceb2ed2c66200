"""Addresses and names of hosts, as options and requests give them."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.service.addresses import host, ip_filter, network


class AddressTests(SynchronousTestCase):
    """Networks."""

    def test_networks(self) -> None:
        """An address has to be in one of the networks."""
        allowed = ip_filter([network("10.1.0.0/16"), network("192.0.2.7"), network("2001:db8::/32")])
        for ip in ("10.1.255.255", "192.0.2.7", "2001:db8::1"):
            self.assertTrue(allowed(ip), ip)
        for ip in ("10.2.0.0", "192.0.2.8", "2001:db9::1", "::1", "fe80::1%lo"):
            self.assertFalse(allowed(ip), ip)

    def test_mapped(self) -> None:
        """IPv4 written as IPv6 is IPv4, in an address and in a network."""
        self.assertTrue(ip_filter([network("10.1.0.0/16")])("::ffff:10.1.2.3"))
        self.assertFalse(ip_filter([network("10.1.0.0/16")])("::ffff:10.2.2.3"))
        self.assertTrue(ip_filter([network("::ffff:10.1.0.0/112")])("10.1.2.3"))
        self.assertEqual(str(network("::ffff:0:0/96")), "0.0.0.0/0")
        self.assertEqual(str(network("::/0")), "::/0")

    def test_no_address(self) -> None:
        """A client without an address, on a Unix socket, is in no network."""
        self.assertFalse(ip_filter([network("0.0.0.0/0"), network("::/0")])(""))

    def test_wrong_networks(self) -> None:
        """A text that is not a network is refused, with the reason."""
        for text, message in (
            ("10.1.0.0/33", "must be an address or a network, not '10.1.0.0/33'"),
            ("10.1.0.7/16", "must be an address or a network, not '10.1.0.7/16'; did you mean 10.1.0.0/16?"),
        ):
            self.assertTrue(str(self.assertRaises(ValueError, network, text)).startswith(message))

    def test_hosts(self) -> None:
        """A host is a name or an address, without a port."""
        for name in ("edge.example.org", "edge_1", "192.0.2.7", "[2001:db8::1]", "2001:db8::1"):
            self.assertEqual(host(name), name)
        for text in ("edge:8090", "", "a b", "[2001:db8::1]:80", "\u0661"):
            error = self.assertRaises(ValueError, host, text)
            self.assertEqual(str(error), f"must be the name of a host without a port, not {text!r}")
