"""One chaos from its beginning to the verdict."""

from __future__ import annotations

from .events import Events
from .world import Settings, World

__all__ = ["Chaos"]


class Chaos:
    """A world, what happens to it, and what is left at the end."""

    def __init__(self, settings: Settings, *, seconds: float, peace: float = 1.0) -> None:
        self.world = World(settings)
        self.events = Events(self.world, peace)
        self.seconds = seconds

    async def run(self) -> str:
        """Do it all, and return what the judge says.

        Raises:
            AssertionError: something has happened that must not.
        """
        world, judge = self.world, self.world.judge
        try:
            await world.start()
            await world.until(self.all_linked, self.missing)
            await self.events.run(self.seconds)
            await world.until(world.is_whole, lambda: f"no fleet: {[node.problem for node in world.nodes]}")
            await world.until(self.all_linked, self.missing)
            await world.until(lambda: not judge.doubled, lambda: f"still doubled: {judge.doubled}")
            await self.finish()
        except AssertionError as error:
            judge.fault("end", str(error))
        finally:
            await world.stop()
        return self.verdict()

    async def finish(self) -> None:
        """Let all clients go, and wait until their names are free."""
        world = self.world
        for client in world.clients:
            client.stay_away()
        await world.until(lambda: not world.judge.open, lambda: f"{len(world.judge.open)} names stay linked")
        if world.settings.fleet:
            await world.until(lambda: not world.claimed(), lambda: f"claims are left: {world.claimed()[:10]}")

    def all_linked(self) -> bool:
        """Return whether each name has a client that is linked."""
        return len(self.world.linked) == len(self.world.names)

    def missing(self) -> str:
        """Return which names have no link."""
        missing = sorted(self.world.names - set(self.world.linked))
        return f"{len(missing)} names are not linked: {missing[:10]}"

    def verdict(self) -> str:
        """Return what the judge says.

        Raises:
            AssertionError: something has happened that must not.
        """
        judge = self.world.judge
        judge.judge_names()
        judge.judge_drains()
        for node in self.world.nodes:
            if "Traceback" in node.output:
                judge.fault("log", f"{node.name} has logged an error, see its output")
        numbers = ", ".join(f"{count} {what}" for what, count in sorted(judge.counts.items()))
        if judge.faults:
            raise AssertionError("\n".join([f"{len(judge.faults)} faults; {numbers}", *judge.faults]))
        return f"ok: {len(self.events.told)} events; {numbers}"
