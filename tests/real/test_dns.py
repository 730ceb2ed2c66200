"""A DNS server, and dnspython as its client, with the example ``dns_dialect`` between them over TCP."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.zone

from twisted_repeater import Limits, Repeater

from ..needed import needed
from ..peers import set_limits
from .hostile import listening
from .servers import RealCase, bytewise, example, talk

DEBIAN_PACKAGES = "nsd"

dns_dialect = example("dns_dialect")

HOSTS = 2000
LONG = "\n".join(f'long IN TXT "{200 * "x"}" "{number}"' for number in range(250))
RECORDS = "\n".join(f'host{number} IN TXT "so long that a zone needs several messages"' for number in range(HOSTS))
ZONE = f"""
$ORIGIN example.
$TTL 300
@ IN SOA ns hostmaster 1 3600 600 86400 300
@ IN NS ns
ns IN A 127.0.0.1
www IN A 192.0.2.1
mail IN A 192.0.2.4
ads IN A 192.0.2.2
tracker.ads IN A 192.0.2.3
{LONG}
{RECORDS}
"""

CONFIGURATION = """
server:
  ip-address: 127.0.0.1
  port: {port}
  username: ""
  server-count: 1
  zonesdir: "{directory}"
  xfrdir: "{directory}"
  xfrdfile: "{directory}/xfrd.state"
  zonelistfile: "{directory}/zone.list"
  cookie-secret-file: "{directory}/cookies"
  pidfile: ""
  tcp-query-count: 0
remote-control:
  control-enable: no
zone:
  name: example.
  zonefile: example.zone
  provide-xfr: 127.0.0.1 NOKEY
"""


class DNSCase(RealCase):
    """A test case with a server and a repeater before it."""

    def setUp(self) -> None:
        """Start the server."""
        super().setUp()
        (self.directory / "example.zone").write_text(ZONE)

        def command(port: int) -> list[str]:
            configuration = self.directory / "nsd.conf"
            configuration.write_text(CONFIGURATION.format(port=port, directory=self.directory))
            return [needed("nsd", "nsd"), "-d", "-c", str(configuration)]

        self.server = self.start_server(command)

    async def start(self, **settings: Any) -> Repeater:
        """Start a repeater before the server."""
        filters = {"to_server_filter": dns_dialect.block, "to_client_filter": dns_dialect.inside}
        return await self.start_repeater(dns_dialect.dns_over_tcp(), self.server.port, **filters | settings)

    async def resolve(self, port: int, name: str, kind: str = "A") -> Any:
        """Return the answer to a query on a connection of its own."""
        query = dns.message.make_query(name, kind)
        return await self.in_thread(dns.query.tcp, query, "127.0.0.1", port=port, timeout=30)

    async def served(self, repeater: Repeater) -> None:
        """See that a client is served."""
        answer = await self.resolve(repeater.port, "mail.example.")
        self.assertEqual(addresses(answer), ["192.0.2.4"])


def addresses(answer: Any) -> list[str]:
    """Return the addresses in an answer."""
    return [record.address for found in answer.answer for record in found]


class QueryTests(DNSCase):
    """What is answered."""

    async def test_changed(self) -> None:
        """One name has another address through the repeater, the others have their own."""
        repeater = await self.start()
        for name, direct, inside in (("www", "192.0.2.1", "10.0.0.1"), ("mail", "192.0.2.4", "192.0.2.4")):
            self.assertEqual(addresses(await self.resolve(self.server.port, f"{name}.example.")), [direct])
            answer = await self.resolve(repeater.port, f"{name}.example.")
            self.assertEqual(addresses(answer), [inside])
            self.assertTrue(answer.flags & dns.flags.AA)

    async def test_blocked(self) -> None:
        """A blocked name, and what is below it, does not exist through the repeater."""
        repeater = await self.start()
        for name in ("ads.example.", "tracker.ADS.example."):
            self.assertEqual((await self.resolve(self.server.port, name)).rcode(), dns.rcode.NOERROR)
            answer = await self.resolve(repeater.port, name)
            self.assertEqual((answer.rcode(), answer.answer), (dns.rcode.NXDOMAIN, []))
        self.assertEqual((await self.resolve(repeater.port, "noads.example.")).rcode(), dns.rcode.NXDOMAIN)
        self.assertEqual(addresses(await self.resolve(repeater.port, "ns.example.")), ["127.0.0.1"])

    async def test_untouched(self) -> None:
        """An answer that no filter changes has the server's bytes, also one of nearly 64 KiB."""
        repeater = await self.start()
        for name, kind in (("long.example.", "TXT"), ("example.", "SOA"), ("none.example.", "A")):
            query = dns.message.make_query(name, kind, use_edns=False, id=7).to_wire()
            framed = len(query).to_bytes(2, "big") + query
            direct = await self.in_thread(talk, self.server.port, framed, ends=True)
            self.assertEqual(await self.in_thread(talk, repeater.port, framed, ends=True), direct)
            self.assertGreater(len(direct), 50_000 if kind == "TXT" else 20)

    async def test_one_connection(self) -> None:
        """Queries that are sent together on one connection are all answered, the blocked ones too."""
        repeater = await self.start()
        names = ["www", "ads", "mail", "tracker.ads", "ns"] * 20
        queries = [dns.message.make_query(f"{name}.example.", "A", id=at) for at, name in enumerate(names)]

        def run() -> dict[int, Any]:
            answers = {}
            with socket.create_connection(("127.0.0.1", repeater.port), timeout=30) as connection:
                for query in queries:
                    dns.query.send_tcp(connection, query)
                for _ in queries:
                    answer, _ = dns.query.receive_tcp(connection)
                    answers[answer.id] = answer
            return answers

        answers = await self.in_thread(run)
        expected = {"www": ["10.0.0.1"], "mail": ["192.0.2.4"], "ns": ["127.0.0.1"]}
        for query in queries:
            answer = answers[query.id]
            self.assertTrue(query.is_response(answer))
            self.assertEqual(addresses(answer), expected.get(names[query.id], []))

    async def test_transfer(self) -> None:
        """A zone that is sent in several messages arrives whole and in order, with the changed address in it."""
        repeater = await self.start()

        def run(port: int) -> tuple[int, Any]:
            count = 0

            def messages() -> Iterator[Any]:
                nonlocal count
                for message in dns.query.xfr("127.0.0.1", "example.", port=port, relativize=False, lifetime=30):
                    count += 1
                    yield message

            return count, dns.zone.from_xfr(messages(), relativize=False)

        def text(zone: Any) -> list[str]:
            return sorted(str(zone.to_text(relativize=False)).splitlines())

        _, direct = await self.in_thread(run, self.server.port)
        _, through = await self.in_thread(run, repeater.port)
        self.assertGreater(len(text(direct)), HOSTS)
        changed = [line.replace("192.0.2.1", "10.0.0.1") if line.startswith("www") else line for line in text(direct)]
        self.assertEqual(text(through), changed)


class HostileTests(DNSCase):
    """Peers that are no client or server of DNS, or are gone too soon, cost only themselves."""

    async def test_clients(self) -> None:
        """Bytes that are no query get no more than an error of the server, at once or byte by byte."""
        repeater = await self.start()
        for said in (
            b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            b"\0\0",
            b"\0\5abcde",
            b"\xff\xff" + bytes(1000),
            b"\0\x0c" + bytes(12),
        ):
            for parts in ([said], bytewise(said)):
                await self.in_thread(talk, repeater.port, *parts, ends=True)
        await self.served(repeater)

    async def test_answer_as_query(self) -> None:
        """An answer in place of a query is dropped if it is about a blocked name; the next query is answered."""
        repeater = await self.start()
        answer = dns.message.make_response(dns.message.make_query("ads.example.", "A")).to_wire()
        query = dns.message.make_query("www.example.", "A", id=9).to_wire()
        said = b"".join(len(part).to_bytes(2, "big") + part for part in (answer, query))
        got = await self.in_thread(talk, repeater.port, said, ends=True)
        self.assertEqual(addresses(dns.message.from_wire(got[2:])), ["10.0.0.1"])

    async def test_middle(self) -> None:
        """A client that leaves in the middle of a query gets the answers to those before it."""
        repeater = await self.start()
        query = dns.message.make_query("mail.example.", "A", id=9).to_wire()
        framed = len(query).to_bytes(2, "big") + query
        for size in range(len(framed)):
            got = await self.in_thread(talk, repeater.port, framed + framed[:size], ends=True)
            self.assertEqual(addresses(dns.message.from_wire(got[2:])), ["192.0.2.4"])

    async def test_silent(self) -> None:
        """A client that says nothing is closed in the end."""
        repeater = await self.start(limits=Limits(hello_timeout=0.2))
        self.assertEqual(await self.in_thread(talk, repeater.port), b"")
        set_limits(repeater)
        await self.served(repeater)

    async def test_servers(self) -> None:
        """A server that closes, or says something else, costs its client only."""
        for says in (b"", b"\0", b"\0\5abcde", b"SSH-2.0-OpenSSH_9\r\n", b"\xff" * 100):
            async with listening(says) as port:
                repeater = await self.start(server=f"tcp:127.0.0.1:{port}")
                with contextlib.suppress(dns.exception.DNSException, EOFError, ConnectionError):
                    await self.resolve(repeater.port, "www.example.")
                    self.fail(f"{says!r} was taken for an answer")
                await self.nothing_left(repeater)
