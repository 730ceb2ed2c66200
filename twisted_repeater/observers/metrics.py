"""`MetricsObserver`: counts events, and returns the numbers in the text format of Prometheus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from zope.interface import implementer

from ..errors import CallbackFailed, ConnectingError, Disconnected
from ..interfaces import IObserver
from ..link import Link
from ..model import Direction, Side

if TYPE_CHECKING:
    from prometheus_client.core import Metric
    from prometheus_client.registry import Collector

__all__ = ["MetricsObserver", "RecordingNumbers", "exposition"]

PREFIX = "twisted_repeater_"


class RecordingNumbers(Protocol):
    """The numbers of a recording; a `twisted_repeater.recording.Recorder` has them."""

    @property
    def recorded(self) -> int:
        """How many messages were recorded."""

    @property
    def left_out(self) -> int:
        """How many messages were left out."""

    @property
    def waiting(self) -> int:
        """How many bytes of memory the messages take that are not written yet."""

    @property
    def age(self) -> float:
        """How many seconds old the oldest of them is."""

    @property
    def suspended(self) -> str:
        """Why nothing is recorded at the moment, ``""`` if it is."""


@implementer(IObserver)
class MetricsObserver:
    """Counts links, refusals, errors, messages and bytes, of all clients together.

    It is a collector of ``prometheus_client`` (``registry.register(observer)``). That library is needed only to
    read the numbers. No label has a client's name, so that strangers cannot make any number of time series.
    """

    def __init__(self) -> None:
        self.made: int = 0
        """How many links were made."""
        self.ended: Counter[tuple[str, str]] = Counter()
        """Ended links, by the side that began it ("" for neither) and the type of the reason ("closed" if none)."""
        self.refused: Counter[str] = Counter()
        """Clients that were refused, by the type of the error."""
        self.errors: Counter[tuple[str, str, str]] = Counter()
        """Errors by the side, the type of the error, and the type of the error's own reason ("" for none)."""
        self.messages: Counter[Direction] = Counter()
        """Messages received, by direction."""
        self.bytes: Counter[Direction] = Counter()
        """Bytes of these messages, headers included."""
        self.stopped: Counter[Direction] = Counter()
        """The links there are now in which a filter's failure has stopped a direction, by direction."""
        self.recording: RecordingNumbers | None = None
        """The recording whose numbers are shown, too."""

    @property
    def links(self) -> int:
        """How many links there are now."""
        return self.made - self.ended.total()

    # -- IObserver --------------------------------------------------------------------------------------------

    def link_made(self, link: Link) -> None:
        """See `IObserver`."""
        self.made += 1

    def link_refused(self, client_name: str | None, error: ConnectingError) -> None:
        """See `IObserver`."""
        self.refused[type(error).__name__] += 1

    def link_ended(self, link: Link, reason: BaseException | None) -> None:
        """See `IObserver`."""
        self.stopped.subtract(link.stopped)
        if isinstance(reason, Disconnected) and reason.side is not None:
            self.ended[reason.side.value, type(reason.reason).__name__] += 1
        else:
            self.ended["", "closed" if reason is None else type(reason).__name__] += 1

    def link_error(self, link: Link, side: Side, error: Exception) -> None:
        """See `IObserver`."""
        reason = type(error.reason).__name__ if isinstance(error, Disconnected | CallbackFailed) else ""
        if isinstance(error, CallbackFailed) and error.stopped:
            self.stopped.update(direction for direction in link.stopped if direction.source is side)
        self.errors[side.value, type(error).__name__, reason] += 1

    def relayed(self, link: Link, direction: Direction, messages: int, size: int) -> None:
        """See `IObserver`."""
        self.messages[direction] += messages
        self.bytes[direction] += size

    # -- a collector of prometheus_client -----------------------------------------------------------------------

    def collect(self) -> Iterator[Metric]:
        """Return the numbers as metrics of ``prometheus_client``."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        yield GaugeMetricFamily(f"{PREFIX}links", "Links there are now", value=self.links)
        stopped = GaugeMetricFamily(
            f"{PREFIX}stopped_directions",
            "Links there are now that receive nothing more in a direction, because a filter failed",
            labels=("direction",),
        )
        for direction in Direction:
            stopped.add_metric((direction.value,), self.stopped[direction])
        yield stopped
        yield CounterMetricFamily(f"{PREFIX}links_made", "Links made", value=self.made)
        # Both directions are always there: a counter that appears with its first message hides that message.
        messages = {(direction.value,): self.messages[direction] for direction in Direction}
        size = {(direction.value,): self.bytes[direction] for direction in Direction}
        refused = {(error,): count for error, count in self.refused.items()}
        counters: list[tuple[str, str, tuple[str, ...], Mapping[Any, int]]] = [
            ("links_ended", "Links ended, by the side that began it and why", ("side", "reason"), self.ended),
            ("clients_refused", "Clients refused, by the error", ("error",), refused),
            ("errors", "Trouble on links, by the side it is on and why", ("side", "error", "reason"), self.errors),
            ("messages", "Messages received, by where they go", ("direction",), messages),
            ("bytes", "Bytes of these messages with their headers", ("direction",), size),
        ]
        for name, documentation, labels, counts in counters:
            family = CounterMetricFamily(f"{PREFIX}{name}", documentation, labels=labels)
            for values, count in counts.items():
                family.add_metric(values, count)
            yield family
        if self.recording is not None:
            yield from _recording_metrics(self.recording)


def _recording_metrics(recording: RecordingNumbers) -> Iterator[Metric]:
    """Return the numbers of a recording as metrics of ``prometheus_client``."""
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    begin = f"{PREFIX}recording_"
    yield CounterMetricFamily(f"{begin}messages", "Messages recorded", value=recording.recorded)
    yield CounterMetricFamily(f"{begin}left_out", "Messages left out of the recording", value=recording.left_out)
    yield GaugeMetricFamily(f"{begin}waiting_bytes", "Bytes of messages not yet written", value=recording.waiting)
    yield GaugeMetricFamily(f"{begin}age_seconds", "Age of the oldest message not yet written", value=recording.age)
    yield GaugeMetricFamily(f"{begin}suspended", "1 if nothing can be written", value=bool(recording.suspended))


def exposition(
    observers: MetricsObserver | Mapping[str, MetricsObserver], accept: str, *others: Collector
) -> tuple[bytes, str]:
    """Return all metrics in the format that a client accepts best.

    These are the numbers of the observers and those in ``prometheus_client``'s own registry: the process's numbers, and
    the metrics that filters made.

    Args:
        observers: one observer; or those of several repeaters by name, whose numbers then have a label ``repeater``.
        accept: the client's ``Accept`` header.
        others: other collectors of ``prometheus_client``.

    Returns:
        The text, and the name of its format.

    Raises:
        ImportError: ``prometheus_client`` is not installed.
    """
    from prometheus_client import REGISTRY
    from prometheus_client.exposition import choose_encoder

    encode: Any
    try:
        encode, content_type = choose_encoder(accept)
    except Exception:  # prometheus_client raises various errors for a malformed header
        encode, content_type = choose_encoder("")
    own = observers if isinstance(observers, MetricsObserver) else _Labelled(observers)
    return encode(_Several(own, *others, REGISTRY)), content_type


class _Several:
    """Collectors as one, for as long as they are read."""

    def __init__(self, *collectors: Collector) -> None:
        self._collectors = collectors

    def collect(self) -> Iterator[Metric]:
        """Return the metrics of each."""
        for collector in self._collectors:
            yield from collector.collect()


class _Labelled:
    """The numbers of several repeaters: each metric once, with a sample of each repeater."""

    def __init__(self, observers: Mapping[str, MetricsObserver]) -> None:
        self._observers = observers

    def collect(self) -> Iterator[Metric]:
        """Return the metrics."""
        families: dict[str, Metric] = {}
        for name, observer in self._observers.items():
            for family in observer.collect():
                known = families.setdefault(family.name, family)
                labelled = [sample._replace(labels={"repeater": name, **sample.labels}) for sample in family.samples]
                known.samples = labelled if known is family else known.samples + labelled
        yield from families.values()
