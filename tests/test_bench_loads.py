"""The benchmark's loads that show one thing each still run: TLS, filters that do more, idle links, a greedy client."""

from __future__ import annotations

import re
import socket
from typing import Any
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from .bench.contestants import CONTESTANTS
from .bench.loads import LOADS
from .bench.measure import cannot
from .bench.programs.secured import agreed
from .needed import cannot_test
from .test_bench import run_bench


class LoadTests(SynchronousTestCase):
    """`python -m tests.bench --only LOAD`."""

    def run_loads(self, *only: str) -> str:
        """Measure some pairs of a load and a contestant; give what is printed if all of them were."""
        returned, printed = run_bench(*(word for each in only for word in ("--only", each)))
        self.assertEqual(returned, 0, printed)
        self.assertNotIn("failed", printed)
        return printed

    def test_tls(self) -> None:
        """With TLS on both sides all bytes arrive, directly and through the repeater."""
        if reason := cannot(next(load for load in LOADS if load.tls)):
            cannot_test(reason)
        printed = self.run_loads("tls-256/direct", "tls-64k/repeater-pass")
        self.assertIn("tls-256/direct: ", printed)
        self.assertEqual(printed.count(" µs CPU for each"), 1, printed)

    def test_other_cipher(self) -> None:
        """A proxy that agrees on a cipher, or a version, of its own is not measured."""
        for version, cipher in (("TLSv1.2", "TLS_AES_256_GCM_SHA384"), ("TLSv1.3", "TLS_AES_128_GCM_SHA256")):
            secured: Any = mock.Mock(**{"version.return_value": version, "cipher.return_value": (cipher, "", 0)})
            with self.assertRaisesRegex(SystemExit, version):
                agreed(mock.Mock(return_value=secured), mock.Mock(spec=socket.socket))

    def test_filters(self) -> None:
        """A chain, a coroutine and a codec of bin_prot pass on every byte."""
        printed = self.run_loads("oneway-16/repeater-c*", "echo-async-extra/repeater-bin-prot")
        self.assertEqual(printed.count(" µs CPU for each"), 3, printed)

    def test_latency(self) -> None:
        """Round trips are told for clients that take turns, and for those beside a greedy one."""
        printed = self.run_loads("active-of-95/repeater-pass", "greedy/repeater-pass")
        self.assertEqual(len(re.findall(r"round trip [\d,]+ µs, 99 % within [\d,]+ µs", printed)), 2, printed)

    def test_fleet(self) -> None:
        """A node of a fleet claims the names of its clients at a Redis of its own."""
        if reason := next(contestant for contestant in CONTESTANTS if contestant.name == "repeater-fleet").missing():
            cannot_test(reason)
        printed = self.run_loads("connections-hello/repeater-fleet")
        self.assertEqual(printed.count(" µs CPU for each"), 1, printed)

    def test_shared_port(self) -> None:
        """Two processes share a port, for links and for messages."""
        printed = self.run_loads("shared-*/repeater-2")
        self.assertEqual(printed.count(" µs CPU for each"), 2, printed)
