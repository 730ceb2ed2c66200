"""The numbers of a node that an operator watches, as metrics of ``prometheus_client``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prometheus_client.core import Metric

__all__ = ["node_metrics"]

PREFIX = "twisted_repeater_fleet_"


def node_metrics(*, is_member: bool, nodes: int, names: int, refused: int, calls: int, errors: int) -> Iterator[Metric]:
    """Return the metrics.

    Args:
        is_member: whether the node is a member of its fleet.
        nodes: how many nodes there are, as far as it knows.
        names: how many names its clients have.
        refused: how many claims were refused because another node has the name.
        calls: how many calls of the engine were made.
        errors: how many of them had no answer, or an error.
    """
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    yield GaugeMetricFamily(f"{PREFIX}member", "1 if this node is a member of its fleet", value=is_member)
    yield GaugeMetricFamily(f"{PREFIX}nodes", "Nodes of the fleet", value=nodes if is_member else 0)
    yield GaugeMetricFamily(f"{PREFIX}names", "Names that clients of this node have", value=names)
    documentation = "Claims refused because another node has the name"
    yield CounterMetricFamily(f"{PREFIX}names_refused", documentation, value=refused)
    yield CounterMetricFamily(f"{PREFIX}engine_calls", "Calls of the fleet's engine", value=calls)
    yield CounterMetricFamily(f"{PREFIX}engine_errors", "Calls that had no answer, or an error", value=errors)
