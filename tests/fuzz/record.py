"""Records the sessions anew: ``python -m tests.fuzz.record [postgres|redis|mqtt|fix] ...``; all protocols by default.

It starts the real servers, lets real clients talk to them through a `Tee`, and writes what passed to ``recordings/``.
"""

from __future__ import annotations

import shutil
import sys

from . import record_fix, record_mqtt, record_postgres, record_redis
from .recording import RECORDINGS, Recording
from .sessions import Session
from .tee import Tee

__all__ = ["main"]


def record(protocol: str, port: int, sessions: dict[str, Session]) -> None:
    """Let each session take place through a tee, and write down its connections."""
    folder = RECORDINGS / protocol
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, session in sessions.items():
        tee = Tee(protocol, port)
        by_hand = session(tee.port)
        tee.close()
        connections = tee.connections or [by_hand or []]
        for number, messages in enumerate(connections, 1):
            path = folder / (f"{name}-{number}.txt" if len(connections) > 1 else f"{name}.txt")
            Recording(name, session.__doc__ or "", tuple(messages)).save(path)
            print(f"{path.relative_to(RECORDINGS)}: {len(messages)} messages, {path.stat().st_size} bytes")


def main() -> None:
    """Record the protocols that the command line names."""
    protocols = {"postgres": record_postgres, "redis": record_redis, "mqtt": record_mqtt, "fix": record_fix}
    for protocol in sys.argv[1:] or protocols:
        module = protocols[protocol]
        server = module.start()
        try:
            record(protocol, server.port, module.SESSIONS)
        finally:
            server.stop()


if __name__ == "__main__":
    main()
