"""Both ends of a FIX session, to try things with: ``fix_peers.py exchange 9880`` and ``fix_peers.py trader 9881``.

The trader sends an order for each line that you type, such as ``buy 1000 MSFT``. The exchange fills it, and prints what
it got. Neither knows that a repeater exists. They do what a session needs to begin and to trade, and no more.
"""

import socket
import sys
import threading
import time
from collections.abc import Iterator

Fields = dict[int, str]


class Engine:
    """One end of a session."""

    def __init__(self, connection: socket.socket, name: str, other: str) -> None:
        self._connection = connection
        self._names = {49: name, 56: other}
        self._sent = 0
        self._sending = threading.Lock()

    def send(self, kind: str, fields: Fields) -> None:
        """Send a message of this type."""
        with self._sending:
            self._sent += 1
            now = time.strftime("%Y%m%d-%H:%M:%S", time.gmtime())
            head = {35: kind, **self._names, 34: str(self._sent), 52: now}
            body = "".join(f"{tag}={value}\x01" for tag, value in (head | fields).items())
            text = f"8=FIX.4.4\x019={len(body)}\x01{body}"
            self._connection.sendall(f"{text}10={sum(text.encode()) % 256:03}\x01".encode())

    def received(self) -> Iterator[Fields]:
        """Return the messages as they come; answer those that only keep the session alive."""
        data = b""
        while piece := self._connection.recv(65536):
            data += piece
            while (end := data.find(b"\x01", data.find(b"\x0110=") + 1)) > 0:
                fields = dict(field.split("=", 1) for field in data[:end].decode().split("\x01"))
                data = data[end + 1 :]
                message = {int(tag): value for tag, value in fields.items()}
                if message[35] == "1":
                    self.send("0", {112: message[112]})
                elif message[35] != "0":
                    yield message


def exchange(port: int) -> None:
    """Fill each order."""
    with socket.create_server(("127.0.0.1", port)) as listening:
        print(f"exchange on port {listening.getsockname()[1]}", flush=True)
        connection, _ = listening.accept()
    engine = Engine(connection, "EXCHANGE", "TRADER")
    for message in engine.received():
        if message[35] == "A":
            engine.send("A", {98: "0", 108: message[108]})
        elif message[35] == "D":
            print(f"order {message[11]}: {message[38]} {message[55]}", flush=True)
            filled = {37: "1", 17: message[11], 150: "F", 39: "2", 14: message[38], 151: "0", 6: "10"}
            copied = {tag: message[tag] for tag in (11, 38, 54, 55)}
            engine.send("8", filled | copied | {31: "10", 32: message[38]})


def trader(port: int) -> None:
    """Send an order for each line that is typed."""
    engine = Engine(socket.create_connection(("127.0.0.1", port)), "TRADER", "EXCHANGE")
    threading.Thread(target=show, args=(engine,), daemon=True).start()
    engine.send("A", {98: "0", 108: "30"})
    for number, line in enumerate(sys.stdin, 1):
        side, quantity, symbol = line.split()
        sides = {"buy": "1", "sell": "2"}
        order = {11: f"order-{number}", 55: symbol, 54: sides[side], 38: quantity, 40: "2", 44: "10"}
        now = time.strftime("%Y%m%d-%H:%M:%S", time.gmtime())
        engine.send("D", order | {60: now})


def show(engine: Engine) -> None:
    """Print what the trader gets."""
    for message in engine.received():
        if message[35] == "A":
            print("logged on", flush=True)
        elif message[35] == "8":
            print(f"order {message[11]}: status {message[39]}, {message[32]} filled", flush=True)
        else:
            print(message, flush=True)


if __name__ == "__main__":
    {"exchange": exchange, "trader": trader}[sys.argv[1]](int(sys.argv[2]))
