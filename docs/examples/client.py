"""A client that asks for prices: ``python client.py 9000 ann``. It knows nothing of a repeater.

Each message is a length of four bytes, followed by the payload. The first message each way is the hello. After that,
each line that you type is sent as a request, and each answer is printed.
"""

import asyncio
import json
import sys
from contextlib import suppress


async def receive(reader: asyncio.StreamReader) -> bytes:
    """Return the next message."""
    length = int.from_bytes(await reader.readexactly(4), "big")
    return await reader.readexactly(length)


async def send(writer: asyncio.StreamWriter, payload: bytes) -> None:
    """Send a message."""
    writer.write(len(payload).to_bytes(4, "big") + payload)
    await writer.drain()


async def send_lines(writer: asyncio.StreamWriter) -> None:
    """Send each line that is typed. After the last one the answers still come."""
    keyboard = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(keyboard), sys.stdin)
    while line := await keyboard.readline():
        await send(writer, line.rstrip(b"\n"))
    writer.write_eof()


async def print_answers(reader: asyncio.StreamReader) -> None:
    """Print each answer, until the server closes the connection."""
    while True:
        print((await receive(reader)).decode(), flush=True)


async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, name: str) -> None:
    """Exchange hellos, then requests and answers."""
    await send(writer, json.dumps({"name": name}).encode())
    hello = json.loads(await receive(reader))
    print(f"linked to {hello['name']}", flush=True)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(send_lines(writer))
        tasks.create_task(print_answers(reader))


async def main(port: str = "9000", name: str = "ann") -> None:
    """Connect to a port of this machine."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(port))
    except OSError as error:
        sys.exit(f"cannot connect to port {port}; does anybody listen there? {error}")
    try:
        await talk(reader, writer, name)
    except* (EOFError, OSError):
        print("disconnected", flush=True)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(main(*sys.argv[1:]))
