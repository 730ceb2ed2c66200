"""Tests of the risk filter: ``pytest``."""

from pathlib import Path
from typing import Any

import pytest
from orders import Accepted, Cancel, Cancelled, Order, Rejected, dialect
from risk import Risk
from twisted.internet.task import Clock

from twisted_repeater import PASS_ON, ParseError
from twisted_repeater.testing import FilterHarness, MemoryRepeater


def order(number: int, size: int = 100) -> Order:
    """Return an order."""
    return Order(id=number, side="buy", size=size, symbol="ACME", price=10.5)


@pytest.fixture
def harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FilterHarness:
    """Return a link of ann's with the filter in it, in an empty directory, with a clock that stands still."""
    monkeypatch.chdir(tmp_path)
    clock = Clock()
    return FilterHarness(Risk(clock.seconds), dialect=dialect(), client_name="ann", clock=clock)


def test_within_limits(harness: FilterHarness) -> None:
    """An order within the limits reaches the exchange as the bytes that the trader sent."""
    payload = b'{"id":  1, "type": "Order", "side": "buy", "size": 1000, "symbol": "ACME", "price": 10.50}'
    outcome = harness.client_sends_payloads(payload)
    outcome.expect(to_server=[order(1, size=1000)], verdicts=[PASS_ON])
    assert payload in outcome.to_server_bytes


def test_too_large(harness: FilterHarness) -> None:
    """An order that is too large is rejected, and the exchange doesn't see it."""
    harness.client_sends(order(1, size=1001)).expect(to_client=[Rejected(1, "size 1001 is above 1000")])


def test_too_many(harness: FilterHarness) -> None:
    """Orders that come too fast are rejected, until a second has passed."""
    five = [order(number) for number in range(1, 6)]
    harness.client_sends(*five, order(6)).expect(
        to_server=five, to_client=[Rejected(6, "more than 5 orders in a second")]
    )
    harness.advance(1)
    harness.client_sends(order(7)).expect(to_server=[order(7)])


def test_halted(harness: FilterHarness) -> None:
    """While a file HALT exists no order passes, but cancels do."""
    Path("HALT").touch()
    harness.client_sends(order(1), Cancel(7)).expect(
        to_server=[Cancel(7)], to_client=[Rejected(1, "trading is halted")]
    )
    Path("HALT").unlink()
    harness.client_sends(order(2)).expect(to_server=[order(2)])


def test_malformed(harness: FilterHarness) -> None:
    """A payload that is not a message of the protocol is dropped."""
    harness.client_sends_payloads(b'{"type": "Order", "id": 1}').expect(errors=[ParseError])


def test_reload() -> None:
    """A new filter knows the orders that the old one has counted."""
    clock = Clock()
    old, new = Risk(clock.seconds), Risk(clock.seconds)
    harness = FilterHarness(old, dialect=dialect(), client_name="ann", clock=clock)
    harness.client_sends(*(order(number) for number in range(5)))
    new.migrate(old)
    harness.repeater.replace_filters(to_server_filter=new)
    harness.client_sends(order(5)).expect(to_client=[Rejected(5, "more than 5 orders in a second")])


def exchange(message: Any, connection: object) -> list[Any]:
    """Answer as the exchange does."""
    return [Accepted(message.id) if isinstance(message, Order) else Cancelled(message.id)]


def test_two_traders() -> None:
    """Between traders and an exchange, each trader has limits of its own."""
    running = MemoryRepeater(dialect(), server_name="exchange", to_server_filter=Risk(Clock().seconds))
    running.server.answer = exchange
    ann, bob = running.connect("ann"), running.connect("bob")
    ann.send(order(1), order(2), Cancel(1))
    bob.send(order(1), order(2))
    ann.expect(Accepted(1), Accepted(2), Cancelled(1))
    bob.expect(Rejected(2, "more than 1 orders in a second"), Accepted(1))
