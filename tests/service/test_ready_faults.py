"""The faults on the command line."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from twisted_repeater import Direction, faults
from twisted_repeater.faults import Drop, Fault, Latency
from twisted_repeater.service.ready_faults import READY_FAULTS, fault_of

from ..paths import DOCS
from ..ready_pages import PAGES, written


class FaultOfTests(SynchronousTestCase):
    """Descriptions."""

    def test_options(self) -> None:
        """Options are those of the class, and may be a direction."""
        text = "latency:seconds=0.1:jitter=0.02:direction=to-client:clients=edge-*:probability=0.5:seed=7"
        fault = Latency(0.1, 0.02, direction=Direction.TO_CLIENT, clients="edge-*", probability=0.5, seed=7)
        self.assertEqual(fault_of(text), ("latency", fault, None))
        self.assertEqual(fault_of("drop:direction=both").fault, Drop())

    def test_places(self) -> None:
        """The options that matter most need no name, and names may have underscores."""
        for text, fault in (
            ("latency:0.2", Latency(0.2)),
            ("latency:0.2:0.1:seed=1", Latency(0.2, 0.1, seed=1)),
            ("drop:0.01", Drop(0.01)),
            ("limit_data:100", faults.LimitData(100)),
        ):
            self.assertEqual(fault_of(text).fault, fault)

    def test_names_and_times(self) -> None:
        """A fault has the name of its kind, or one that is given, with a number if that is taken; it may end."""
        self.assertEqual(fault_of("drop:name=lost:lasts=60"), ("lost", Drop(), 60))
        self.assertEqual(fault_of("drop", "lost").name, "lost")
        self.assertEqual(fault_of("drop", taken=["drop", "drop-2"]).name, "drop-3")

    def test_errors(self) -> None:
        """A wrong description is refused in words that name what is wrong."""
        for text, reason in (
            ("dorp", r"there is no fault 'dorp'; the faults are: bandwidth, corrupt, .*; did you mean drop\?$"),
            ("latncy:1", "there is no fault 'latncy';"),
            ("drop:seconds=1", "drop: there is no option 'seconds'"),
            ("drop:direction=up", "drop: direction must be to-server, to-client or both, not 'up'"),
            ("drop:probability=0", "drop: probability must be above 0"),
            ("latency:seconds=nan", "latency: seconds must be a number of seconds"),
            ("latency", "latency: seconds is missing; write seconds="),
            ("drop:0", "drop: probability must be above 0"),
            ("drop:1:2", "drop: an option must be written as name=value, not '2'"),
            ("drop:lasts=soon", "drop: lasts must be a number of seconds, not 'soon'"),
            ("drop:lasts=0", "drop: lasts must be above 0, not 0"),
            ("drop:lasts=1e300", "drop: lasts must be at most 31536000 seconds"),
            ("drop:name=a b", "drop: the name of a fault must be 1 to 64 letters"),
            ("drop:seed", "^drop: probability must be a number, not 'seed'$"),
        ):
            self.assertRaisesRegex(ValueError, reason, fault_of, text)

    def test_all_faults_are_there(self) -> None:
        """Every fault of the package has a name."""
        kinds = {getattr(faults, name) for name in faults.__all__}
        bases = {faults.Fault, faults.MessageFault, faults.ByteFault}
        self.assertEqual({kind for kind in kinds if issubclass(kind, Fault)} - bases, set(READY_FAULTS.values()))


class PageTests(SynchronousTestCase):
    """The page of the reference."""

    def test_table(self) -> None:
        """The page has each fault with its options; ``python -m tests.ready_pages`` writes it."""
        page = DOCS / "reference" / "faults.md"
        text = page.read_text()
        self.assertEqual(written(text, PAGES[page]()), text)
