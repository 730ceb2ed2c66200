"""Sessions of IRC to record."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

import miniirc

from ..needed import needed
from ..real.servers import RealServer
from .sessions import Session, adding_to, say

__all__ = ["SESSIONS", "start"]

SESSIONS: dict[str, Session] = {}
session = adding_to(SESSIONS)

CONFIGURATION = """
[Global]
Name = irc.example.org
Info = a server for tests
Listen = 127.0.0.1
Ports = {0}
MotdPhrase = hello
[Limits]
MaxConnectionsIP = 0
[Options]
DNS = no
Ident = no
PAM = no
"""

HELLO = b"NICK eve\r\nUSER eve 0 * :Eve\r\n"


def start() -> RealServer:
    """Start a server."""
    configuration = Path(tempfile.mkdtemp(), "ngircd.conf")

    def command(port: int) -> list[str]:
        configuration.write_text(CONFIGURATION.format(port))
        return [needed("ngircd", "ngircd"), "--nodaemon", "--config", os.fspath(configuration)]

    return RealServer(command)


@session
def miniirc_client(port: int) -> None:
    """miniirc joins a channel, and talks to itself."""
    irc = miniirc.IRC("127.0.0.1", port, "ann", ssl=False, persist=False, auto_connect=False)
    irc.connect()
    irc.send("JOIN", "#a")
    irc.msg("#a", "hello")
    irc.msg("ann", "naïve \x02bold\x02 text")
    irc.send("PING", "end")
    say(
        port,
        (HELLO.replace(b"eve", b"bob") + b"JOIN #a\r\nPRIVMSG ann :hi\r\nPING end\r\n", b"PONG"),
        (b"QUIT\r\n", b""),
    )
    irc.disconnect()


@session
def sic(port: int) -> None:
    """sic, a client in C."""
    command = [needed("sic", "sic"), "-h", "127.0.0.1", "-p", str(port), "-n", "cat"]
    subprocess.run(
        command, input=":j #a\n:m #a hello\n/QUIT\n", text=True, capture_output=True, timeout=20, check=False
    )


@session
def commands(port: int) -> None:
    """Many commands, known and unknown, with CR LF and with LF only."""
    say(
        port,
        (HELLO, b" 376 "),
        (b"JOIN #a,#b\r\nTOPIC #a :all about a\r\nNAMES #a\r\nLIST\r\n", b" 323 "),
        (b"WHO #a\nWHOIS eve\nMODE #a +m\nMODE #a\n", b" 324 "),
        (b"PART #b :bye\r\nNOSUCH thing\r\nPRIVMSG\r\n\r\n:eve PING :x\r\n", b"PONG"),
        (b"QUIT :bye\r\n", b""),
    )


@session
def long_lines(port: int) -> None:
    """A long line, a line of bytes that are not UTF-8, and an empty one."""
    line = b"PRIVMSG eve :" + b"x" * 400 + b"\r\n"
    say(
        port, (HELLO + line, b"x\r\n"), (b"PRIVMSG eve :\xff\xfe\x80 \x01ACTION\x01\r\n\n", b"ACTION"), (b"QUIT\n", b"")
    )


@session
def no_login(port: int) -> None:
    """A client that says nothing useful."""
    say(port, (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\n"), (b"QUIT\r\n", b""))
