"""SMTP, with filters that mark each mail.

Put it before a mail server::

    twistd -n repeater --dialect smtp_dialect:smtp --filter smtp_dialect:marked \\
        --listen tcp:2525:interface=127.0.0.1 --server tcp:mail.example.net:25

Each line is one message of bytes, without its end. A lone CR or LF ends no line: it stays in the line, as it came.
"""

from twisted_repeater import PASS_ON, Close, Dialect, Filter, Link, PassOnAndSendBack, Send, Verdict
from twisted_repeater.dialects import server_first
from twisted_repeater.framings import DelimitedFraming

smtp = Dialect(
    name="smtp",
    framing=lambda limits: DelimitedFraming(limits.max_frame, b"\r\n"),
    opening=server_first,
    refusal=lambda error, attempt: f"421 4.3.0 {' '.join(str(error).split())}\r\n".encode(),
    farewell=lambda reason, link: b"421 4.3.2 Try again later\r\n",
    max_frame=64 * 1024,
)

UNREADABLE = b"STARTTLS", b"BDAT", b"CHUNKING"  # after these, the bytes are no longer lines


class Marker:
    """Follows the session of one client: whose turn it is, and which lines are a mail."""

    def __init__(self) -> None:
        self.owed = 1  # replies that the server has to send, the first being its greeting
        self.wants_data = False  # the last one will be the reply to DATA
        self.in_mail = False

    def to_server(self, line: bytes, link: Link) -> Verdict:
        """Follow commands, and the lines of mails, which the server answers at their end."""
        if self.wants_data:
            return Close(ValueError("the client did not wait for the reply to DATA"))
        if self.in_mail:
            self.in_mail = line != b"."
            self.owed += line == b"."
            return PASS_ON
        self.owed += 1
        self.wants_data = line.strip().upper() == b"DATA"
        return Send(b"X-REFUSED") if line.upper().startswith(UNREADABLE) else PASS_ON  # the server refuses it in turn

    def to_client(self, line: bytes, link: Link) -> Verdict:
        """Follow the replies: some lines with a hyphen after the number, then one without."""
        if line[3:4] != b"-":
            self.owed -= 1
            if self.wants_data and self.owed == 0:
                self.wants_data = False
                self.in_mail = line.startswith(b"354")
                if self.in_mail:
                    return PassOnAndSendBack([b"X-Marked-For: " + link.client_name.encode()])
        offer = line[4:]
        return Send(line[:4] + b"X-NO-" + offer) if offer.upper().startswith(UNREADABLE) else PASS_ON


class Marked:
    """The filters of each link."""

    def for_link(self, link: Link) -> tuple[Filter, Filter]:
        """See `IFilterPair`."""
        marker = Marker()
        return marker.to_server, marker.to_client


marked = Marked()
