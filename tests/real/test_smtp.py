"""The example for SMTP stands between real mail servers, aiosmtpd and Exim, and real clients, smtplib and swaks."""

from __future__ import annotations

import base64
import contextlib
import os
import re
import smtplib
import socket
import sys
from contextlib import closing
from email.message import EmailMessage
from pathlib import Path
from random import Random
from unittest import SkipTest

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import Direction, Limits
from twisted_repeater.testing import FilterHarness

from ..needed import needed
from ..real_sockets import certificate_for
from .servers import RealCase, bytewise, example, talk

DEBIAN_PACKAGES = "exim4-daemon-light swaks"

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
        rules = {"filters": smtp_dialect.Mails(recipients=("example.org",), header="X-Marked: yes")}
        self.repeater = await self.start_repeater(smtp_dialect.smtp, self.server.port, **rules | settings)
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


def converse(port: int, *pieces: bytes) -> bytes:
    """Send the pieces of a mail when the server waits for it. This blocks. Return what comes then."""
    with closing(socket.create_connection(("127.0.0.1", port), 20)) as client:
        client.sendall(SESSION)
        got = client.makefile("rb")
        for line in got:
            if line.startswith(b"354"):
                break
        with contextlib.suppress(ConnectionError):
            for piece in pieces:
                client.sendall(piece)
        return got.read()


class ClientTests(SMTPCase):
    """Real clients."""

    async def test_mails(self) -> None:
        """Each mail of a session is delivered with one mark, whatever its lines are."""
        port = await self.repeat()
        texts = ["one\n", ".\n..\n.x\n", "DATA\nQUIT\nSTARTTLS\n354 go\n", "", "long\n" * 50_000]
        refused = await self.in_thread(send, port, *(mail(text, "bob@example.org") for text in texts))
        self.assertEqual(refused, [{}] * len(texts))
        for text, got in zip(texts, self.delivered(), strict=True):
            self.assertEqual(got.count(b"X-Marked: yes"), 1)
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

        self.assertEqual((await self.in_thread(run))[0], 502)
        said = await self.in_thread(talk, port, b"STARTTLS\r\nNOOP\r\nQUIT\r\n")
        self.assertEqual([line[:3] for line in said.splitlines()], [b"220", b"502", b"250", b"221"])

    async def test_as_it_is(self) -> None:
        """Without a header to add, a mail is delivered as if the repeater was not there."""
        port = await self.repeat(filters=smtp_dialect.Mails(recipients=("example.org",)))
        sent = mail(".\n..\n.x\n" + "x" * 990 + "\n\n\n.\nend\n", "bob@example.org")
        for to in (port, self.server.port):
            await self.in_thread(send, to, sent)
        through, direct = [re.sub(rb"X-Peer: .*", b"", got) for got in self.delivered()]
        self.assertEqual(through, direct)

    async def test_refused_in_its_turn(self) -> None:
        """A recipient that is refused gets its own reply, also if the client sends all commands at once."""
        port = await self.repeat()
        (refused,) = await self.in_thread(send, port, mail("text", "bob@example.org", "eve@example.com"))
        self.assertEqual([(to, code) for to, (code, _) in refused.items()], [("eve@example.com", 550)])
        self.assertIn(b"X-RcptTo: bob@example.org\n", self.delivered()[0])
        at_once = SESSION.replace(b"DATA", b"RCPT TO:<c@example.com>\r\nRCPT TO:<d@example.org>\r\nDATA")
        said = await self.in_thread(talk, port, at_once, until=b"354 ")
        codes = [line[:4] for line in said.splitlines() if line[3:4] == b" "]
        self.assertEqual(codes, [b"220 ", b"250 ", b"250 ", b"250 ", b"550 ", b"250 ", b"354 "])

    async def test_refused_senders(self) -> None:
        """A sender that is refused begins no mail, so the server refuses the rest itself, and many do not annoy it."""
        port = await self.repeat(filters=smtp_dialect.Mails(senders=("example.org",)))
        wrong = b"".join(b"MAIL FROM:%b\r\n" % who for who in (b"<>", b"<a@example.com>", b"a@example.org") * 10)
        said = await self.in_thread(talk, port, wrong + SESSION.partition(b"\r\n")[2][27:-6] + b"QUIT\r\n")
        codes = [line[:3] for line in said.splitlines()]
        self.assertEqual(codes, [b"220", *[b"550"] * 30, b"503", b"221"])

    async def test_from_the_command_line(self) -> None:
        """twistd runs it, as its docstring says."""
        port = self.start_twistd(smtp_dialect, self.server.port)
        await self.in_thread(send, port, mail("text", "bob@example.org"))
        self.assertIn(b"X-RcptTo: bob@example.org\n", self.delivered()[0])


class HostileTests(SMTPCase):
    """Peers that do what they should not cost only themselves."""

    async def test_smuggled_mail(self) -> None:
        """No second mail is delivered with what looks to some servers like the end of the first one."""
        port = await self.repeat()
        inside = b"\r\nMAIL FROM:<x@example.org>\r\nRCPT TO:<y@example.com>\r\nDATA\r\nX: y\r\n\r\nsmuggled"
        ends = (b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r", b"\r.\r\n", b"\n\n.\r\n", b"\r\n.\0\r\n")
        for end in ends:
            text = b"Subject: first\r\n\r\ntext" + end + inside + b"\r\n.\r\nQUIT\r\n"
            for step in (len(text), 1):
                pieces = [text[at : at + step] for at in range(0, len(text), step)]
                said = await self.in_thread(converse, port, *pieces)
                self.assertEqual(said[:3], b"250" if b"\0" in end else b"421")
        delivered = self.delivered()
        self.assertEqual([got.count(b"X-Marked: yes") for got in delivered], [1, 1])
        self.assertNotIn(b"example.com\nX-", b"".join(delivered))

    async def test_lone_ends_in_commands(self) -> None:
        """A command with a lone CR or LF, or a NUL, reaches no server, which might see two in it."""
        port = await self.repeat()
        for lone, why in ((b"\r", b"must end with CR and LF"), (b"\n", b"must end"), (b"\0", b"must not have a NUL")):
            said = await self.in_thread(talk, port, b"NOOP" + lone + b"RCPT TO:<x@example.com>\r\nQUIT\r\n")
            self.assertRegex(said, rb"421 .* " + why + rb".*\r\n$")

    async def test_chunks(self) -> None:
        """A client that sends a mail in chunks, which were not offered, is closed: they are no lines."""
        port = await self.repeat()
        said = await self.in_thread(talk, port, SESSION[:-6] + b"BDAT 86 LAST\r\nRCPT TO:<x@example.com>\r\n")
        self.assertRegex(said, rb"421 .* BDAT was not offered\r\n$")
        await self.assert_works(port)

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
        for garbage in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\x01\r\n", b"\r\n\r\n"):
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
        self.assertRegex(await client, rb"^220 .*\r\n421 4.3.2 the repeater shuts down\r\n$")


class EximTests(RealCase):
    """A mail server of the kind that the internet has: pipelines, chunks, and no patience with clients."""

    CONFIGURATION = """
        primary_hostname = mail.example.org
        spool_directory = {0}/spool
        log_file_path = {0}/log-%s
        tls_advertise_hosts =
        chunking_advertise_hosts = *
        acl_smtp_rcpt = accept
        acl_smtp_data = accept
        keep_environment =
        begin routers
        all:
          driver = accept
          transport = file
        begin transports
        file:
          driver = appendfile
          file = {0}/mails
          user = Debian-exim
    """

    def setUp(self) -> None:
        """Start the server, which wants to be root to begin with."""
        super().setUp()
        exim, self.swaks = needed("exim4", "exim4-daemon-light"), needed("swaks", "swaks")
        if os.geteuid() != 0:
            raise SkipTest("Exim must be started by root")
        configuration = self.directory / "exim.conf"
        configuration.write_text(self.CONFIGURATION.format(self.directory).replace("\n        ", "\n"))
        self.directory.chmod(0o777)
        options = ("-C", str(configuration), "-bdf", "-odf", "-oP", str(self.directory / "pid"))
        self.server = self.start_server(lambda port: [exim, *options, "-oX", f"127.0.0.1.{port}"])

    async def test_swaks(self) -> None:
        """A mail with a pipeline of commands goes to the recipients that are allowed, and to no other."""
        repeater = await self.start_repeater(
            smtp_dialect.smtp, self.server.port, filters=smtp_dialect.Mails(recipients=("example.org",))
        )
        to = "bob@example.org,eve@example.com,dan@example.org"
        words = ("--server", f"127.0.0.1:{repeater.port}", "--from", "ann@example.org", "--to", to, "--pipeline")
        status, printed = await self.run_client(self.swaks, *words, "--body", "text", "--ehlo", "here")
        self.assertEqual(status, 0, printed)
        self.assertIn("<-  250-X-NO-CHUNKING", printed)
        self.assertEqual(
            re.findall(r"^<\S+ +(\d+) ", printed, re.M), ["220", "250", "250", "250", "550", "250", "354", "250", "221"]
        )
        delivered = (self.directory / "mails").read_text()
        self.assertEqual(re.findall(r"^From (.*?) ", delivered, re.M), ["ann@example.org"] * 2)
        self.assertIn("=> bob <bob@example.org>", (self.directory / "log-main").read_text())


class SessionTests(SynchronousTestCase):
    """What no server here says."""

    def harness(self, **rules: object) -> FilterHarness:
        """Return a harness with the example's filters."""
        run = FilterHarness(filters=smtp_dialect.Mails(**rules), dialect=smtp_dialect.smtp)
        run.server_sends(b"220 hello")
        return run

    def test_mails_are_not_touched(self) -> None:
        """A mail of any bytes passes byte-identical, at random cuts, and what follows it is commands again."""
        random = Random(1)
        for _ in range(30):
            run = self.harness(recipients=("example.org",))
            run.client_sends(b"DATA")
            run.server_sends(b"354 go")
            lines = [random.randbytes(random.choice((0, 1, 40, 2000))) for _ in range(30)]
            lines = [line.replace(b"\r", b"").replace(b"\n", b"") for line in lines] + [b"..", b".x", b"RCPT TO:<a@b>"]
            lines = [b"." + line if line == b"." else line for line in lines]
            outcome = run.client_sends(*lines, b".", b"RCPT TO:<a@example.com>")
            self.assertEqual(outcome.to_server, [*lines, b".", b"NOOP"])
            self.assertEqual(run.server_sends(b"250 queued", b"250 ok").to_client[-1][:3], b"550")

    def test_login(self) -> None:
        """The line after 334 is a part of a login, whatever it looks like; logs show none of it."""
        for secret in (b"DATA", b"BDAT", base64.b64encode(b"RCPT TO:")):
            run = self.harness()
            run.client_sends(b"AUTH LOGIN")
            run.server_sends(b"334 VXNlcm5hbWU6")
            run.client_sends(secret).expect(to_server=[secret])
            run.server_sends(b"334 UGFzc3dvcmQ6")
            run.client_sends(secret).expect(to_server=[secret])
            run.server_sends(b"235 yes")
            run.client_sends(b"NOOP", b"NOOP").expect(to_server=[b"NOOP", b"NOOP"])
        for line, shown in (
            (b"cGFzc3dvcmQ=", b"..."),
            (b"AUTH PLAIN AGEAYg==", b"..."),
            (b"Dear Bob,", b"..."),
            (b"rcpt to:<a@b>", b"rcpt to:<a@b>"),
        ):
            self.assertEqual(smtp_dialect.redact(line, Direction.TO_SERVER), shown)
            self.assertEqual(smtp_dialect.redact(line, TO_CLIENT), line)

    def test_login_at_once(self) -> None:
        """A client that sends a login at once gets no command past the rules while the server looks at the password."""
        run = self.harness(recipients=("example.org",))
        run.client_sends(b"AUTH LOGIN", b"dXNlcg==", b"cGFzcw==")
        run.server_sends(b"334 VXNlcm5hbWU6", b"334 UGFzc3dvcmQ6")
        run.client_sends(b"RCPT TO:<a@example.com>").expect(to_server=[b"NOOP"])
        (no, refusal) = run.server_sends(b"535 no", b"250 ok").to_client
        self.assertEqual((no, refusal[:3]), (b"535 no", b"550"))

    def test_replies_are_those_of_the_server(self) -> None:
        """A command that looks like a reply is answered by the server."""
        run = self.harness()
        run.client_sends(b"550 x", b"354").expect(to_server=[b"550 x", b"354"])
        run.server_sends(b"500 what?", b"500 what?").expect(to_client=[b"500 what?", b"500 what?"])

    def test_replies_of_many_lines(self) -> None:
        """A refusal takes the place of the whole reply to what was sent in place of a command."""
        run = self.harness(recipients=("example.org",))
        run.client_sends(b"rcpt to:<a@example.com>", b"EHLO here").expect(to_server=[b"NOOP", b"EHLO here"])
        (refusal, *rest) = run.server_sends(b"250-o", b"250 k", b"250-here", b"250-CHUNKING", b"250 STARTTLS").to_client
        self.assertEqual(refusal[:3], b"550")
        self.assertEqual(rest, [b"250-here", b"250-X-NO-CHUNKING", b"250 X-NO-STARTTLS"])

    def test_what_the_server_says_unasked(self) -> None:
        """A server may say good-bye without having been asked."""
        self.harness().server_sends(b"421 bye").expect(to_client=[b"421 bye"])
