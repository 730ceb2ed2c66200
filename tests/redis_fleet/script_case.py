"""A test case with the scripts of a fleet, run by the real engine, whose time is told by the test."""

from __future__ import annotations

import secrets
from contextlib import closing
from typing import Any

import redis

from twisted_repeater.redis_fleet._scripts import CLAIMS, HOLDERS, JOIN, NODES, RENEW, Script

from .engines import EngineCase

__all__ = ["GAP", "KEPT", "LEASE", "RENEWED", "Member", "ScriptCase", "World"]

LEASE = 8000
"""For how many milliseconds a node trusts its lease."""
GAP = 4000
KEPT = LEASE + GAP
RENEWED = 2000


class World:
    """The engine's data, as scripts see them that read the time from the test."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.now = 1_000_000
        """The time in milliseconds, which passes evenly."""
        self.skew = 0
        """By how much the engine's clock is wrong."""
        self.run_id = "1"
        self._scripts: dict[Script, Any] = {}

    def ask(self, script: Script, keys: list[str], *arguments: Any) -> list[Any]:
        """Run a script."""
        self.client.set("time", self.now + self.skew)
        if script not in self._scripts:
            told = "(function() local t = tonumber(redis.call('GET', 'time')); "
            told += "return {math.floor(t / 1000), t % 1000 * 1000} end)()"
            self._scripts[script] = self.client.register_script(
                script._text.decode().replace("redis.call('TIME')", told)
            )
        prefixed = [f"{{f}}:{key}" for key in keys]
        answer: list[Any] = self._scripts[script](keys=prefixed, args=list(arguments))
        return answer


class Member:
    """A node, without a connection. It does what `_node` and `_claims` do."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.incarnation = ""
        self.epoch = b""
        self.valid_until = -1
        self.held: dict[str, tuple[int, int]] = {}
        """The names of its links: with the fence, and the time when the link was made."""

    def join(self, settings: str = "s", wait: int = KEPT) -> list[Any]:
        """Join."""
        sent, earlier, self.incarnation = self.world.now, self.incarnation, secrets.token_hex(6)
        new = secrets.token_hex(6)
        rest = (KEPT, GAP, settings, "{}", wait, earlier)
        keys = ["state", "nodes", "info", "names", "all"]
        answer = self.world.ask(JOIN, keys, self.world.run_id, new, self.incarnation, self.name, *rest)
        if answer[0] == b"ok":
            self.epoch, self.valid_until = answer[1], sent + LEASE
        return answer

    def as_member(self, script: Script, keys: list[str], *arguments: Any) -> list[Any]:
        """Run a script as a member."""
        return self.world.ask(script, ["state", "nodes", *keys], self.epoch, self.incarnation, *arguments)

    def renew(self, most: int = 10) -> list[Any]:
        """Renew the lease."""
        sent = self.world.now
        answer = self.as_member(RENEW, ["info", "names"], KEPT, "{}", most)
        if answer[0] == b"ok":
            self.valid_until = sent + LEASE
        return answer

    def claims(self, *words: Any) -> list[Any]:
        """Claim, or release."""
        answer = self.as_member(CLAIMS, [f"of:{self.incarnation}"], "{f}:", 1, *words)
        answers: list[Any] = answer[1] if answer[0] == b"ok" else [answer]
        return answers

    def claim(self, name: str, what: str = "claim", number: int = 0) -> Any:
        """Claim a name; return the answer."""
        return self.claims(what, f"name:r:{name}", number)[0]

    def nodes(self) -> set[bytes]:
        """Return the names of the nodes."""
        return {each[1] for each in self.as_member(NODES, ["names", "info"])[1]}

    def holders(self, name: str) -> list[bytes]:
        """Return the names of the nodes that have a name."""
        return sorted(self.as_member(HOLDERS, ["names", f"name:r:{name}", f"shared:r:{name}"])[1])


class ScriptCase(EngineCase):
    """A test case with scripts whose time is told by the test."""

    def setUp(self) -> None:
        """Start the engine."""
        super().setUp()
        client: Any = redis.Redis(unix_socket_path=self.start_engine().path)
        self.addCleanup(closing(client).__exit__, None, None, None)
        self.world = World(client)
        self.ann, self.bob = Member(self.world, "ann"), Member(self.world, "bob")

    def pass_time(self, milliseconds: int, *renewing: Member) -> None:
        """Let time pass, in which nodes renew their leases."""
        for _ in range(milliseconds // RENEWED):
            self.world.now += RENEWED
            for member in renewing:
                self.assertEqual(member.renew()[0], b"ok")
        self.world.now += milliseconds % RENEWED

    def join_both(self, wait: int = 0) -> None:
        """Let both nodes join."""
        for member in (self.ann, self.bob):
            self.assertEqual(member.join(wait=wait)[0], b"ok")
