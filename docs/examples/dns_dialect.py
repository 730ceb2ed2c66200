r"""DNS over TCP: names that are blocked, and an address that is another one inside.

    twistd -n repeater --dialect dns_dialect:dns_over_tcp \
        --listen tcp:5300:interface=127.0.0.1 --server tcp:127.0.0.1:53 \
        --to-server-filter dns_dialect:block --to-client-filter dns_dialect:inside

Needs dnspython. Answers that are signed (DNSSEC, TSIG) are no longer valid if a filter changes them.
"""

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
from dns.message import Message
from zope.interface import implementer

from twisted_repeater import DROP, PASS_ON, Dialect, ICodec, Link, SameName, Send, SendBack, Verdict
from twisted_repeater.framings import LengthFraming

BLOCKED = dns.name.from_text("ads.example.")
INSIDE = {dns.name.from_text("www.example."): "10.0.0.1"}


@implementer(ICodec)
class DNSCodec:
    """Messages as dnspython has them; what it cannot read, such as signatures by TSIG, stays bytes."""

    def decode(self, payload: bytes) -> Message | bytes:
        """See `ICodec`."""
        try:
            return dns.message.from_wire(payload, one_rr_per_rrset=True)  # in order: a zone begins and ends with SOA
        except dns.exception.DNSException:
            return payload

    def encode(self, message: Message | bytes) -> bytes:
        """See `ICodec`."""
        return message if isinstance(message, bytes) else message.to_wire(max_size=0xFFFF)


def dns_over_tcp() -> Dialect:
    """Return the dialect."""
    return Dialect(
        name="dns",
        framing=lambda limits: LengthFraming(limits.max_frame, size=2),
        same_name=SameName.SHARE,  # several clients may come from one address
        to_server=DNSCodec(),
        to_client=DNSCodec(),
    )


def block(query: Message | bytes, link: Link) -> Verdict:
    """Answer that a blocked name does not exist."""
    if isinstance(query, bytes) or not any(asked.name.is_subdomain(BLOCKED) for asked in query.question):
        return PASS_ON
    if query.flags & dns.flags.QR:
        return DROP  # this is an answer
    answer = dns.message.make_response(query)
    answer.set_rcode(dns.rcode.NXDOMAIN)
    return SendBack([answer])  # the client knows the query by its id, so this may overtake earlier answers


def inside(answer: Message | bytes, link: Link) -> Verdict:
    """Replace the addresses of names that are reached in another way from inside."""
    if isinstance(answer, bytes):
        return PASS_ON
    changed = False
    for at, record in enumerate(answer.answer):
        if record.rdtype == dns.rdatatype.A and record.name in INSIDE:
            answer.answer[at] = dns.rrset.from_text(record.name, record.ttl, "IN", "A", INSIDE[record.name])
            changed = True
    return Send(answer) if changed else PASS_ON
