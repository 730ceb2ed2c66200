"""Orders through a repeater that refuses, drops, changes and adds, while all three programs are cut off and killed.

Two engines of QuickFIX talk through ``twistd repeater``; then their logs are compared::

    python -m tests.real.fix_soak --orders 100000 --seed 1

With ``--direct`` they talk to each other without a repeater, and must come to the same end.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random

from ..programs import LONGEST, TWISTD, Program, environment
from .fix_engines import Engine
from .fix_judge import Judge
from .servers import free_port

__all__ = ["Soak"]

RULES = Path(__file__).parent / "quickfix" / "judged_orders.py"
PAUSE = 0.01
"""Seconds between two looks at an engine."""
SHORTEST = 0.05
"""The least seconds between two events."""


class Soak:
    """Two engines, a repeater between them, and what happens to all three.

    Args:
        directory: an empty directory.
        orders: how many orders the initiator sends.
        rate: how many a second.
        seed: what chance draws from.
        peace: the most seconds between two events.
        version: BeginString.
        direct: whether there is no repeater.
    """

    def __init__(
        self,
        directory: Path,
        *,
        orders: int,
        rate: int,
        seed: int,
        peace: float = 1.0,
        version: str = "FIX.4.4",
        direct: bool = False,
    ) -> None:
        self.directory = directory
        self.orders = orders
        self.rate = rate
        self.random = Random(seed)
        self.peace = peace
        self.direct = direct
        self.ports = free_port(), free_port()
        settings = {"HeartBtInt": 2, "BeginString": version, "DefaultApplVerID": "FIX.5.0SP2"}
        self.acceptor = Engine(directory / "acceptor", "acceptor", self.ports[1], **settings)
        self.initiator = Engine(directory / "initiator", "initiator", self.ports[direct], **settings)
        self.events: list[str] = []
        self.asked = 0
        self.repeater_output = ""

    # -- the programs --------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start all of them."""
        self.acceptor.start()
        self.start_repeater()
        self.initiator.start()
        self.go_on()

    def start_repeater(self) -> None:
        """Start the repeater, with the store that it had before."""
        if not self.direct:
            shutil.copy(RULES, self.directory)
            ours, theirs = self.ports
            command = ["--dialect", f"fix:store={self.directory}/store", "--to-server-filter", "judged_orders:orders"]
            command += ["--to-client-filter", "judged_orders:reports"]
            command += ["--listen", f"tcp:{ours}:interface=127.0.0.1", "--server", f"tcp:127.0.0.1:{theirs}"]
            self.repeater = Program(
                TWISTD, "-n", "--pidfile=", "repeater", *command, cwd=str(self.directory), env=environment()
            )
            self.repeater.wait_for("accepting clients at")

    def end_repeater(self, *, kill: bool) -> None:
        """End the repeater, at once or as an operator does."""
        if not kill:
            self.repeater.terminate()
        self.repeater.kill()
        self.repeater_output += self.repeater.output

    def stop(self) -> None:
        """End everything."""
        for engine in (self.initiator, self.acceptor):
            if hasattr(engine, "program"):
                engine.kill()
        if hasattr(self, "repeater"):
            self.end_repeater(kill=True)

    def go_on(self) -> None:
        """Let the initiator send the orders that are left."""
        first = self.initiator.last_order() + 1
        self.initiator.type(f"orders {first} {self.orders + 1 - first} {self.rate}")

    # -- what happens to them ------------------------------------------------------------------------------------

    def cut_initiator(self) -> None:
        """Close the initiator's connection."""
        self.initiator.type("cut")

    def rush(self) -> None:
        """Let the initiator send orders that nobody hears, because its connection is closed."""
        self.initiator.type("cut")
        self.initiator.type(f"rush {self.random.randint(1, 50)}")

    def cut_acceptor(self) -> None:
        """Close the acceptor's connection."""
        self.acceptor.type("cut")

    def kill_initiator(self) -> None:
        """Kill the initiator, and start it again."""
        self.initiator.kill()
        self.initiator.start()
        self.go_on()

    def kill_acceptor(self) -> None:
        """Kill the acceptor, and start it again."""
        self.acceptor.kill()
        self.acceptor.start()

    def kill_repeater(self) -> None:
        """Kill the repeater, and start it again."""
        self.end_repeater(kill=True)
        self.start_repeater()

    def restart_repeater(self) -> None:
        """End the repeater in good order, and start it again."""
        self.end_repeater(kill=False)
        self.start_repeater()

    def log_out(self) -> None:
        """End the session by a Logout, and begin it again."""
        self.initiator.type("logout")
        self.wait(lambda: not self.initiator.ask().is_logged_on)
        self.initiator.type("logon")

    def ask_initiator_again(self) -> None:
        """Let the acceptor ask for some messages again."""
        self.ask_again(self.acceptor)

    def ask_acceptor_again(self) -> None:
        """Let the initiator ask for some messages again."""
        self.ask_again(self.initiator)

    def ask_again(self, engine: Engine) -> None:
        """Let an engine ask for messages that it has."""
        state = engine.ask()
        if state.is_logged_on and state.target > 2:
            first = self.random.randint(max(1, state.target - 300), state.target - 1)
            last = self.random.randint(first, state.target - 1)
            engine.type(f"send 35=2|7={first}|16={last}")

    # -- the run -------------------------------------------------------------------------------------------------

    def run(self) -> str:
        """Do it all, and return what the judge says.

        Raises:
            AssertionError: something is lost, or wrong.
        """
        happenings: list[Callable[[], None]] = [self.cut_initiator, self.cut_acceptor, self.rush, self.kill_initiator]
        happenings += [self.kill_acceptor, self.log_out, self.ask_initiator_again, self.ask_acceptor_again]
        if not self.direct:
            happenings += [self.kill_repeater, self.kill_repeater, self.restart_repeater]
        bag: list[Callable[[], None]] = []
        try:
            self.start()
            self.wait(lambda: self.initiator.ask().is_logged_on)
            while self.initiator.ask().left:
                time.sleep(self.random.uniform(SHORTEST, self.peace))
                bag = bag or self.random.sample(happenings, len(happenings))
                happening = bag.pop()
                self.events.append(happening.__name__)
                happening()
            self.settle()
        finally:
            self.stop()
        return self.verdict()

    def verdict(self) -> str:
        """Return what the judge says of the logs."""
        judge = Judge(self.initiator, self.acceptor, self.orders, by_rules=not self.direct)
        assert "Traceback" not in self.repeater_output, self.repeater_output
        return judge.verdict(self.states, len(self.events))

    def settle(self) -> None:
        """Wait until the last message has arrived, and both engines have answered."""
        for engine in (self.initiator, self.acceptor):
            self.wait(partial(self.is_answered, engine))
        self.states = self.initiator.ask(), self.acceptor.ask()

    def is_answered(self, engine: Engine) -> bool:
        """Return whether an engine gets an answer, with nothing missing before it.

        Engines handle messages in the order of their numbers, so the answer comes after all that was sent before.
        """
        self.asked += 1
        engine.type(f"send 35=1|112=step {self.asked}")
        deadline = time.monotonic() + 1
        while time.monotonic() < deadline:
            answers = [line for line in engine.told("came", "0") if line.get(112) == f"step {self.asked}"]
            if answers and engine.ask().target > answers[0].number:
                return True
            time.sleep(PAUSE)
        return False

    def wait(self, condition: Callable[[], object]) -> None:
        """Wait until a condition holds."""
        deadline = time.monotonic() + LONGEST
        while not condition():
            assert time.monotonic() < deadline, f"in vain, after {self.events}\n{self.repeater_output}"
            time.sleep(PAUSE)


def main() -> None:
    """Run it as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=100_000)
    parser.add_argument("--rate", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--version", default="FIX.4.4")
    parser.add_argument("--direct", action="store_true")
    parser.add_argument("--keep", type=Path, help="a new directory, which stays")
    parser.add_argument("--peace", type=float, default=1.0)
    options = parser.parse_args()
    directory = options.keep or Path(tempfile.mkdtemp(prefix="soak-"))
    directory.mkdir(exist_ok=True)
    soak = Soak(
        directory,
        orders=options.orders,
        rate=options.rate,
        seed=options.seed,
        peace=options.peace,
        version=options.version,
        direct=options.direct,
    )
    try:
        sys.stdout.write(f"{soak.run()}\n")
    finally:
        sys.stdout.write(f"{soak.events}\n{directory}\n")


if __name__ == "__main__":
    main()
