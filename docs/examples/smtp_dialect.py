r"""SMTP on top of `lines`, with filters that refuse senders and recipients, each in its turn. Mails pass as they are.

Put it before a mail server::

    twistd -n repeater --dialect smtp_dialect:smtp --filter 'smtp_dialect:Mails:recipients=example.org' \
        --listen tcp:2525:interface=127.0.0.1 --server tcp:mail.example.net:25

Each line is one message of bytes, without its end.
"""

import re
from collections import deque

from twisted_repeater import DROP, PASS_ON, Close, Direction, Filter, Link, PassOnAndSendBack, Send, Verdict
from twisted_repeater.dialects import lines
from twisted_repeater.selectors import Gate, contains, first_byte

COMMANDS = b"EHLO ", b"HELO ", b"MAIL FROM:", b"RCPT TO:", b"DATA", b"RSET", b"NOOP", b"QUIT"
UNREADABLE = b"STARTTLS", b"CHUNKING", b"BINARYMIME"  # with these, the bytes are no longer lines
ADDRESS = re.compile(rb"(?:MAIL FROM|RCPT TO): ?<([^<>\s@]+@([^<>\s@]+))?>(?: .*)?", re.I)


def redact(line: bytes, direction: Direction) -> bytes:
    """Return what logs may show: replies and commands, but neither mails nor passwords."""
    return line if direction is Direction.TO_CLIENT or line.upper().startswith(COMMANDS) else b"..."


def farewell(reason: BaseException | None, link: Link) -> bytes:
    """Return the last reply to a client whose link is closed."""
    return f"421 4.3.2 {reason or 'Try again later'}\r\n".encode()


smtp = lines(end=b"\r\n", max_frame=64 * 1024).changed(
    name="smtp",
    refusal=lambda error, attempt: f"421 4.3.0 {' '.join(str(error).split())}\r\n".encode(),
    farewell=farewell,
    redact=redact,
)


class Mails:
    """A pair of filters with rules about who may send mail to whom.

    Args:
        senders: the domains of senders that may send mail; all if there are none.
        recipients: the domains that mail may be sent to, in the same way.
        header: a line that is put before each mail.
    """

    def __init__(self, *, senders: tuple[str, ...] = (), recipients: tuple[str, ...] = (), header: str = "") -> None:
        self.domains = {b"MAIL": senders, b"RCPT": recipients}
        self.header = header.encode()

    def for_link(self, link: Link) -> tuple[Filter, Filter]:
        """See `IFilterPair`."""
        session = Session(self)
        return Commands(session), session.reply

    def refusal(self, command: bytes) -> bytes:
        """Return the reply that refuses a command; empty if the server may see it."""
        domains = self.domains[command[:4].upper()]
        address = ADDRESS.fullmatch(command)
        domain = address[2].decode(errors="replace").lower() if address and address[2] else ""
        return b"" if not domains or domain in domains else b"550 5.7.1 Not from here, or not to there"


class Session:
    """Follows what one client says: which lines are commands, and what each reply is for."""

    def __init__(self, mails: Mails) -> None:
        self.mails = mails
        self.owed = deque(
            [b"CONNECT"]
        )  # for each reply that the server owes: EHLO, DATA or nothing, or the reply to give instead
        self.in_mail = Gate()
        self.in_login = False  # the next line is a part of a login

    def line(self, line: bytes, link: Link) -> Verdict:
        """Decide about a line of the client."""
        if b"\r" in line or b"\n" in line:  # some servers see the end of a line in it, or of a mail
            return Close(ValueError("a line must end with CR and LF"))
        if self.in_mail.is_open:
            return self.end_of_mail() if line == b"." else PASS_ON
        if b"\0" in line:  # some servers see the end of a command in it
            return Close(ValueError("a command must not have a NUL in it"))
        if self.owed and self.owed[-1] == b"DATA":
            return Close(ValueError("the client did not wait for the reply to DATA"))
        verb = b"" if self.in_login else (line.split() or [b""])[0].upper()
        self.in_login = False
        if verb == b"BDAT":
            return Close(ValueError("BDAT was not offered"))
        refusal = b"502 5.5.1 Not here" if verb in UNREADABLE else b""
        if verb in self.mails.domains:
            refusal = self.mails.refusal(line.strip())
        self.owed.append(refusal or (verb if verb in (b"EHLO", b"DATA") else b""))
        return Send(b"NOOP") if refusal else PASS_ON  # the reply to it gives the refusal its turn

    def end_of_mail(self) -> Verdict:
        """Expect a reply, and commands."""
        self.in_mail.is_open = False
        self.owed.append(b"")
        return PASS_ON

    def reply(self, line: bytes, link: Link) -> Verdict:
        """Decide about a line of the server. A reply is some lines with a hyphen after the number, then one without."""
        is_last = line[3:4] != b"-"
        asked = self.owed[0] if self.owed else b""
        if is_last and self.owed:
            self.owed.popleft()
        if asked[:1].isdigit():
            return Send(asked) if is_last else DROP
        self.in_login = line.startswith(b"334") and not self.owed  # if it did not wait, it has sent that line already
        if asked == b"DATA" and line.startswith(b"354"):
            self.in_mail.is_open = True
            return PassOnAndSendBack([self.mails.header]) if self.mails.header else PASS_ON
        offer = line[4:]
        is_unreadable = asked == b"EHLO" and offer.upper().startswith(UNREADABLE)
        return Send(line[:4] + b"X-NO-" + offer) if is_unreadable else PASS_ON


class Commands:
    """The filter of lines to the server. It sees no lines of mails but those that may end one."""

    def __init__(self, session: Session) -> None:
        self.selector = ~session.in_mail | first_byte(b".") | contains([b"\r", b"\n"])
        self.filter = session.line
