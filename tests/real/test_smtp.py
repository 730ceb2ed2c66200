"""The example for SMTP stands between a real mail server and a real client of the standard library."""

from __future__ import annotations

import smtplib
import socket
import sys
from contextlib import closing
from email.message import EmailMessage
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from twisted_repeater import PASS_ON, Direction, Limits, Link, Send, Verdict

from ..real_sockets import certificate_for
from .servers import RealCase, bytewise, example, talk

TO_CLIENT = Direction.TO_CLIENT

smtp_dialect = example("smtp_dialect")

SESSION = b"EHLO here\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n"
"""Up to where a mail begins. A client must wait there."""


class SMTPCase(RealCase):
    """A test case with a mail server, which offers TLS, and a repeater before it."""

    def setUp(self) -> None:
        """Start the server."""
        super().setUp()
        key, certificate = self.directory / "key.pem", self.directory / "certificate.pem"
        private = ec.generate_private_key(ec.SECP256R1())
        key.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        certificate.write_bytes(certificate_for(private).public_bytes(Encoding.PEM))
        options = ("--tlscert", str(certificate), "--tlskey", str(key), "--no-requiretls")
        handler = ("-c", "aiosmtpd.handlers.Mailbox", "mails")
        self.server = self.start_server(
            lambda port: [sys.executable, "-m", "aiosmtpd", "-n", "-l", f"127.0.0.1:{port}", *options, *handler]
        )

    async def repeat(self, **settings: object) -> int:
        """Start a repeater with the example's filters, unless other ones are given; return its port."""
        if "to_server_filter" not in settings:
            settings["filters"] = smtp_dialect.marked
        self.repeater = await self.start_repeater(smtp_dialect.smtp, self.server.port, **settings)
        return self.repeater.port

    def delivered(self) -> list[bytes]:
        """Return the mails that the server has, the oldest first."""
        files = Path(self.server.directory, "mails", "new").iterdir()
        return [file.read_bytes() for file in sorted(files, key=lambda file: file.stat().st_mtime_ns)]

    async def assert_works(self, port: int) -> None:
        """Another client is served."""
        self.assertRegex(await self.in_thread(talk, port, b"QUIT\r\n"), rb"^220 .*\r\n221 .*\r\n$")


def send(port: int, *mails: EmailMessage) -> list[dict[str, tuple[int, bytes]]]:
    """Send mails in one session. This blocks. Return the recipients that were refused, for each mail."""
    with smtplib.SMTP("127.0.0.1", port, timeout=20) as client:
        return [client.send_message(mail) for mail in mails]


def mail(text: str, *to: str) -> EmailMessage:
    """Make a mail."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "ann@example.org", ", ".join(to), "a mail"
    message.set_content(text)
    return message


class ClientTests(SMTPCase):
    """Real clients."""

    async def test_mails(self) -> None:
        """Each mail of a session is delivered with one mark, whatever its lines are."""
        port = await self.repeat()
        texts = ["one\n", ".\n..\n.x\n", "DATA\nQUIT\nSTARTTLS\n354 go\n", "", "long\n" * 50_000]
        refused = await self.in_thread(send, port, *(mail(text, "bob@example.org") for text in texts))
        self.assertEqual(refused, [{}] * len(texts))
        for text, got in zip(texts, self.delivered(), strict=True):
            self.assertEqual(got.count(b"X-Marked-For: 127.0.0.1"), 1)
            self.assertEqual(got.partition(b"\n\n")[2].decode().strip(), text.strip())

    async def test_no_tls(self) -> None:
        """The offer of TLS is taken back, the others stay; a client that begins TLS all the same is refused."""
        port = await self.repeat()

        def run() -> tuple[int, bytes]:
            with smtplib.SMTP("127.0.0.1", port, timeout=20) as client:
                client.ehlo()
                self.assertTrue(client.has_extn("8bitmime"))
                self.assertTrue(client.has_extn("x-no-starttls"))
                with self.assertRaises(smtplib.SMTPNotSupportedError):
                    client.starttls()
                return client.docmd("STARTTLS")

        self.assertEqual((await self.in_thread(run))[0], 500)
        said = await self.in_thread(talk, port, b"STARTTLS\r\nBDAT 6\r\nNOOP\r\nQUIT\r\n")
        self.assertEqual([line[:3] for line in said.splitlines()], [b"220", b"500", b"500", b"250", b"221"])

    async def test_refused_in_its_turn(self) -> None:
        """A recipient that a filter refuses gets its own reply, also if the client sends all commands at once."""

        def local_only(line: bytes, link: Link) -> Verdict:
            is_foreign = line.upper().startswith(b"RCPT") and b"@example.org>" not in line
            return Send(b"X-REFUSED") if is_foreign else PASS_ON

        port = await self.repeat(to_server_filter=local_only)
        (refused,) = await self.in_thread(send, port, mail("text", "bob@example.org", "eve@example.com"))
        self.assertEqual([(to, code) for to, (code, _) in refused.items()], [("eve@example.com", 500)])
        self.assertEqual(len(self.delivered()), 1)
        at_once = SESSION.replace(b"DATA", b"RCPT TO:<c@example.com>\r\nRCPT TO:<d@example.org>\r\nDATA")
        said = await self.in_thread(talk, port, at_once, until=b"354 ")
        codes = [line[:4] for line in said.splitlines() if line[3:4] == b" "]
        self.assertEqual(codes, [b"220 ", b"250 ", b"250 ", b"250 ", b"500 ", b"250 ", b"354 "])

    async def test_from_the_command_line(self) -> None:
        """twistd runs it, as its docstring says."""
        port = self.start_twistd(smtp_dialect, self.server.port)
        await self.in_thread(send, port, mail("text", "bob@example.org"))
        self.assertIn(b"X-Marked-For: ", self.delivered()[0])


class HostileTests(SMTPCase):
    """Peers that do what they should not cost only themselves."""

    async def test_smuggled_mail(self) -> None:
        """As many mails are delivered as were marked, whatever looks like the end of one."""
        port = await self.repeat()
        inside = b"\r\nMAIL FROM:<x@example.org>\r\nRCPT TO:<y@example.org>\r\nDATA\r\nX: y\r\n\r\nsmuggled"
        ends = (b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r", b"\r.\r\n", b"\n\n.\r\n", b"\r\n.\0\r\n")
        mails = [b"Subject: first\r\n\r\ntext" + end + inside + b"\r\n.\r\n" for end in ends]

        def smuggle(text: bytes) -> None:
            with smtplib.SMTP("127.0.0.1", port, timeout=20) as client:
                client.ehlo()
                client.mail("a@example.org")
                client.rcpt("b@example.org")
                client.docmd("DATA")
                client.send(text)
                client.getreply()

        for text in mails:
            await self.in_thread(smuggle, text)
        delivered = self.delivered()
        self.assertEqual([got.count(b"X-Marked-For") for got in delivered], [1] * len(delivered))
        self.assertTrue(delivered)

    async def test_does_not_wait(self) -> None:
        """A client that sends its mail before it may is closed, and nothing of it is delivered."""
        port = await self.repeat()
        said = await self.in_thread(talk, port, SESSION + b"Subject: x\r\n\r\ntext\r\n.\r\nQUIT\r\n")
        self.assertNotIn(b"221 ", said)
        self.assertEqual(self.delivered(), [])
        await self.assert_works(port)

    async def test_garbage(self) -> None:
        """The server answers lines that are not SMTP itself, as it does without a repeater."""
        port = await self.repeat()
        for garbage in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\x00\r\n", b"\r\n\r\n"):
            through, direct = [await self.in_thread(talk, to, garbage + b"QUIT\r\n") for to in (port, self.server.port)]
            self.assertEqual(through, direct)

    async def test_length_of_lines(self) -> None:
        """A line may be as long as the limit; one byte more, or a line without an end, costs its sender the link."""
        port = await self.repeat(limits=Limits(max_frame=500))
        for size in (499, 500):
            line = b"NOOP " + b"x" * (size - 5) + b"\r\nQUIT\r\n"
            for pieces in ((line,), bytewise(line)):
                self.assertRegex(await self.in_thread(talk, port, *pieces), rb"^220 .*\r\n250 .*\r\n221 .*\r\n$")
        for line in (b"NOOP " + b"x" * 496 + b"\r\nQUIT\r\n", b"x" * 1_000_000):
            self.assertNotIn(b"221 ", await self.in_thread(talk, port, line))
        await self.assert_works(port)

    async def test_silence(self) -> None:
        """A client that says nothing sees the server's greeting, and is linked as long as it likes."""
        port = await self.repeat(limits=Limits(hello_timeout=1))

        def run() -> bytes:
            with closing(socket.create_connection(("127.0.0.1", port), 20)) as client:
                self.assertRegex(client.recv(1000), rb"^220 ")
                client.settimeout(1.5)
                with self.assertRaises(TimeoutError):
                    client.recv(1000)
                client.sendall(b"QUIT\r\n")
                return client.recv(1000)

        self.assertRegex(await self.in_thread(run), rb"^221 ")

    async def test_one_byte_at_a_time(self) -> None:
        """Bytes that come one by one are lines like others."""
        port = await self.repeat()
        said = await self.in_thread(talk, port, *bytewise(SESSION), until=b"354 ")
        self.assertIn(b"250-X-NO-STARTTLS\r\n", said)

    async def test_end_in_the_middle(self) -> None:
        """A mail that is not complete when its client leaves is not delivered."""
        port = await self.repeat()

        def run() -> None:
            with smtplib.SMTP("127.0.0.1", port, timeout=20) as client:
                client.ehlo()
                client.mail("a@example.org")
                client.rcpt("b@example.org")
                client.docmd("DATA")
                client.send(b"Subject: x\r\n\r\nhalf a li")
                client.close()

        await self.in_thread(run)
        await self.nothing_left(self.repeater)
        self.assertEqual(self.delivered(), [])

    async def test_server_closes(self) -> None:
        """If the server goes, its clients' links end; newcomers are greeted with a reason why it is not there."""
        port = await self.repeat()
        client = self.in_thread(talk, port, b"NOOP\r\n")
        await self.until(lambda: [link for link in self.repeater.links() if link.received(TO_CLIENT)[0] == 2])
        self.server.program.terminate()
        self.assertRegex(await client, rb"^220 .*\r\n250 .*\r\n$")
        await self.nothing_left(self.repeater)

        def connect() -> None:
            smtplib.SMTP("127.0.0.1", port, timeout=20)

        with self.assertRaises(smtplib.SMTPConnectError) as refused:
            await self.in_thread(connect)
        self.assertEqual(refused.exception.smtp_code, 421)
        self.assertIn(b"no connection to the server", refused.exception.smtp_error)

    async def test_shutdown(self) -> None:
        """When the repeater is shut down its clients are told to try again later."""
        port = await self.repeat()
        client = self.in_thread(talk, port)
        await self.until(lambda: [link for link in self.repeater.links() if link.received(TO_CLIENT)[0] == 1])
        await self.repeater.shutdown()
        self.assertRegex(await client, rb"^220 .*\r\n421 4.3.2 Try again later\r\n$")
