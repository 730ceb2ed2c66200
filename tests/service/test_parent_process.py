"""The parent as one of its processes sees it, with pipes in place of the parent."""

from __future__ import annotations

import os
from typing import Any

from twisted.internet import reactor as installed_reactor
from twisted.trial.unittest import TestCase

from twisted_repeater.service import parent_process
from twisted_repeater.service.parent_process import CHANNEL, ParentProcess, is_child

from ..peers import Seen, turn

reactor: Any = installed_reactor


class ParentTests(TestCase):
    """A parent that gives orders."""

    timeout = 60

    def setUp(self) -> None:
        """Make the pipes."""
        self.orders = Seen()
        orders, self.to_child = os.pipe()
        self.from_child, notices = os.pipe()
        os.set_blocking(self.from_child, False)
        self.ends = [orders, notices, self.to_child, self.from_child]
        for end in (orders, notices):
            os.set_inheritable(end, True)
        self.addCleanup(self.close_ends)
        self.patch(os, "environ", {CHANNEL: f"{orders},{notices}", "TWISTED_REPEATER_PROCESS": "2"})

    def close_ends(self) -> None:
        """Close the ends that nobody has closed."""
        for end in self.ends:
            os.close(end)

    def parent(self) -> ParentProcess:
        """Return the parent that the environment names."""
        found = ParentProcess.of_this_process()
        assert found is not None
        return found

    async def test_orders(self) -> None:
        """It obeys orders in their sequence, and tells what happens; when its parent ends, it drains."""
        parent = self.parent()
        parent.ready("runs")  # nobody listens yet
        parent.start(self.orders.append, reactor)
        del self.ends[:2]  # they are the transport's now
        os.write(self.to_child, b"reload\nro")
        os.write(self.to_child, b"tate\n")
        await self.orders.reach(2)
        self.assertEqual(list(self.orders), ["reload", "rotate"])
        parent.reloading()
        parent.ready("runs")
        parent.stopping("draining", 1.0)
        told = b""
        while told.count(b"\n") < 2:
            await turn()
            told += self.told()
        self.assertEqual(told, b"ready\nstopping\n")
        os.close(self.to_child)
        self.ends.remove(self.to_child)
        await self.orders.reach(3)
        self.assertEqual(self.orders[-1], "drain")
        parent.ready("runs")  # nobody listens any more

    def told(self) -> bytes:
        """Return what the parent was told."""
        try:
            return os.read(self.from_child, 1000)
        except BlockingIOError:
            return b""

    async def test_alive(self) -> None:
        """It says now and then that it lives, however often it is asked."""
        parent = self.parent()
        parent.start(self.orders.append, reactor)
        del self.ends[:2]
        for _ in range(3):
            parent.alive()
        self.patch(parent_process, "ALIVE_EVERY", 0.0)
        parent.alive()
        told = b""
        while told.count(b"\n") < 2:
            await turn()
            told += self.told()
        self.assertEqual(told, b"alive\nalive\n")
        os.close(self.to_child)
        self.ends.remove(self.to_child)
        await self.orders.reach(1)

    def test_environment(self) -> None:
        """The environment names it once, and its pipes are not passed on to other programs."""
        self.assertTrue(is_child())
        self.assertEqual((self.parent().number, is_child()), ("2", False))
        self.assertFalse(any(map(os.get_inheritable, self.ends)))
        self.assertIs(ParentProcess.of_this_process(), None)
