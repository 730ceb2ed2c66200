"""The load of FIX: traders that send orders, and an exchange that answers each by an ExecutionReport.

``python -m tests.bench.programs.fix serve PORT`` is the exchange. ``python -m tests.bench.programs.fix PORT ORDERS
TRADERS`` sends so many orders, and prints how fast the reports came. Each trader has a few orders under way. Both look
at the ids of all messages; what else comes, such as a message that a filter has added, they leave alone.
"""

from __future__ import annotations

import re
import select
import socket
import sys
from time import perf_counter

UNDER_WAY = 16
"""How many orders of a trader are under way."""
LONGEST_WAIT = 30.0
"""Seconds without an answer."""

MESSAGE = re.compile(rb"8=FIX\.4\.4\x019=\d+\x0135=(\w+)\x01.*?\x0110=\d{3}\x01", re.DOTALL)
ID = re.compile(rb"\x0111=(\d+)\x01")
SENDER = re.compile(rb"\x0149=(\w+)\x01")
TIME = b"20261126-12:00:00.000"


class Session:
    """One end of a session."""

    def __init__(self, connection: socket.socket, sender: bytes = b"", target: bytes = b"") -> None:
        self.connection = connection
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sender, self.target = sender, target
        self.number = 0
        self.unread = b""

    def message(self, kind: bytes, body: bytes) -> bytes:
        """Return a message with the next number."""
        self.number += 1
        head = b"35=%b\x0149=%b\x0156=%b\x0134=%d\x0152=%b\x01" % (kind, self.sender, self.target, self.number, TIME)
        frame = b"8=FIX.4.4\x019=%d\x01%b%b" % (len(head) + len(body), head, body)
        return b"%b10=%03d\x01" % (frame, sum(frame) % 256)

    def read(self) -> list[tuple[bytes, bytes]]:
        """Return the types and the bytes of the messages that have come; raise ``EOFError`` at the end."""
        received = self.connection.recv(256 * 1024)
        if not received:
            raise EOFError
        data = self.unread + received
        found = list(MESSAGE.finditer(data))
        self.unread = data[found[-1].end() :] if found else data
        return [(one[1], one[0]) for one in found]


class Trader(Session):
    """Sends orders."""

    def __init__(self, port: int, number: int, orders: int) -> None:
        super().__init__(socket.create_connection(("127.0.0.1", port), LONGEST_WAIT), b"TRADER%d" % number, b"EXCHANGE")
        self.to_send = self.to_receive = orders
        self.next_id = self.next_report = 1
        self.connection.sendall(self.message(b"A", b"98=0\x01108=60\x01"))

    def send(self, count: int) -> None:
        """Send orders, if so many are still to be sent."""
        count = min(count, self.to_send)
        self.to_send -= count
        self.connection.sendall(b"".join(self.order() for _ in range(count)))

    def order(self) -> bytes:
        """Return the next order, as long as orders usually are."""
        body = (
            b"11=%d\x011=ACCOUNT-7\x0121=1\x01100=XNYS\x0155=ACME\x0148=US0000000001\x0122=4\x01167=CS\x0154=1\x01"
            b"60=%b\x0138=100\x0140=2\x0144=10.50\x0115=USD\x0159=0\x0147=A\x0158=some words about it\x01"
        ) % (self.next_id, TIME)
        self.next_id += 1
        return self.message(b"D", body)

    def received(self) -> None:
        """Check the reports that have come, and let as many orders follow."""
        reports = 0
        for kind, message in self.read():
            if kind == b"A":
                self.send(UNDER_WAY)
            elif kind == b"8":
                found = ID.search(message)
                if found is None or int(found[1]) != self.next_report:
                    raise SystemExit(f"a trader received {message!r} for order {self.next_report}")
                self.next_report += 1
                reports += 1
            elif kind in (b"2", b"3", b"5", b"j"):
                raise SystemExit(f"a trader received {message!r}")
        self.to_receive -= reports
        self.send(reports)


def trade(traders: list[Trader]) -> None:
    """Send orders until all reports have come."""
    poll = select.epoll()
    by_number = {trader.connection.fileno(): trader for trader in traders}
    for number in by_number:
        poll.register(number, select.EPOLLIN)
    while any(trader.to_receive for trader in traders):
        ready = poll.poll(LONGEST_WAIT)
        if not ready:
            raise SystemExit(f"nothing came for {LONGEST_WAIT:.0f} s")
        for number, _ in ready:
            try:
                by_number[number].received()
            except EOFError:
                raise SystemExit("a connection of the load was closed") from None


def answers(session: Session) -> bytes:
    """Return what the exchange says to what has come."""
    said = []
    for kind, message in session.read():
        if kind == b"A":
            found = SENDER.search(message)
            assert found is not None
            session.sender, session.target = b"EXCHANGE", found[1]
            said.append(session.message(b"A", b"98=0\x01108=60\x01"))
        elif kind == b"D":
            order = ID.search(message)
            assert order is not None
            said.append(
                session.message(
                    b"8",
                    b"37=1\x0111=%b\x0117=1\x01150=0\x0139=0\x0155=ACME\x0154=1\x0138=100\x01151=100\x0114=0\x016=0\x01"
                    % order[1],
                )
            )
    return b"".join(said)


def serve(port: int) -> None:
    """Be the exchange, until the process is ended."""
    listener = socket.create_server(("127.0.0.1", port), backlog=512)
    poll = select.epoll()
    poll.register(listener.fileno(), select.EPOLLIN)
    sessions: dict[int, Session] = {}
    while True:
        for number, _ in poll.poll():
            if number == listener.fileno():
                connection, _ = listener.accept()
                sessions[connection.fileno()] = Session(connection)
                poll.register(connection.fileno(), select.EPOLLIN)
                continue
            try:
                sessions[number].connection.sendall(answers(sessions[number]))
            except (EOFError, OSError):
                poll.unregister(number)
                sessions.pop(number).connection.close()


def main() -> None:
    """Serve, or put the load on and say how fast it went."""
    if sys.argv[1] == "serve":
        return serve(int(sys.argv[2]))
    port, orders, count = map(int, sys.argv[1:4])
    each = -(-orders // count)
    traders = [Trader(port, number, each) for number in range(count)]
    started = perf_counter()
    trade(traders)
    print(f"{each * count} orders, {each * count / (perf_counter() - started):.1f} for each second")
    return None


if __name__ == "__main__":
    main()
