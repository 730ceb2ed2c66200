"""An MLLP server of the library hl7: ``python hl7_server.py PORT FILE``. It acknowledges each message, and keeps it.

The bytes of each message are a line of the file, as Python writes them. A message whose sender is SLOW waits for half a
second; one of SILENT is not answered.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import hl7
from hl7.mllp import start_hl7_server

KEPT = Path(sys.argv[2]) if len(sys.argv) > 2 else None
LIMIT = 1 << 26


async def serve(reader: Any, writer: Any) -> None:
    """Answer the messages of one client."""
    try:
        while True:
            block = await reader.readblock()
            if KEPT is not None:
                with KEPT.open("a") as kept:
                    kept.write(f"{block!r}\n")
            message = hl7.parse(block.decode("latin-1"))
            sender = str(message["MSH.F3"]) if len(message.segment("MSH")) > 3 else ""
            if sender == "SLOW":
                await asyncio.sleep(0.5)
            if sender != "SILENT":
                writer.writemessage(message.create_ack("AA"))
                await writer.drain()
    except asyncio.IncompleteReadError:
        pass
    finally:
        writer.close()


async def main() -> None:
    """Serve until the end."""
    server = await start_hl7_server(serve, "127.0.0.1", int(sys.argv[1]), limit=LIMIT, encoding="latin-1")
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
