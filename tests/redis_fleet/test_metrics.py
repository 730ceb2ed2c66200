"""The numbers of a node."""

from __future__ import annotations

import re

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.redis_fleet._metrics import node_metrics

from ..paths import DOCS


class MetricsTests(SynchronousTestCase):
    """`node_metrics`."""

    def test_numbers(self) -> None:
        """Each number has the name that the page has; a node that is no member knows of no nodes."""
        page = (DOCS / "howto" / "fleet.md").read_text()
        told = re.findall(r"^\| `(twisted_repeater_\w+)` \|", page, re.MULTILINE)
        for is_member, nodes in ((True, 3), (False, 0)):
            families = list(node_metrics(is_member=is_member, nodes=3, names=4, refused=5, calls=6, errors=7))
            values = {sample.name: sample.value for family in families for sample in family.samples}
            expected = [is_member, nodes, 4, 5, 6, 7]
            self.assertEqual(values, dict(zip(told, expected, strict=True)))
