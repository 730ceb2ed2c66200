"""An exchange that accepts every order: ``python exchange.py 9001``. It knows nothing of a repeater."""

import asyncio
import json
import sys
from contextlib import suppress
from typing import Any


async def receive(reader: asyncio.StreamReader) -> Any:
    """Return the next message: a length of four bytes, then JSON."""
    length = int.from_bytes(await reader.readexactly(4), "big")
    return json.loads(await reader.readexactly(length))


async def send(writer: asyncio.StreamWriter, message: dict[str, object]) -> None:
    """Send a message."""
    payload = json.dumps(message).encode()
    writer.write(len(payload).to_bytes(4, "big") + payload)
    await writer.drain()


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer one trader. The first message each way is the hello."""
    with suppress(EOFError, OSError, asyncio.CancelledError):  # the trader leaves, or Ctrl-C
        name = (await receive(reader))["name"]
        await send(writer, {"name": "exchange"})
        while True:
            message = await receive(reader)
            print(f"{name}: {message['type']} {message['id']}", flush=True)
            answer = {"Order": "Accepted", "Cancel": "Cancelled"}[message["type"]]
            await send(writer, {"type": answer, "id": message["id"]})
    writer.close()


async def main(port: str) -> None:
    """Serve on a port of this machine."""
    try:
        server = await asyncio.start_server(serve, "127.0.0.1", int(port))
    except OSError as error:
        sys.exit(f"cannot listen on port {port}; is the exchange running already? {error}")
    print(f"exchange on port {server.sockets[0].getsockname()[1]}", flush=True)
    await asyncio.Event().wait()  # until Ctrl-C


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(main(sys.argv[1]))
