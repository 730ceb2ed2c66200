"""Twisted's own port forwarder, which looks at nothing.

Started as ``python -m tests.bench.programs.portforward SERVER_PORT``; prints its port.
"""

from __future__ import annotations

import sys

from twisted.protocols.portforward import ProxyFactory

from .serving import serve


def main() -> None:
    """Serve until the process is ended."""
    serve(ProxyFactory("127.0.0.1", int(sys.argv[1])))


if __name__ == "__main__":
    main()
