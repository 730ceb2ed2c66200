"""The benchmark still runs with other people's proxies where they need more than a port: TLS, and many links."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ..bench.contestants import CONTESTANTS
from ..bench.loads import LOADS
from ..bench.measure import cannot
from ..needed import cannot_test
from ..test_bench import run_bench

DEBIAN_PACKAGES = "haproxy nginx libnginx-mod-stream"


class ProxyTests(SynchronousTestCase):
    """`python -m tests.bench --only LOAD/PROXY`."""

    def run_proxy(self, name: str, *loads: str) -> None:
        """Measure a proxy with some loads, if it is here and can be."""
        missing = next(contestant for contestant in CONTESTANTS if contestant.name == name).missing()
        reasons = (missing, *(cannot(load) for load in LOADS if load.name in loads))
        if reason := next((reason for reason in reasons if reason), None):
            cannot_test(reason)
        returned, printed = run_bench(*(word for load in loads for word in ("--only", f"{load}/{name}")))
        self.assertEqual((returned, printed.count(" µs CPU for each")), (0, len(loads)), printed)

    def test_nginx(self) -> None:
        """With TLS on both sides all bytes arrive through nginx."""
        self.run_proxy("nginx", "tls-256", "tls-64k")

    def test_haproxy(self) -> None:
        """With TLS on both sides all bytes arrive through HAProxy; round trips through it are measured, too."""
        self.run_proxy("haproxy", "tls-256", "active-of-95", "greedy")
