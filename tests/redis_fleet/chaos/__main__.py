"""Run a chaos as the command line says."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.internet.task import react

from .run import Chaos
from .world import Settings


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.redis_fleet.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--clients", type=int, default=500)
    parser.add_argument("--rivals", type=int, help="by default a tenth of the clients")
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--policy", choices=("close", "keep"), default="close")
    parser.add_argument("--newcomers", choices=("refuse", "alone"), default="refuse")
    parser.add_argument("--same-name", choices=("refuse", "replace"), default="refuse")
    parser.add_argument("--lease", type=float, default=3.0)
    parser.add_argument("--pace", type=float, default=1.0)
    parser.add_argument("--peace", type=float, default=4.0, help="most seconds between two events")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--without-fleet", action="store_true")
    return parser.parse_args()


async def main(given: argparse.Namespace) -> None:
    """Run it."""
    directory = Path(tempfile.mkdtemp(prefix="chaos-"))
    settings = Settings(
        directory=directory,
        clients=given.clients,
        rivals=given.clients // 10 if given.rivals is None else given.rivals,
        nodes=given.nodes,
        fleet=not given.without_fleet,
        policy=given.policy,
        newcomers=given.newcomers,
        same_name=given.same_name,
        lease=given.lease,
        pace=given.pace,
        seed=given.seed,
    )
    chaos = Chaos(settings, seconds=given.minutes * 60, peace=given.peace)
    try:
        sys.stdout.write(f"{await chaos.run()}\n")
    except AssertionError as error:
        sys.stdout.write(f"{error}\n")
        raise SystemExit(1) from None
    finally:
        (directory / "events").write_text("".join(f"{line}\n" for line in chaos.events.told))
        for node in chaos.world.nodes:
            (directory / node.name).write_text(node.output)
        absences = sorted(chaos.world.judge.absences) or [0.0]
        sys.stdout.write(
            f"clients were without a link for {absences[len(absences) // 2]:.2f} s (median), "
            f"{absences[len(absences) * 99 // 100]:.2f} s (99 %), {absences[-1]:.2f} s (most)\n"
            f"after a trouble, names were linked twice for {max(chaos.world.judge.settled, default=0):.2f} s at most\n"
            f"{directory}\n"
        )


if __name__ == "__main__":
    react(lambda reactor: Deferred.fromCoroutine(main(options())))
