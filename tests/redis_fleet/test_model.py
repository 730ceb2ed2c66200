"""A model of claims: whatever happens in whatever order, who holds a name.

The parts of a fleet and the engine are the real ones. Time is the test's; see `simulated`.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings, strategies
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from twisted_repeater.model import SameName
from twisted_repeater.redis_fleet._settings import NewcomersWithoutEngine, OnLeaseLost

from ..drawn import examples
from .engines import EngineCase
from .simulated import LEASE, Mode, World

DEBIAN_PACKAGES = "redis-server"
SITES = strategies.integers(0, 2)
JUMPS = [-3_600_000, -5_000, 5_000, 3_600_000]
KEYS = strategies.sampled_from(["a", "b"])


class Fleet(RuleBasedStateMachine):
    """Three nodes, whose processes, networks, clocks and engine do whatever they may."""

    path = ""
    world: World
    started = False

    @initialize(
        close=strategies.booleans(),
        alone=strategies.booleans(),
        same_name=strategies.sampled_from(SameName),
        rates=strategies.lists(strategies.sampled_from([0.9, 1.0, 1.1]), min_size=3, max_size=3),
    )
    def start(self, close: bool, alone: bool, same_name: SameName, rates: list[float]) -> None:
        """Start the nodes."""
        self.world = World(
            self.path,
            same_name,
            on_lease_lost=OnLeaseLost.CLOSE if close else OnLeaseLost.KEEP,
            newcomers=NewcomersWithoutEngine.ALONE if alone else NewcomersWithoutEngine.REFUSE,
        )
        self.exclusive = close and not alone and same_name is not SameName.SHARE
        self.kind = "shared:t:" if same_name is SameName.SHARE else "name:t:"
        self.names = 0
        self.started = True
        for rate in rates:
            self.add(rate)
        self.settle()

    def add(self, rate: float) -> None:
        """Start a node."""
        self.names += 1
        self.world.add(f"node {self.names}", rate)

    # -- clients ---------------------------------------------------------------------------------------------

    @rule(site=SITES, key=KEYS, timeout=strategies.sampled_from([0.5, 5.0, 20.0]), saves=strategies.booleans())
    def claim(self, site: int, key: str, timeout: float, saves: bool) -> None:
        """A client comes. The engine may write its data to a disk just before."""
        if saves:
            self.world.save()
        self.world.sites[site].claim(self.kind + key, timeout)

    @rule(site=SITES, key=KEYS)
    def release(self, site: int, key: str) -> None:
        """A client goes."""
        self.world.sites[site].release(self.kind + key)

    @rule(site=SITES)
    def cancel(self, site: int) -> None:
        """A client goes while it waits."""
        self.world.sites[site].cancel()

    @rule(site=SITES, key=KEYS)
    def comes_and_goes(self, site: int, key: str) -> None:
        """A client goes in the same moment in which another one comes."""
        here = self.world.sites[site]
        here.release(self.kind + key)
        here.claim(self.kind + key, 5.0)
        here.release(self.kind + key)

    # -- networks, nodes, time -------------------------------------------------------------------------------

    @rule(seconds=strategies.sampled_from([0.02, 0.3, 1.0, 3.0]))
    def tick(self, seconds: float) -> None:
        """Time passes."""
        self.world.tick(seconds)

    @rule(site=SITES, mode=strategies.sampled_from([Mode.FAST, Mode.SLOW, Mode.CUT]))
    def connect(self, site: int, mode: Mode) -> None:
        """The network of a node changes."""
        self.world.sites[site].mode = mode

    @rule(site=SITES, line=strategies.integers(0, 1))
    def step(self, site: int, line: int) -> None:
        """A message moves in a slow network."""
        here = self.world.sites[site]
        if here.mode is Mode.SLOW:
            here.lines[line].step()

    @rule(site=SITES, line=strategies.integers(0, 1))
    def lose(self, site: int, line: int) -> None:
        """A node loses a connection."""
        self.world.sites[site].lines[line].lose("lost")

    @rule()
    def late(self) -> None:
        """A command comes late."""
        self.world.come_late()

    @rule(site=SITES, leaves=strategies.booleans())
    def end(self, site: int, leaves: bool) -> None:
        """A node ends, and another one starts."""
        here = self.world.sites[site]
        if leaves:
            here.leave()
            self.world.tick(1.0)
        here.die()
        self.add(here.rate)

    # -- the engine ------------------------------------------------------------------------------------------

    @rule(event=strategies.sampled_from(["flush", "scripts", "restart", "empty", "saved", *JUMPS]))
    def engine(self, event: str | int) -> None:
        """Somebody sets the engine's clock, deletes data or scripts, or restarts it, with data or without."""
        world = self.world
        if isinstance(event, int):
            world.jump(event)
        elif event == "flush":
            world.raw("FLUSHALL")
            world.jump(0)
        elif event == "scripts":
            world.raw("SCRIPT", "FLUSH")
        else:
            world.restart(keep=event == "restart", saved=event == "saved")

    # -- promises --------------------------------------------------------------------------------------------

    def holders(self, key: str) -> list[int]:
        """Return which nodes have clients of a name."""
        return [number for number, site in enumerate(self.world.sites) if site.links[self.kind + key]]

    @invariant()
    def never_two(self) -> None:
        """With ``close``, a name is never at two nodes. Otherwise, never at two that the engine has heard of."""
        if not self.started:
            return
        self.world.flow()
        assert not self.world.failures, self.world.failures
        if self.kind == "name:t:":
            for key in "ab":
                holders = self.holders(key)
                if not self.exclusive:
                    holders = [each for each in holders if self.world.sites[each].is_well]
                assert len(holders) <= 1, (key, holders)

    @rule()
    def settle(self) -> None:
        """The networks are well for a lease: then the engine knows who holds which name."""
        world = self.world
        for site in world.sites:
            site.mode = Mode.FAST
        world.tick(2 * LEASE)
        for site in world.sites:
            assert site.is_well, [(line.problem, line.requests) for line in site.lines]
        living = {site.node.incarnation: number for number, site in enumerate(world.sites)}
        for key in "ab":
            waiting = {n for n, site in enumerate(world.sites) for name, _ in site.pending if name == self.kind + key}
            found = {living[each] for each in world.holders(self.kind + key) if each in living}
            assert found - waiting == set(self.holders(key)) - waiting, (key, found, self.holders(key))

    def teardown(self) -> None:
        """When all clients have gone, no name is held, and nothing of nodes that have gone is left."""
        if not self.started:
            return
        world = self.world
        try:
            self.settle()
            for site in world.sites:
                while site.pending:
                    site.cancel()
                for key in list(site.links):
                    site.close(key)
            world.tick(3 * LEASE)
            assert not world.names()
            for site in world.sites:
                assert not site.claims._names, site.claims._names
                assert not site.claims._questions._due
        finally:
            world.close()


class ModelTests(EngineCase):
    """What is promised, whatever happens."""

    def test_claims(self) -> None:
        """With ``close`` no name is ever held twice; otherwise not for longer than a lease with the engine."""
        engine = self.start_engine()
        machine = type("OfThisEngine", (Fleet,), {"path": engine.path})
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=examples(20),
                stateful_step_count=40,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
