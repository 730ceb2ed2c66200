"""The lines from the nodes of a chaos to the engine: repeaters in a process of their own, which break when told to."""

from __future__ import annotations

from typing import Any

from twisted_repeater import Repeater, dialects
from twisted_repeater.faults import Down, Fault, Latency, Timeout

from .told import Told, begin


class Lines(Told):
    """The lines, as told by the test."""

    async def start(self) -> None:
        """Make them."""
        self.lines: list[Repeater] = []
        for _ in range(self.options["count"]):
            line = await Repeater.create(
                dialects.redis(names=False),
                repeater_name="line",
                listen="tcp:0:interface=127.0.0.1",
                server=f"tcp:127.0.0.1:{self.options['engine']}",
            )
            line.start(on_connecting_error=lambda *_: None, on_error=lambda link, side, error: link.close())
            self.lines.append(line)

    async def do_ports(self) -> list[int]:
        """Return where they listen."""
        return [line.port for line in self.lines]

    async def do_break(self, at: int, how: str, seconds: float) -> None:
        """Break one of them: refuse connections, let no byte pass, or let each word take some seconds."""
        faults: dict[str, Any] = {"down": Down, "hang": Timeout, "slow": lambda: Latency(seconds)}
        fault: Fault = faults[how]()
        self.lines[at].faults.set("broken", fault)

    async def do_mend(self, at: int) -> None:
        """End that."""
        self.lines[at].faults.remove("broken")


if __name__ == "__main__":
    begin(Lines)
