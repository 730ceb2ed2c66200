"""`lines` stands between ngIRCd and two IRC clients: miniirc and sic. It refuses, changes and logs."""

from __future__ import annotations

import queue
from contextlib import closing
from typing import Any

import miniirc
from twisted.logger import capturedLogs, formatEvent

from twisted_repeater import dialects
from twisted_repeater.dialects.lines import AllowLines, LogLines, RefuseLines, ReplaceInLines

from ..needed import needed
from ..programs import TWISTD
from .servers import RealCase, bytewise, talk

DEBIAN_PACKAGES = "ngircd sic"

CONFIGURATION = """
    [Global]
    Name = irc.example.org
    Info = a server for tests
    Listen = 127.0.0.1
    Ports = {0}
    MotdPhrase = hello
    Password = sesame
    [Limits]
    MaxConnectionsIP = 0
    MaxPenaltyTime = 0
    [Options]
    DNS = no
    Ident = no
    PAM = no
"""
HELLO = b"PASS sesame\r\nNICK eve\r\nUSER eve 0 * :Eve\r\n"

NO_SECRET = RefuseLines(
    match=r"^(@\S* +)?(:\S* +)?JOIN\b.*(#secret)(,| |$)", answer=r":irc.example.org 473 * \3 :Members only"
)


class IRCCase(RealCase):
    """A test case with a server of IRC and a repeater before it."""

    def setUp(self) -> None:
        """Start the server."""
        super().setUp()
        self.ngircd, self.sic = needed("ngircd", "ngircd"), needed("sic", "sic")
        configuration = self.directory / "ngircd.conf"

        def command(port: int) -> list[str]:
            configuration.write_text(CONFIGURATION.format(port))
            return [self.ngircd, "--nodaemon", "--config", str(configuration)]

        self.server = self.start_server(command)

    async def repeat(self, filters: object = None, **settings: Any) -> int:
        """Start a repeater with filters; return its port."""
        dialect = dialects.lines(secret="^PASS ", max_frame=510)
        self.repeater = await self.start_repeater(dialect, self.server.port, filters=filters, **settings)
        return self.repeater.port


class Client(closing["Client"]):
    """A client of miniirc. It blocks."""

    def __init__(self, port: int, nick: str) -> None:
        super().__init__(self)
        self.got: queue.Queue[tuple[str, ...]] = queue.Queue()
        self.irc = miniirc.IRC(
            "127.0.0.1", port, nick, ssl=False, persist=False, auto_connect=False, server_password="sesame"
        )
        self.irc.CmdHandler("001", "366", "473", "PRIVMSG", colon=False)(self.record)
        self.irc.connect()
        self.wait_for("001")

    def record(self, irc: object, command: str, hostmask: object, args: list[str]) -> None:
        """Keep what the server says."""
        self.got.put((command, *args))

    def wait_for(self, *words: str) -> list[str]:
        """Return the rest of the next line that begins with these words."""
        while True:
            got = self.got.get(timeout=20)
            if got[: len(words)] == words:
                return list(got[len(words) :])

    def close(self) -> None:
        """Leave the server."""
        self.irc.disconnect()


class FilterTests(IRCCase):
    """What the filters do, as their clients see it."""

    async def test_refuse(self) -> None:
        """A client that may not join a channel reads why, and can join another one."""
        port = await self.repeat(NO_SECRET)

        def run() -> list[str]:
            with Client(port, "ann") as ann:
                ann.irc.send("JOIN", "#Secret")
                refused = ann.wait_for("473")
                ann.irc.send("JOIN", "#open")
                ann.wait_for("366", "ann", "#open")
                ann.irc.send("NAMES", "#secret")
                self.assertEqual(ann.wait_for("366", "ann"), ["#secret", "End of NAMES list"])
                return refused

        self.assertEqual(await self.in_thread(run), ["*", "#Secret", "Members only"])

    async def test_change(self) -> None:
        """A word is changed on its way to others, and on its way from them."""
        port = await self.repeat(ReplaceInLines(match=r"\b(d)arn\b", by=r"\1***", direction="both"))

        def run() -> tuple[list[str], list[str]]:
            with Client(port, "ann") as ann, Client(self.server.port, "bob") as bob:
                for client in (ann, bob):
                    client.irc.send("JOIN", "#a")
                    client.wait_for("366")
                ann.irc.msg("#a", "Darn it: darned darn\xe9 naïve darn")
                to_bob = bob.wait_for("PRIVMSG", "#a")
                bob.irc.msg("#a", "darn")
                return to_bob, ann.wait_for("PRIVMSG", "#a")

        to_bob, to_ann = await self.in_thread(run)
        self.assertEqual((to_bob, to_ann), (["D*** it: darned d***\xe9 naïve d***"], ["d***"]))

    async def test_log(self) -> None:
        """Who joins is logged; the password that the client says is not."""
        port = await self.repeat(LogLines(match=r"^(JOIN|PASS) ", direction="to-server"))

        def run() -> None:
            with Client(port, "ann") as ann:
                ann.irc.send("JOIN", "#a")
                ann.wait_for("366")

        with capturedLogs() as events:
            await self.in_thread(run)
        logged = [text for event in events if "to the server" in (text := formatEvent(event) or "")]
        self.assertEqual([text.partition("server: ")[2] for text in logged], ["b'PASS ...'", "b'JOIN :#a'"])

    async def test_allow(self) -> None:
        """With a list of commands, a client reads of any other that it is not known."""
        allowed = AllowLines(match="(PASS|NICK|USER|PING|PONG|CAP) .*|QUIT.*", answer=r":irc.example.org 421 * \0")
        port = await self.repeat(allowed)
        said = await self.in_thread(talk, port, HELLO + b"LIST\r\nQUIT :LIST\r\n")
        self.assertIn(b":irc.example.org 421 * LIST\r\n", said)
        self.assertNotIn(b" 323 ", said)

    async def test_from_the_command_line(self) -> None:
        """The filters of the command line do the same for sic."""
        options = {
            "--dialect": "lines:secret=^PASS :max-frame=16KiB",
            "--listen": "tcp:0:interface=127.0.0.1",
            "--server": f"tcp:127.0.0.1:{self.server.port}",
        }
        rules = (
            r"lines-refuse:match=^(\:\S* +)?JOIN\b.*(#secret)(,| |$):answer=\:irc.example.org 473 * \2 \:Members only",
            r"lines-replace:match=\bdarn\b:by=d***",
            r"lines-log:match=^(JOIN \S+):text=\1:direction=to-server",
        )
        words = [word for option in options.items() for word in option]
        words += [word for rule in rules for word in ("--filter", rule)]
        program = self.start_client(TWISTD, "--pidfile=", "-n", "repeater", *words)
        port = program.wait_for(r"accepting clients at .*?(\d+)\D*$")[1]
        sic = self.start_client(self.sic, "-h", "127.0.0.1", "-p", port, "-n", "cat", "-k", "sesame")
        sic.wait_for("hello")
        sic.type(":j #secret")
        sic.wait_for("Members only")
        sic.type(":j #a")
        sic.wait_for(" 366 ")
        sic.type(":m cat what the darn")
        sic.wait_for(r"what the d\*\*\*")
        program.wait_for("JOIN #a")
        sic.type("/QUIT")
        self.assertNotIn("sesame", program.output)


class HostileTests(IRCCase):
    """Clients that would get around a rule, or wear out the repeater."""

    async def test_two_lines_in_one(self) -> None:
        """The server takes a lone CR for the end of a line, so such a line closes the link and reaches nobody."""
        sneaky = HELLO + b"TOPIC #x\rJOIN #secret\r\n"
        direct = await self.in_thread(talk, self.server.port, sneaky, until=b"JOIN :#secret")
        self.assertIn(b"JOIN :#secret", direct)
        port = await self.repeat(NO_SECRET)
        for ends in (b"\r", b"\0", b"\r\r"):
            self.assertEqual(await self.in_thread(talk, port, b"NICK eve" + ends + b"JOIN #secret\r\n"), b"")

    async def test_ways_to_say_it(self) -> None:
        """However a client writes it, it does not get into the channel, and hears why."""
        port = await self.repeat(NO_SECRET)
        ways = b"join #SECRET,JOIN #a;#secret;#b,JOIN  #secret,:eve JOIN #secret,JOIN :#secret,JOIN #secret key".split(
            b","
        )
        said = await self.in_thread(
            talk,
            port,
            HELLO,
            *(way.replace(b";", b",") + end for way in ways for end in (b"\r\n", b"\n")),
            b"PING :end\n",
            until=b"PONG",
        )
        for end in (b"\r\n", b"\n"):
            answers = [line for line in said.splitlines(keepends=True) if line.endswith(b" :Members only" + end)]
            self.assertEqual(len(answers), len(ways))
        self.assertNotRegex(said, b"(?i)JOIN :#secret")

    async def test_length_of_lines(self) -> None:
        """A line may have the limit; one byte more, or a line without an end, costs its client the link."""
        for filters, cut in ((None, bytewise), (NO_SECRET, bytewise), (NO_SECRET, lambda line: (line,))):
            port = await self.repeat(filters)
            for size, works in ((509, True), (510, True), (511, False)):
                line = b"PRIVMSG eve :" + b"x" * (size - 14) + b"\r\n"
                said = await self.in_thread(talk, port, *cut(line), until=b" 451 ")
                self.assertEqual(b" 451 " in said, works)
            self.assertEqual(await self.in_thread(talk, port, b"x" * 1_000_000), b"")
            self.assertIn(b" 451 ", await self.in_thread(talk, port, b"PRIVMSG eve :x\r\n", until=b" 451 "))

    async def test_half_closed(self) -> None:
        """A client that ends its stream at once still reads all that the server has to say."""
        port = await self.repeat(NO_SECRET)
        said = await self.in_thread(talk, port, HELLO + b"JOIN #secret\r\nJOIN #a\r\nQUIT :bye\r\n", ends=True)
        self.assertIn(b" 473 * #secret", said)
        self.assertIn(b" 366 eve #a ", said)
        self.assertRegex(said, rb"ERROR :.*\r\n$")
