"""The pairs of filters that the command line knows by name."""

from __future__ import annotations

from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.filters import WAIT, RateLimit
from twisted_repeater.service.descriptions import arguments_of
from twisted_repeater.service.ready_filters import DIALECTS, READY_FILTERS, log, rate_limit
from twisted_repeater.testing import FilterHarness
from twisted_repeater.verdicts import DROP

from ..paths import DOCS
from ..ready_pages import PAGES, written


class LogTests(SynchronousTestCase):
    """``log``."""

    def logged(self, **options: object) -> list[str | None]:
        """Return the lines that are logged of a message each way."""
        run = FilterHarness(filters=log(**options))  # type: ignore[arg-type]
        with capturedLogs() as events:
            run.client_sends(b"a")
            run.server_sends(b"b")
        self.levels = [event["log_level"] for event in events]
        return [formatEvent(event) for event in events]

    def test_directions(self) -> None:
        """It logs messages of both directions, or of one."""
        up, down = "client 'client', to the server: b'a'", "client 'client', to the client: b'b'"
        self.assertEqual(self.logged(), [up, down])
        self.assertEqual(self.levels, [LogLevel.info] * 2)
        self.assertEqual(self.logged(direction="to-server", level="warn"), [up])
        self.assertEqual(self.levels, [LogLevel.warn])
        self.assertEqual(self.logged(direction="to-client"), [down])

    def test_sample(self) -> None:
        """It logs a share of the messages."""
        run = FilterHarness(filters=log(sample=0.5))
        with capturedLogs() as events:
            run.client_sends(b"a", b"b", b"c", b"d")
        self.assertEqual(len(events), 2)


class RateLimitTests(SynchronousTestCase):
    """``rate-limit``."""

    def test_options(self) -> None:
        """It limits one direction, or both, each by itself."""
        pair = rate_limit(rate=2)
        assert isinstance(pair.to_server, RateLimit)
        self.assertIs(pair.to_server.above, DROP)
        self.assertIs(pair.to_client, None)
        self.assertEqual((pair.to_server.burst, pair.to_server.by), (2, "name"))
        pair = rate_limit(2, burst=3, by="address", above="wait", direction="both")
        assert isinstance(pair.to_client, RateLimit)
        self.assertEqual((pair.to_client.burst, pair.to_client.by), (3, "address"))
        self.assertIs(pair.to_client.above, WAIT)
        self.assertIsNot(pair.to_server, pair.to_client)
        run = FilterHarness(filters=rate_limit(rate=0.001, burst=2))
        run.client_sends(b"a", b"b", b"c").expect(to_server=[b"a", b"b"])


class TableTests(SynchronousTestCase):
    """The table."""

    def test_names(self) -> None:
        """Names are written with hyphens, as options are."""
        self.assertEqual((READY_FILTERS["log"], READY_FILTERS["rate-limit"]), (log, rate_limit))
        for name in READY_FILTERS:
            self.assertRegex(name, "^[a-z0-9-]+$")

    def test_dialects(self) -> None:
        """Each filter of a protocol names its dialect, which its name begins with; those of lines take any."""
        any_dialect = ("log", "rate-limit", "lines-allow", "lines-log", "lines-refuse", "lines-replace")
        named = {name: name.partition("-")[0] for name in READY_FILTERS if name not in any_dialect}
        self.assertEqual(DIALECTS, named)

    def test_options_of_protocols(self) -> None:
        """The filters of protocols take their rules as text."""
        for name, options in (
            ("fix-orders", {"max-quantity": "1000", "max-rate": "0.5", "symbols": "MSFT,IBM", "unpriced": "pass"}),
            ("lines-allow", {"match": "LIST", "answer": "no", "direction": "both", "lone": "pass"}),
            ("lines-log", {"match": r"^(\w+)", "text": r"\1", "direction": "to-client", "level": "warn"}),
            ("lines-refuse", {"match": "^(JOIN)", "answer": r"no \1"}),
            ("lines-replace", {"match": "a", "by": "b"}),
            ("modbus-read-only", {"functions": "100,101"}),
            ("modbus-registers", {"write": "holding 100-109 from 10.0.0.5,coils unit 1", "deny-read": "input"}),
            ("mqtt-topics", {"publish": "sensors/%c/#", "deny-subscribe": "secret/#,private/#", "before-5": "close"}),
            ("postgres-mask-columns", {"columns": "password,16385.3"}),
            ("postgres-read-only", {}),
            ("postgres-statements", {"refuse": "DROP,ALTER TABLE", "allow": "SELECT"}),
            ("redis-commands", {"refuse": "FLUSH*,CONFIG SET", "keys": "user:*"}),
        ):
            maker = READY_FILTERS[name]
            self.assertTrue(callable(maker(**arguments_of(maker, options)).for_link))


class PageTests(SynchronousTestCase):
    """The page of the reference."""

    def test_table(self) -> None:
        """The page has each filter with its options; ``python -m tests.ready_pages`` writes it."""
        page = DOCS / "reference" / "filters.md"
        text = page.read_text()
        self.assertEqual(written(text, PAGES[page]()), text)
