"""The load of Modbus: masters that poll, each with one request under way, as most do.

Started as ``python -m tests.bench.programs.modbus PORT REQUESTS MASTERS COUNT``; prints how many requests were answered
in a second. It checks every byte of each response.
"""

from __future__ import annotations

import select
import socket
import struct
import sys
from time import perf_counter

LONGEST_WAIT = 30.0
"""Seconds without an answer."""
VALUE = 7
"""What each register of the server is."""


class Master:
    """A client that reads the same registers again and again."""

    def __init__(self, port: int, requests: int, count: int) -> None:
        self.connection = socket.create_connection(("127.0.0.1", port), LONGEST_WAIT)
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.left = requests
        self.number = 0
        self.count = count
        self.body = struct.pack(">BBB", 1, 3, 2 * count) + struct.pack(">H", VALUE) * count
        self.received = b""

    def ask(self) -> None:
        """Send a request."""
        self.number = (self.number + 1) % 65536
        self.received = b""
        self.connection.sendall(struct.pack(">HHHBBHH", self.number, 0, 6, 1, 3, 0, self.count))

    def read(self) -> None:
        """Check what has come; if it is the whole response, ask again."""
        data = self.connection.recv(4096)
        if not data:
            raise SystemExit("a connection of the load was closed")
        self.received += data
        expected = struct.pack(">HHH", self.number, 0, len(self.body)) + self.body
        if self.received != expected[: len(self.received)]:
            raise SystemExit(f"a master received {self.received!r}, not {expected!r}")
        if len(self.received) == len(expected):
            self.left -= 1
            if self.left:
                self.ask()


def run(masters: list[Master]) -> None:
    """Poll until all responses have come."""
    poll = select.epoll()
    by_number = {master.connection.fileno(): master for master in masters}
    for number, master in by_number.items():
        poll.register(number, select.EPOLLIN)
        master.ask()
    while any(master.left for master in masters):
        ready = poll.poll(LONGEST_WAIT)
        if not ready:
            raise SystemExit(f"nothing came for {LONGEST_WAIT:.0f} s")
        for number, _ in ready:
            by_number[number].read()


def main() -> None:
    """Put the load on, and say how fast it went."""
    port, requests, count_of_masters, count = map(int, sys.argv[1:5])
    each = -(-requests // count_of_masters)
    masters = [Master(port, each, count) for _ in range(count_of_masters)]
    started = perf_counter()
    run(masters)
    asked = each * count_of_masters
    print(f"{asked} requests, {asked / (perf_counter() - started):.1f} for each second")


if __name__ == "__main__":
    main()
