"""A trader: ``python trader.py 9000 ann``, then lines such as ``buy 100 ACME 10.50``. Knows nothing of a repeater."""

import asyncio
import json
import sys
from collections import Counter
from contextlib import suppress
from typing import Any

IN_FLIGHT = 500
USAGE = "type: buy SIZE SYMBOL PRICE, sell SIZE SYMBOL PRICE, cancel ID, many COUNT"


class Trader:
    """The connection to the exchange."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.last_id = 0
        self.to_send = 0
        self.unanswered: set[int] = set()
        self.answers: Counter[str] = Counter()

    async def receive(self) -> Any:
        """Return the next message: a length of four bytes, then JSON."""
        length = int.from_bytes(await self.reader.readexactly(4), "big")
        return json.loads(await self.reader.readexactly(length))

    def send(self, message: dict[str, object]) -> None:
        """Send a message."""
        payload = json.dumps(message).encode()
        self.writer.write(len(payload).to_bytes(4, "big") + payload)

    async def talk(self, name: str) -> None:
        """Exchange hellos, the first message each way; then orders and answers."""
        self.send({"name": name})
        hello = await self.receive()
        print(f"linked to {hello['name']}", flush=True)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.read_keyboard())
            tasks.create_task(self.show_answers())

    async def read_keyboard(self) -> None:
        """Carry out each line from the keyboard, until Ctrl-D."""
        keyboard = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(keyboard), sys.stdin)
        while line := await keyboard.readline():
            try:
                self.command(line.decode())
            except ValueError:
                print(USAGE, flush=True)
        self.writer.write_eof()

    def command(self, line: str) -> None:
        """Do what one line says."""
        match line.split():
            case ["buy" | "sell" as side, size, symbol, price]:
                self.order(side, int(size), symbol, float(price))
            case ["cancel", number]:
                self.send({"type": "Cancel", "id": int(number)})
            case ["many", count]:
                self.to_send = int(count)
                self.answers.clear()
                self.send_more()
            case _:
                print(USAGE, flush=True)

    def order(self, side: str, size: int, symbol: str, price: float) -> int:
        """Send an order, and return its id."""
        self.last_id += 1
        self.send({"type": "Order", "id": self.last_id, "side": side, "size": size, "symbol": symbol, "price": price})
        return self.last_id

    def send_more(self) -> None:
        """Send more of many orders, while few enough are unanswered. Their sizes are from 1 to 901."""
        while self.to_send and len(self.unanswered) < IN_FLIGHT:
            self.to_send -= 1
            self.unanswered.add(self.order("buy", 1 + self.last_id % 10 * 100, "ACME", 10.5))

    async def show_answers(self) -> None:
        """Print each answer, or count it if it is one of many."""
        while True:
            answer = await self.receive()
            if answer["id"] in self.unanswered:
                self.count(answer)
            else:
                reason = f": {answer['reason']}" if "reason" in answer else ""
                print(f"{answer['id']} {answer['type'].lower()}{reason}", flush=True)

    def count(self, answer: dict[str, Any]) -> None:
        """Count an answer, and send the next order; after the last answer print how many there were of each kind."""
        self.unanswered.remove(answer["id"])
        self.answers[answer["type"].lower()] += 1
        self.send_more()
        if not self.unanswered:
            print("answers:", *(f"{count} {kind}" for kind, count in sorted(self.answers.items())), flush=True)


async def main(port: str, name: str) -> None:
    """Connect to a port of this machine."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(port))
    except OSError as error:
        sys.exit(f"cannot connect to port {port}; does anybody listen there? {error}")
    try:
        await Trader(reader, writer).talk(name)
    except* (EOFError, OSError):
        print("disconnected", flush=True)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(main(*sys.argv[1:]))
