"""The benchmark still runs: tiny loads, without a proxy and through the repeater as it is usually written."""

from __future__ import annotations

import io
import json
import os
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater.testing import FilterHarness

from .bench.__main__ import main
from .bench.fleet import main as measure_fleet
from .bench.installed import find
from .bench.loads import LOADS
from .bench.plot import plot
from .bench.process import Failed
from .bench.programs.repeater import EQUIPPED
from .bench.report import ALL, PROTOCOLS, begin_of, end_of
from .bench.results import Row
from .bench.servers import SERVERS
from .bench.targets import outcomes
from .bench.tools import TOOLS
from .bench.wire import wire_of
from .needed import cannot_test


def run_bench(*arguments: str) -> tuple[int, str]:
    """Run it in this process (what it measures are others); give what it returns and prints."""
    printed = io.StringIO()
    with redirect_stdout(printed), redirect_stderr(printed):
        returned = main([*arguments, "--rounds", "1", "--seconds", "0.02"])
    return returned, printed.getvalue()


def page_of(*tables: str) -> str:
    """Return a page with old tables of these names."""
    return "".join(f"{begin_of(name)}\nold\n{end_of(name)}\n" for name in tables)


class BenchTests(SynchronousTestCase):
    """`python -m tests.bench`."""

    def test_one_way(self) -> None:
        """A load is measured on a direct connection and on the usual repeater, and written as a table and as JSON."""
        temporary = TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        directory = Path(temporary.name)
        page = directory / "performance.md"
        page.write_text(f"before\n{page_of('measured by size', ALL)}after\n")
        only = ["--only", "oneway-16/direct", "--only", "oneway-16/usual", "--out", str(directory)]
        only += ["--json", str(directory / "numbers.json")]
        returned, printed = run_bench(*only)
        self.assertEqual(returned, 0, printed)
        self.assertIn("the usual way", printed)
        rows = json.loads((directory / "numbers.json").read_text())["rows"]
        self.assertEqual({row["contestant"] for row in rows}, {"direct", "usual"}, printed)
        cpu = {row["contestant"]: row["cpu_per_message"] for row in rows}
        self.assertIsNone(cpu["direct"])
        self.assertGreater(cpu["usual"], 0)
        text = page.read_text()
        self.assertTrue(text.startswith("before\n") and text.endswith("after\n"))
        self.assertIn("| the usual way |", text)
        self.assertRegex(text, r"\| two `Int32StringReceiver`s and a function \| [\d.]+ \| - \| - \| - \|\n")
        self.assertNotIn("old", text)

    def test_fleet(self) -> None:
        """Names of a fleet are claimed, claimed again and swept, and a broadcast reaches its clients."""
        if not find("redis-server"):
            cannot_test("redis-server is not installed")
        printed = io.StringIO()
        with redirect_stdout(printed), redirect_stderr(io.StringIO()):
            few = ["--rounds", "1", "--clients", "8", "--names", "300", "--lease", "2"]
            self.assertEqual(measure_fleet(["--only", "broadcast", "--only", "names", *few]), 0)
        for what in ("the last client has it", "claimed again, s", "a renewal with 300 names", "swept by one node"):
            self.assertIn(what, printed.getvalue())

    def test_equipped(self) -> None:
        """What it costs to watch, to record and to have faults is measured, too."""
        self.assertEqual(EQUIPPED.keys(), {"watched", "recorded", "latency", "bandwidth"})
        harness = FilterHarness()
        for name in EQUIPPED.keys() - {"recorded"}:
            EQUIPPED[name](harness.repeater)
        harness.client_sends(b"message").expect(to_server=[b"message"])
        self.assertTrue(all(fault.seen for fault in harness.repeater.faults))
        returned, printed = run_bench("--only", "oneway-256/repeater-recorded")
        self.assertEqual(returned, 0, printed)
        self.assertEqual(printed.count(" µs CPU for each"), 1, printed)

    def test_echo(self) -> None:
        """With one message under way the round trip is told."""
        returned, printed = run_bench("--only", "echo-1/usual")
        self.assertEqual(returned, 0, printed)
        self.assertIn("round trip", printed)

    def test_connections(self) -> None:
        """Links are made and ended, with and without hellos, and with lines in the log."""
        only = ["connections/direct", "connections*/repeater-no-filter", "connections/repeater-logged"]
        returned, printed = run_bench(*(word for each in only for word in ("--only", each)))
        self.assertEqual(returned, 0, printed)
        self.assertEqual(printed.count(" µs CPU for each"), 3, printed)

    def test_protocols(self) -> None:
        """Each protocol's load tool puts a load on the real server, and its requests are counted as messages."""
        for load in ("redis-get-16", "mqtt-1", "postgres-rows", "modbus-10"):
            if reason := SERVERS[load.partition("-")[0]].missing():
                cannot_test(reason)
            temporary = TemporaryDirectory()
            self.addCleanup(temporary.cleanup)
            page = Path(temporary.name) / "performance.md"
            page.write_text(f"{page_of(ALL, PROTOCOLS)}after\n")
            returned, printed = run_bench("--only", f"{load}/repeater-*", "--out", temporary.name)
            self.assertEqual(returned, 0, printed)
            self.assertEqual(printed.count(" µs CPU for each"), 2, printed)
            text = page.read_text()
            self.assertRegex(text, r"\| repeater, no filter \|.* [\d,]+ requests/s \|\n")
            self.assertIn(
                ": CPU time, repeater, filter looks at every typed message / repeater, no filter | 2.000 |", text
            )
            self.assertEqual((text.count("old"), text[-7:]), (1, "\nafter\n"))

    def test_fix(self) -> None:
        """The load of FIX has an exchange of its own, and rows for filters that refuse, and that shift the numbers."""
        returned, printed = run_bench("--only", "fix-orders/repeater-*")
        self.assertEqual(returned, 0, printed)
        self.assertEqual(printed.count(" µs CPU for each"), 4, printed)

    def test_tools_that_fail(self) -> None:
        """A load tool whose requests did not all succeed has measured nothing."""
        of_pgbench = "number of transactions actually processed: 9/10\ntps = 5.0 (without initial connection time)\n"
        of_redis_benchmark = "Error from server: NOPERM\n"
        for kind, printed in (
            ("postgres", of_pgbench),
            ("redis", of_redis_benchmark),
            ("mqtt", ""),
            ("modbus", ""),
            ("fix", ""),
            ("lines", ""),
        ):
            self.assertRaises(Failed, TOOLS[kind].requests_per_second, printed, 10)

    def test_missing_programs(self) -> None:
        """A protocol whose programs are not installed is left out, with what to install."""
        self.patch(os, "environ", os.environ | {"REDIS-BENCHMARK": "/nowhere"})
        returned, printed = run_bench("--only", "redis-get-1/direct", "--only", "oneway-16/direct")
        self.assertEqual(returned, 0, printed)
        self.assertRegex(
            printed, r"Not measured: Redis.*: redis-benchmark is not installed: apt-get install redis-tools"
        )

    def test_list(self) -> None:
        """What would be measured can be listed without measuring."""
        returned, printed = run_bench("--list", "--only", "echo-*/direct")
        self.assertEqual(returned, 0)
        self.assertIn("echo-64/direct: ", printed)

    def test_nothing_of_that_name(self) -> None:
        """A pattern that fits nothing is an error."""
        self.assertEqual(run_bench("--only", "nothing/*")[0], 2)

    def test_plot(self) -> None:
        """The plot is drawn of what was written as JSON, where matplotlib is installed; else the reason is given."""
        loads = ("oneway-16", "oneway-4k", "echo-1", "connections", "tls-256")
        rows = [{"load": load, "contestant": "usual", "cpu_per_message": 1.26e-6} for load in loads]
        with TemporaryDirectory() as directory:
            path = Path(directory) / "plot.svg"
            reason = plot({"rows": rows, "titles": {"usual": "the usual way"}}, path)
            if find_spec("matplotlib") is None:
                self.assertIn("matplotlib", reason)
            else:
                self.assertEqual((reason, "the usual way" in path.read_text()), (None, True))
                self.assertEqual(path.read_text().count(">1.3<"), len(loads))
                self.assertIn("nothing", plot({"rows": []}, path))

    def test_targets(self) -> None:
        """Each target is judged by the rows that it is about, and left out where one of them is missing."""
        measured = {
            ("oneway-16", "repeater-pass"): 10.0,
            ("oneway-16", "usual"): 200.0,
            ("async-extra", "repeater-pass"): 12.0,
            ("selector", "repeater-pass"): 10.0,
            ("selector", "repeater-selector"): 7.0,
            ("oneway-16", "repeater-coroutine"): 2e-6,
        }
        rows = [row_of(load, contestant, cpu) for (load, contestant), cpu in measured.items()]
        self.assertEqual(
            [(outcome.at_most, outcome.measured, outcome.met) for outcome in outcomes(rows)],
            [(0.04, 0.05, False), (0.6, 0.7, False), (1.3, 1.2, True), (1.0, 2.0, False)],
        )
        few, many = (
            replace(row_of(load, "repeater-pass", 1.0), round_trip=median, slow_round_trip=0.008)
            for load, median in (("active-of-95", 0.004), ("active-of-9500", 0.006))
        )
        self.assertEqual([outcome.measured for outcome in outcomes([few, many])], [1.5, 1.0])
        greedy = replace(row_of("greedy", "repeater-pass", 1.0), round_trip=0.004)
        self.assertEqual([(outcome.measured, outcome.met) for outcome in outcomes([greedy])], [(4.0, True)])

    def test_frames(self) -> None:
        """Every load's frames are read back as they were made, whole or cut anywhere."""
        for load in LOADS:
            if load.is_protocol:
                continue
            wire = wire_of(load)
            if hello := wire.hello("me"):
                self.assertEqual(wire.name_in(wire.split(bytearray(hello), hello=True) or b""), "me")
            data = bytearray(wire.ordinary[:-1])
            self.assertIsNone(wire.split(data))
            data += wire.ordinary[-1:] + wire.last
            for frame in (wire.ordinary, wire.last):
                body = wire.split(data)
                assert body is not None
                self.assertEqual((len(body), wire.frame(body)), (load.size, frame))


def row_of(load: str, contestant: str, cpu: float) -> Row:
    """Make a row of a table in which only the CPU time matters."""
    return Row(
        load=load,
        contestant=contestant,
        rounds=1,
        messages_per_second=1.0,
        bytes_per_second=1.0,
        cpu_per_message=cpu,
        peak_memory=None,
        memory_per_link=None,
        round_trip=None,
        proxy_busy=None,
        load_busy=0.0,
    )
