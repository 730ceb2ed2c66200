"""Tests of ``link.identify``: a link gets a name while messages are relayed."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.defer import fail as failed
from twisted.logger import capturedLogs, formatEvent
from zope.interface import implementer

from twisted_repeater import DO_NOTHING, IIdentityObserver, Limits, SameName, dialects
from twisted_repeater._link.link import pair_of
from twisted_repeater.errors import (
    ClientGone,
    ClientNotAllowed,
    DuplicateClient,
    RefusedByApplication,
    Replaced,
)

from ..peers import hello, keep, turn
from ..unprintable import BrokenBool
from .links import LinkCase, messages
from .memory_case import MemoryCase


@implementer(IIdentityObserver)
class Observer:
    """Notes who is known by another name."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    def link_identified(self, link: Any, old_name: str) -> None:
        """See `IIdentityObserver`."""
        self.told.append((old_name, link.client_name))

    link_made = link_refused = link_ended = link_error = relayed = keep


class Silent:
    """An observer that knows nothing of names."""

    link_made = link_refused = link_ended = link_error = relayed = keep


class IdentifyCase(MemoryCase):
    """A test case with a repeater in memory, and a link of ann."""

    same_name = SameName.REFUSE

    def setUp(self) -> None:
        """Make them. Whoever is asked for is allowed, unless ``answers`` has something else to say."""
        super().setUp()
        self.answers: dict[str, Any] = {}
        self.asked: list[str] = []
        self.verdict: Any = Deferred()
        self.observer = Observer()
        self.running = self.memory(
            dialect=dialects.int32().changed(same_name=self.same_name),
            is_client_allowed=self.is_client_allowed,
            observers=(Silent(), self.observer),
            to_server_filter=lambda message, link: self.verdict,
        )
        self.client, self.server = self.running.linked("ann")
        self.ann = self.running.link("ann")
        self.asked.clear()

    def is_client_allowed(self, name: str) -> Any:
        """Answer as the test says."""
        self.asked.append(name)
        answer = self.answers.get(name, True)
        return answer() if callable(answer) else answer

    def holders(self, *names: str) -> list[list[int]]:
        """Return the numbers of the links of each name, also those that are still being made."""
        return [[pair.id for pair in self.running.factory.admission.names.of(name)] for name in names]

    def keeps(self, done: Deferred[None], kind: type[Exception], name: str = "ann") -> Any:
        """Check that the name stays because of an error; return the error."""
        error = self.failureResultOf(done, kind).value
        self.assertEqual((self.ann.client_name, self.observer.told), (name, []))
        self.assertEqual(self.holders("ann"), [[self.ann.id]])
        return error


class IdentifyTests(IdentifyCase):
    """The link gets the name, or keeps the old one."""

    def test_named(self) -> None:
        """The old name is free, the new one is taken, and observers that care are told."""
        self.successResultOf(self.ann.identify("bob"))
        self.assertEqual((self.ann.client_name, self.asked), ("bob", ["bob"]))
        self.assertEqual((self.holders("ann", "bob"), self.observer.told), ([[], [1]], [("ann", "bob")]))
        self.assertEqual(self.running.repeater.active_clients(), ["bob"])
        self.running.linked("ann")
        self.running.connect("bob")
        self.assertEqual(self.running.calls.refusals, [("bob", DuplicateClient)])
        self.client.close()
        self.ann.close()
        self.running.linked("bob")

    def test_same_name(self) -> None:
        """The name that it has is granted at once, and nobody is asked."""
        self.successResultOf(self.ann.identify("ann"))
        self.assertEqual((self.asked, self.observer.told), ([], []))

    def test_label(self) -> None:
        """A client may say the name that it was labelled by: it is asked about, and claimed."""
        pair = pair_of(self.ann)
        pair.client_name = label = self.running.factory.admission.take_label(pair)
        self.successResultOf(self.ann.identify(label))
        self.assertEqual((self.asked, self.holders(label)), ([label], [[1]]))
        self.assertFalse(self.running.factory.admission.names.is_labelled(pair))

    def test_not_allowed(self) -> None:
        """``is_client_allowed`` says no, at once or later."""
        self.answers["bob"] = False
        self.keeps(self.ann.identify("bob"), ClientNotAllowed)
        self.answers["bob"] = answer = Deferred[bool]()
        done = self.ann.identify("bob")
        self.assertNoResult(done)
        answer.callback(False)
        self.keeps(done, ClientNotAllowed)
        self.assertEqual(self.holders("bob"), [[]])

    def test_raises(self) -> None:
        """It may raise, or give an answer that is neither true nor false, or raise a `ConnectingError` of its own."""

        def leave() -> None:
            raise SystemExit(3)

        self.answers["bob"] = leave
        self.assertEqual(str(self.keeps(self.ann.identify("bob"), RefusedByApplication)), "SystemExit: 3")
        self.answers["bob"] = BrokenBool()
        self.keeps(self.ann.identify("bob"), RefusedByApplication)
        self.answers["bob"] = failed(DuplicateClient("elsewhere"))
        self.keeps(self.ann.identify("bob"), DuplicateClient)

    def test_coroutine(self) -> None:
        """It may be a coroutine."""

        async def allowed() -> bool:
            return True

        self.answers["bob"] = allowed
        self.successResultOf(self.ann.identify("bob"))

    def test_late_answer(self) -> None:
        """All must be done within ``hello_timeout``; an answer that comes later counts no more."""
        self.answers["bob"] = answer = Deferred[bool]()
        done = self.ann.identify("bob")
        self.running.advance(9.9)
        self.assertNoResult(done)
        self.running.advance(0.1)
        error = self.keeps(done, RefusedByApplication)
        self.assertEqual(str(error), "no answer of the application in time")
        answer.callback(True)
        self.assertEqual((self.ann.client_name, self.holders("bob")), ("ann", [[]]))

    def test_stubborn_answer(self) -> None:
        """An answer that cannot be cancelled, or that fails then, is logged and harms nothing."""

        def refuse(_: object) -> None:
            raise ValueError("never")

        self.answers["bob"] = Deferred[bool](refuse)
        done = self.ann.identify("bob")
        self.running.advance(10)
        self.keeps(done, RefusedByApplication)
        self.answers["bob"] = Deferred[bool](lambda answer: answer.errback(KeyError("bob")))
        done = self.ann.identify("bob")
        self.running.advance(10)
        self.keeps(done, RefusedByApplication)
        self.answers["bob"] = Deferred[bool](lambda answer: answer.callback(True))
        done = self.ann.identify("bob")
        self.running.advance(10)
        self.keeps(done, RefusedByApplication)
        self.assertEqual([len(self.flushLoggedErrors(kind)) for kind in (ValueError, RefusedByApplication)], [1, 1])

    def test_canceller(self) -> None:
        """What the application does when its answer is cancelled harms nothing; Ctrl-C goes through."""
        done: Deferred[None]
        self.answers["bob"] = Deferred[bool](lambda answer: done.cancel())
        done = self.ann.identify("bob")
        done.cancel()
        self.failureResultOf(done, CancelledError)

        def interrupt(_: object) -> None:
            raise KeyboardInterrupt

        self.answers["bob"] = Deferred[bool](interrupt)
        done = self.ann.identify("bob")
        done.addErrback(lambda failure: None)
        self.assertRaises(KeyboardInterrupt, self.running.advance, 10)

    def test_again_from_an_observer(self) -> None:
        """An observer may make a later call, which counts."""

        def identified(link: Any, old_name: str) -> None:
            self.observer.told.append((old_name, link.client_name))
            if link.client_name == "bob":
                self.successResultOf(link.identify("carol"))

        self.observer.link_identified = identified  # type: ignore[method-assign]
        self.failureResultOf(self.ann.identify("bob"), Replaced)
        self.assertEqual((self.ann.client_name, self.holders("bob", "carol")), ("carol", [[], [1]]))
        self.assertEqual(self.observer.told, [("ann", "bob"), ("bob", "carol")])

    def test_taken(self) -> None:
        """A name that another client has is refused."""
        self.running.linked("bob")
        self.keeps(self.ann.identify("bob"), DuplicateClient)
        self.assertEqual(self.holders("bob"), [[2]])

    def test_taken_by_an_attempt(self) -> None:
        """So it is while the other link is still being made."""
        self.running.server.hello = None
        self.running.connect("bob")
        self.keeps(self.ann.identify("bob"), DuplicateClient)

    def test_waits_for_an_ending_link(self) -> None:
        """If the other link is ending, it waits, together within ``hello_timeout``."""
        bob, _ = self.running.linked("bob")
        bob.send(b"waits for its verdict, which holds the end of the link up")
        self.answers["bob"] = answer = Deferred[bool]()
        done = self.ann.identify("bob")
        self.running.advance(8)
        self.running.link("bob").close()
        answer.callback(True)
        self.assertNoResult(done)
        self.running.advance(1)
        self.verdict.callback(DO_NOTHING)
        self.running.settle()
        self.successResultOf(done)
        self.assertEqual((self.ann.client_name, self.holders("bob")), ("bob", [[1]]))

    def test_again(self) -> None:
        """Of two calls the later counts: the earlier fails, and its answer no longer matters."""
        self.answers["bob"] = answer = Deferred[bool]()
        earlier = self.ann.identify("bob")
        self.successResultOf(self.ann.identify("carol"))
        error = self.failureResultOf(earlier, Replaced).value
        self.assertEqual(str(error), "the link was identified again, as 'carol'")
        answer.callback(True)
        self.assertEqual((self.ann.client_name, self.holders("ann", "bob", "carol")), ("carol", [[], [], [1]]))

    def test_again_from_the_callback(self) -> None:
        """So it does when ``is_client_allowed`` itself makes the later call, and fails after that."""

        def again() -> bool:
            self.successResultOf(self.ann.identify("carol"))
            raise ValueError("too late")

        self.answers["bob"] = again
        self.failureResultOf(self.ann.identify("bob"), Replaced)
        self.assertEqual(self.ann.client_name, "carol")
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_cancelled(self) -> None:
        """A caller may cancel it."""
        self.answers["bob"] = Deferred()
        done = self.ann.identify("bob")
        done.cancel()
        self.failureResultOf(done, CancelledError)
        self.assertEqual(self.ann.client_name, "ann")

    def test_link_ends(self) -> None:
        """A link that ends meanwhile gets no name, and leaves nothing."""
        self.answers["bob"] = answer = Deferred[bool]()
        done = self.ann.identify("bob")
        self.ann.close()
        self.running.settle()
        error = self.failureResultOf(done, ClientGone).value
        self.assertEqual(str(error), "the link ended before it got the name")
        answer.callback(True)
        self.assertEqual(self.holders("ann", "bob"), [[], []])

    def test_link_closes_in_the_callback(self) -> None:
        """Nor does one that ``is_client_allowed`` closes."""
        self.server.keeps_open = True

        def close() -> bool:
            self.ann.close()
            return True

        self.answers["bob"] = close
        error = self.failureResultOf(self.ann.identify("bob"), ClientGone).value
        self.assertEqual(str(error), "the link closes, so it cannot get the name 'bob'")
        error = self.failureResultOf(self.ann.identify("bob"), ClientGone).value
        self.assertEqual(str(error), "the link closes, so it cannot get the name 'bob'")
        self.server.close()
        self.running.settle()
        error = self.failureResultOf(self.ann.identify("bob"), ClientGone).value
        self.assertEqual(str(error), "the link is over, so it cannot get the name 'bob'")

    def test_wrong_calls(self) -> None:
        """A name must be text, and the link must be made."""
        with self.assertRaisesRegex(TypeError, "name must be a str, not b'bob'"):
            self.ann.identify(b"bob")  # type: ignore[arg-type]
        errors: list[RuntimeError] = []

        def on_connect(link: Any) -> None:
            try:
                link.identify("bob")
            except RuntimeError as error:
                errors.append(error)

        self.memory(on_connect=on_connect).linked("ann")
        self.assertIn("the link is not made yet", str(errors[0]))

    def test_observer_raises(self) -> None:
        """An observer that raises changes nothing."""
        self.observer.link_identified = lambda link, old_name: 1 / 0  # type: ignore[method-assign,assignment]
        self.successResultOf(self.ann.identify("bob"))
        self.assertEqual((self.ann.client_name, len(self.flushLoggedErrors(ZeroDivisionError))), ("bob", 1))


class ReplaceTests(IdentifyCase):
    """A name that is learned later is taken over, too."""

    same_name = SameName.REPLACE

    def test_takes_over(self) -> None:
        """The other link is closed; this one gets its name when it is over, and never replaces itself."""
        bob, _ = self.running.linked("bob")
        done = self.ann.identify("bob")
        self.running.settle()
        self.successResultOf(done)
        self.successResultOf(self.ann.identify("bob"))
        self.assertEqual((bob.open, self.client.open, self.holders("bob")), (False, True, [[1]]))

    def test_takes_over_an_attempt(self) -> None:
        """So is a link that is still being made."""
        self.running.server.hello = None
        bob = self.running.connect("bob")
        done = self.ann.identify("bob")
        self.running.settle()
        self.successResultOf(done)
        self.assertEqual((bob.open, self.running.calls.refusals), (False, [("bob", Replaced)]))

    def test_loses_against_a_newcomer(self) -> None:
        """A newcomer that says the name later gets it; the link keeps its old one, and goes on."""
        bob, _ = self.running.linked("bob")
        bob.send(b"waits for its verdict, which holds the end of the link up")
        done = self.ann.identify("bob")
        newcomer = self.running.connect("bob")
        self.keeps(done, Replaced)
        self.verdict.callback(DO_NOTHING)
        self.running.settle()
        self.assertEqual((self.client.open, newcomer.open, self.holders("bob")), (True, True, [[3]]))

    def test_not_in_time(self) -> None:
        """If the other link does not end in time, this one keeps its name."""
        world = self.memory(
            dialect=dialects.int32().changed(same_name=SameName.REPLACE),
            limits=Limits(close_timeout=20, hello_timeout=3, linger=30),
            to_server_filter=lambda message, link: Deferred(),
        )
        ann, bob = world.linked("ann")[0], world.linked("bob")[0]
        bob.send(b"waits for its verdict")
        done = world.link("ann").identify("bob")
        world.advance(3)
        self.failureResultOf(done, DuplicateClient)
        self.assertTrue(ann.open)


class ShareTests(IdentifyCase):
    """Names are shared."""

    same_name = SameName.SHARE

    def test_joins(self) -> None:
        """The link joins those of the name, and leaves those of the old one."""
        self.running.linked("ann")
        self.running.linked("bob")
        self.successResultOf(self.ann.identify("bob"))
        self.assertEqual(self.holders("ann", "bob"), [[2], [1, 3]])
        self.successResultOf(self.ann.identify("bob"))
        self.assertEqual(self.holders("bob"), [[1, 3]])


class FilterTests(LinkCase):
    """A filter identifies its client, on real sockets."""

    async def test_login(self) -> None:
        """What the client sends behind its login waits until it has its name, and is filtered by it."""
        seen = []
        allowed: Deferred[bool] = Deferred()

        async def login(message: bytes, link: Any) -> Any:
            seen.append((link.client_name, message))
            if message.startswith(b"login "):
                await link.identify(message[6:].decode())
            return DO_NOTHING

        await self.link(
            to_server_filter=login, is_client_allowed=lambda name: allowed.called or name == "ann" or allowed
        )
        self.client.send(b"login bob", b"then")
        await self.until(lambda: seen)
        await turn(10)
        self.assertEqual(seen, [("ann", b"login bob")])
        allowed.callback(True)
        await self.until(lambda: len(seen) == 2)
        self.assertEqual(seen[1], ("bob", b"then"))
        await self.here.linked("ann")
        self.assertEqual((self.here.repeater.active_clients(), messages(self.peer)), (["bob", "ann"], []))
        client = await self.here.connect(hello("bob"))
        await client.lost()
        self.assertEqual(self.here.refusals, [("bob", DuplicateClient)])

    async def test_log(self) -> None:
        """The log of `LogObserver` has both names."""
        from twisted.internet import reactor

        from twisted_repeater.observers import LogObserver

        clock: Any = reactor
        await self.link(observers=[LogObserver(clock)])
        with capturedLogs() as captured:
            await self.ann.link.identify("bob")
        self.assertEqual([formatEvent(event) for event in captured], ["client 'ann' is now 'bob'"])
