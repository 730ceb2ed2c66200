"""A server that answers with prices: ``python server.py 9001``. It knows nothing of a repeater.

Each message is a length of four bytes, followed by the payload. The first message each way is the hello. After that,
each request, such as ``price ACME``, gets an answer.
"""

import asyncio
import json
import sys
from contextlib import suppress

PRICES = {"ACME": "101.50", "INIT": "7.25"}


async def receive(reader: asyncio.StreamReader) -> bytes:
    """Return the next message."""
    length = int.from_bytes(await reader.readexactly(4), "big")
    return await reader.readexactly(length)


async def send(writer: asyncio.StreamWriter, payload: bytes) -> None:
    """Send a message."""
    writer.write(len(payload).to_bytes(4, "big") + payload)
    await writer.drain()


def answer(request: str) -> str:
    """Return the answer to a request."""
    verb, _, stock = request.partition(" ")
    if verb == "price" and stock in PRICES:
        return f"{stock} costs {PRICES[stock]}"
    return f"what is {request}?"


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer one client, until it leaves."""
    client = ""
    try:
        client = json.loads(await receive(reader))["name"]
        await send(writer, json.dumps({"name": "quotes"}).encode())
        print(f"{client} is here", flush=True)
        while True:
            request = (await receive(reader)).decode()
            print(f"{client}: {request}", flush=True)
            await send(writer, answer(request).encode())
    except (EOFError, OSError, asyncio.CancelledError):  # the client leaves, or Ctrl-C
        print(f"{client} is gone", flush=True)
    finally:
        writer.close()


async def main(port: str = "9001") -> None:
    """Serve on a port of this machine; 0 takes a free one."""
    try:
        server = await asyncio.start_server(serve, "127.0.0.1", int(port))
    except OSError as error:
        sys.exit(f"cannot listen on port {port}; is the server running already? {error}")
    print(f"quotes on port {server.sockets[0].getsockname()[1]}", flush=True)
    await asyncio.Event().wait()  # until Ctrl-C


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(main(*sys.argv[1:]))
