"""The file descriptors of a process: how its repeaters share them, and how they do without."""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import resource
import socket
from types import SimpleNamespace
from typing import Any

from twisted.internet.selectreactor import SelectReactor
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import Limits, Repeater, ServerUnreachable, dialects
from twisted_repeater._sockets import descriptors as descriptors
from twisted_repeater._sockets.descriptors import (
    AT_ONCE,
    FEWEST,
    RESERVE,
    Claim,
    claim,
    guard_port,
    raise_soft_limit,
    usable,
)
from twisted_repeater._sockets.valve import Valve

from ..peers import REPEATER_NAME, SERVER_NAME, PeerCase, StoppedTime, hello, reactor, turn


def set_soft_limit(limit: int) -> None:
    """Let the process have so many descriptors."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))


def allow_no_more() -> None:
    """Let the process have those that are open, and no other."""
    lowest_free = os.dup(0)
    os.close(lowest_free)
    set_soft_limit(lowest_free)


class LimitCase(SynchronousTestCase):
    """A test case after which the process has the limits and claims that it had before."""

    def setUp(self) -> None:
        """Keep them."""
        self.addCleanup(set_soft_limit, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        gc.collect()  # repeaters of other tests, that were never shut down
        self.patch(descriptors, "_claims", type(descriptors._claims)())


class SoftLimitTests(LimitCase):
    """The limits of the process."""

    def raised(self, on: Any = reactor) -> list[str]:
        """Raise the soft limit, and return the log."""
        with capturedLogs() as captured:
            raise_soft_limit(on)
        return [formatEvent(event) for event in captured]

    def test_raised(self) -> None:
        """The soft limit is raised to the hard one, and that is logged, once."""
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        set_soft_limit(900)
        self.assertEqual(usable(reactor), min(900, usable(reactor)))
        self.assertEqual(self.raised(), [f"the soft limit of file descriptors is raised from 900 to {hard}"])
        self.assertEqual(resource.getrlimit(resource.RLIMIT_NOFILE), (hard, hard))
        self.assertEqual(self.raised(), [])

    def test_select(self) -> None:
        """With a reactor that calls select() it is raised to what that can watch, and never lowered."""
        select = SelectReactor.__new__(SelectReactor)
        set_soft_limit(900)
        self.assertEqual(usable(select), 900)
        self.assertEqual(self.raised(select), ["the soft limit of file descriptors is raised from 900 to 1024"])
        if resource.getrlimit(resource.RLIMIT_NOFILE)[1] > 1024:
            set_soft_limit(1025)
        self.assertEqual((self.raised(select), usable(select)), ([], 1024))

    def test_cannot_be_raised(self) -> None:
        """Where the system allows less than it says, the limit stays, and that is logged."""

        def refused(which: int, limits: tuple[int, int]) -> None:
            raise ValueError("not that many")

        limit = SimpleNamespace(getrlimit=lambda which: (256, -1), setrlimit=refused, RLIMIT_NOFILE=7, RLIM_INFINITY=-1)
        self.patch(descriptors, "resource", limit)
        self.assertEqual(self.raised(), ["the soft limit of 256 file descriptors stays as it is: not that many"])

    def test_no_limit(self) -> None:
        """Without a limit, or without a system that has one, the defaults stay."""
        unlimited = SimpleNamespace(getrlimit=lambda which: (-1, -1), RLIMIT_NOFILE=7, RLIM_INFINITY=-1)
        for system in (unlimited, None):
            self.patch(descriptors, "resource", system)
            self.assertEqual(self.raised(), [])
            taken = claim(Limits(), reactor)
            self.assertEqual((taken.limits.max_clients, taken.limits.max_unfinished_hellos), (500, 500))
            claim(Limits(max_clients=10**6), reactor)

    def test_open_files_unknown(self) -> None:
        """Where the system does not tell how many files are open, none are taken off."""

        def nowhere(directory: str) -> list[str]:
            raise FileNotFoundError(directory)

        self.assertGreater(descriptors.open_now(), 2)
        self.patch(os, "listdir", nowhere)
        self.assertEqual(descriptors.open_now(), 0)


class ClaimTests(LimitCase):
    """Who has how many."""

    def setUp(self) -> None:
        """Let there be few."""
        super().setUp()
        self.free = 0

    def have(self, free: int) -> None:
        """Let there be so many descriptors, in addition to those that are open and to the reserve."""
        self.free = free
        set_soft_limit(free + RESERVE + descriptors.open_now())

    def claim(self, **asked: Any) -> Claim:
        """Take a share."""
        return claim(Limits(**asked), reactor)

    def shares(self, *claims: Claim) -> list[tuple[int, int]]:
        """Return the limits of each; together they need nearly all descriptors, and not more."""
        shares = [(one.limits.max_clients, one.limits.max_unfinished_hellos) for one in claims]
        needed = sum(2 * clients + hellos + 1 for clients, hellos in shares)
        self.assertLessEqual(needed, self.free)
        self.assertGreater(needed, self.free - 3 * len(claims))
        return shares

    def test_enough(self) -> None:
        """Where there are enough, each limit is its default, and nothing is logged."""
        self.have(1501)
        with capturedLogs() as captured:
            self.assertEqual(self.shares(self.claim()), [(500, 500)])
        self.assertEqual(captured, [])

    def test_too_few_for_the_defaults(self) -> None:
        """Where there aren't, both defaults are lowered alike, and the log says so."""
        self.have(301)
        with capturedLogs() as captured:
            self.assertEqual(self.shares(self.claim()), [(100, 100)])
        (line,) = [formatEvent(event) for event in captured]
        self.assertRegex(line, r"for \d+ file descriptors, max_clients is 100, max_unfinished_hellos is 100")

    def test_one_asked_for(self) -> None:
        """A limit that was asked for is kept; the other one gets the rest, and never more than its default."""
        self.have(301)
        self.assertEqual(self.shares(self.claim(max_clients=140)), [(140, 20)])
        self.claim_nothing()
        self.assertEqual(self.shares(self.claim(max_unfinished_hellos=60)), [(120, 60)])
        self.claim_nothing()
        self.have(2000)
        roomy = self.claim(max_clients=600).limits
        self.assertEqual((roomy.max_clients, roomy.max_unfinished_hellos), (600, 500))

    def claim_nothing(self) -> None:
        """Return everything back."""
        for one in list(descriptors._claims):
            one.give_back()

    def test_asked_for_too_many(self) -> None:
        """Limits that were asked for and do not fit are refused; those of others stay."""
        self.have(301)
        for asked, told in (
            ({"max_clients": 146}, "max_clients=146 needs 303 file descriptors"),
            ({"max_unfinished_hellos": 281}, "max_unfinished_hellos=281 needs 302 file descriptors"),
            (
                {"max_clients": 100, "max_unfinished_hellos": 101},
                "max_clients=100 and max_unfinished_hellos=101 needs 302 file descriptors",
            ),
        ):
            error = self.assertRaises(ValueError, self.claim, **asked)
            self.assertTrue(str(error).startswith(told), str(error))
            self.assertTrue(str(error).endswith(" 301 are left for that"), str(error))
        self.assertEqual(len(descriptors._claims), 0)
        self.claim(max_clients=100, max_unfinished_hellos=100)

    def test_shared(self) -> None:
        """Two repeaters have half each; when one ends the other has all again."""
        self.have(602)
        first = self.claim()
        self.assertEqual(self.shares(first), [(200, 200)])
        second = self.claim()
        self.assertEqual(self.shares(first, second), [(100, 100), (100, 100)])
        second.give_back()
        second.give_back()
        self.assertEqual(self.shares(first), [(200, 200)])

    def test_shared_with_one_that_asks(self) -> None:
        """Defaults give way to limits that another asks for, down to a minimum; limits that were asked for do not."""
        self.have(302)
        first = self.claim()
        second = self.claim(max_clients=100)
        self.assertEqual(self.shares(first, second), [(25, 25), (100, 25)])
        self.assertRaises(ValueError, self.claim, max_clients=50)
        first.give_back()
        third = self.claim(max_clients=30, max_unfinished_hellos=10)
        self.assertEqual(self.shares(second, third), [(100, 30), (30, 10)])

    def test_next_to_none(self) -> None:
        """A repeater of defaults starts all the same; the log says how few it may have."""
        set_soft_limit(RESERVE)
        lowest = self.claim().limits
        self.assertEqual((lowest.max_clients, lowest.max_unfinished_hellos), (FEWEST, FEWEST))

    def test_forgotten(self) -> None:
        """A repeater that nobody has any more needs nothing."""
        self.have(602)
        self.claim()
        gc.collect()
        self.assertEqual(self.shares(self.claim()), [(200, 200)])


class RepeaterTests(PeerCase):
    """Repeaters on sockets."""

    def setUp(self) -> None:
        """Have the same limits and claims after the test."""
        LimitCase.setUp(self)  # type: ignore[arg-type]

    async def create(self, **settings: Any) -> Repeater:
        """Make a repeater."""
        return await Repeater.create(
            dialects.int32(),
            repeater_name=REPEATER_NAME,
            server_name=SERVER_NAME,
            is_client_allowed=bool,
            listen="tcp:0:interface=127.0.0.1",
            server="tcp:127.0.0.1:1",
            **settings,
        )

    async def test_effective_limits(self) -> None:
        """A repeater tells the limits that hold; they hold for its clients, and come back when another ends."""
        set_soft_limit(RESERVE + descriptors.open_now() + 1550)
        first = await self.create(limits=Limits(linger=7.0))
        self.addCleanup(first.shutdown)
        limits = first.limits
        self.assertEqual((limits.linger, limits.max_clients, limits.max_unfinished_frames), (7.0, 500, 256 << 20))
        set_soft_limit(RESERVE + descriptors.open_now() + 301)
        second = await self.create()
        self.assertLess(first.limits.max_clients or 0, 60)
        self.assertEqual(first.limits.max_clients, second.limits.max_clients)
        await second.shutdown()
        self.assertGreater(first.limits.max_clients or 0, 90)

    async def test_do_not_fit(self) -> None:
        """Limits that do not fit fail `Repeater.create`; whatever fails it, its share is given back."""
        error = await self.assertFailure(self.failing(limits=Limits(max_clients=10**8)), ValueError)
        self.assertIn("max_clients=100000000 needs 200000011 file descriptors", str(error))
        repeater = await self.create()
        self.addCleanup(repeater.shutdown)
        before = len(descriptors._claims)
        await self.assertFailure(self.failing(listen=f"tcp:{repeater.port}:interface=127.0.0.1"), Exception)
        self.assertEqual((before, len(descriptors._claims)), (1, 1))

    def failing(self, listen: str = "tcp:0:interface=127.0.0.1", **settings: Any) -> Any:
        """Try to make a repeater."""
        return Repeater.create(
            dialects.int32(),
            repeater_name=REPEATER_NAME,
            server_name=SERVER_NAME,
            is_client_allowed=bool,
            listen=listen,
            server="tcp:127.0.0.1:1",
            **settings,
        )

    async def test_out_of_descriptors(self) -> None:
        """With none left nobody is accepted for a second, and then it is tried again; the log has one line of that."""
        await turn()  # trial's reactor needs some of its own when it begins to run
        time = StoppedTime()
        world = await self.world(reactor=time)
        port: Any = world.repeater._listening._port
        tries: list[None] = []
        accept, before = port.doRead, resource.getrlimit(resource.RLIMIT_NOFILE)[0]

        def counted() -> Any:
            tries.append(None)
            return accept()

        port.doRead = counted
        with socket.socket() as client, capturedLogs() as captured:
            allow_no_more()
            try:
                client.connect(("127.0.0.1", world.repeater.port))
                client.sendall(hello("ann"))
                await turn(20)
                self.assertEqual(len(tries), 1)
                time.clock.advance(1)
                await turn(20)
                self.assertEqual(len(tries), 2)
            finally:
                set_soft_limit(before)
            time.clock.advance(1)
            await world.server.peers.reach(1)
            lines = [formatEvent(event) for event in captured if "descriptor" in str(formatEvent(event))]
        told = (
            "no client can be accepted: [Errno 24] Too many open files; newcomers wait until some descriptors are free"
        )
        self.assertEqual(lines, [told])
        await world.server.peers[0].lost()

    async def test_shutdown_meanwhile(self) -> None:
        """A repeater that accepts nobody because of that can be shut down; nothing of it stays behind."""
        await turn()  # trial's reactor needs some of its own when it begins to run
        time = StoppedTime()
        world = await self.world(reactor=time)
        before = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        with socket.socket() as client:
            allow_no_more()
            try:
                client.connect(("127.0.0.1", world.repeater.port))
                await turn(10)
            finally:
                set_soft_limit(before)
            self.assertEqual(len(time.clock.getDelayedCalls()), 1)
            await world.repeater.shutdown()
        self.assertEqual(time.clock.getDelayedCalls(), [])

    async def test_crowd(self) -> None:
        """A client is heard that comes at the same moment as more silent connections than may be without a hello."""
        await turn()
        world = await self.world(limits=Limits(max_unfinished_hellos=3 * AT_ONCE))
        with contextlib.ExitStack() as crowd:
            for number in range(6 * AT_ONCE):  # all of them wait in the listen queue: the reactor has no turn meanwhile
                one = crowd.enter_context(socket.create_connection(("127.0.0.1", world.repeater.port)))
                if number == 0:
                    one.sendall(hello("ann"))
            await world.server.peers.reach(1)

    async def test_none_for_the_server(self) -> None:
        """If no descriptor is left to connect to the server, the client is refused, and the error says why."""
        await turn()
        before = resource.getrlimit(resource.RLIMIT_NOFILE)[0]

        def is_client_allowed(name: str) -> bool:
            allow_no_more()
            return True

        async def refusal(**settings: Any) -> Any:
            world = await self.world(
                is_client_allowed=is_client_allowed,
                on_connecting_error=lambda *arguments: set_soft_limit(before),
                **settings,
            )
            client = await world.connect(hello("ann"))
            await client.lost()
            return world.refusal

        for settings in ({}, {"server_ip": "127.0.0.1", "server_port": 1, "server": None}):
            error = await refusal(**settings)
            self.assertIsInstance(error, ServerUnreachable)
            self.assertIn("Too many open files", str(error))


class GuardTests(SynchronousTestCase):
    """The socket of a port."""

    def guard(self, *answers: Any) -> Any:
        """Guard a port whose socket gives these answers."""
        self.clock = Clock()
        self.producer = StringTransport()
        self.port = SimpleNamespace(socket=Listening(answers))
        return guard_port(self.port, Valve(self.producer), self.clock)

    def test_clients(self) -> None:
        """Clients are accepted; whatever else is asked of the socket goes to it."""
        guard = self.guard("a client")
        self.assertIs(self.port.socket, guard)
        self.assertEqual((guard.accept(), guard.fileno()), ("a client", 7))
        self.assertRaises(BlockingIOError, guard.accept)
        self.assertEqual(self.producer.producerState, "producing")

    def test_in_a_row(self) -> None:
        """So many clients are accepted at once; the next wait for the next turn, and are not forgotten."""
        guard = self.guard(*range(2 * AT_ONCE), None, *range(AT_ONCE))
        for _ in range(2):
            for _ in range(AT_ONCE):
                guard.accept()
            self.assertRaises(BlockingIOError, guard.accept)
        self.assertRaises(BlockingIOError, guard.accept)  # nobody waits: what follows is a new crowd
        self.assertEqual([guard.accept() for _ in range(AT_ONCE)], list(range(AT_ONCE)))
        self.assertRaises(BlockingIOError, guard.accept)
        self.assertEqual(self.producer.producerState, "producing")

    def test_other_errors(self) -> None:
        """Other errors are Twisted's to deal with."""
        guard = self.guard(ConnectionAbortedError(errno.ECONNABORTED, "gone"))
        self.assertRaises(ConnectionAbortedError, guard.accept)
        self.assertEqual(self.producer.producerState, "producing")

    def test_again_and_again(self) -> None:
        """A line is logged when descriptors run out, and not again until all who waited were accepted."""
        out = OSError(errno.EMFILE, "out")
        guard = self.guard("one", out, out, "two", out, "three", None, out)
        with capturedLogs() as captured:
            for _ in range(8):
                with contextlib.suppress(BlockingIOError):
                    guard.accept()
                self.clock.advance(1)
                self.assertEqual(self.producer.producerState, "producing")
        self.assertEqual(len(captured), 2)

    def test_twice_in_a_turn(self) -> None:
        """A port that goes on to accept, though nobody is to be accepted for a while, waits no longer for it."""
        out = OSError(errno.EMFILE, "out")
        guard = self.guard(out, out)
        for _ in range(2):
            self.assertRaises(BlockingIOError, guard.accept)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.assertEqual(self.producer.producerState, "paused")

    def test_a_port_of_another_kind(self) -> None:
        """A port without a socket stays as it is."""
        self.assertIsNone(guard_port(SimpleNamespace(), Valve(StringTransport()), Clock()))


class Listening:
    """A socket that gives answers."""

    def __init__(self, answers: tuple[Any, ...]) -> None:
        self._answers = list(answers)

    def fileno(self) -> int:
        """See `socket.socket`."""
        return 7

    def accept(self) -> Any:
        """See `socket.socket`. With no answer nobody waits."""
        answer = self._answers.pop(0) if self._answers else None
        if answer is None:
            raise BlockingIOError(errno.EAGAIN, "nobody")
        if isinstance(answer, OSError):
            raise answer
        return answer
