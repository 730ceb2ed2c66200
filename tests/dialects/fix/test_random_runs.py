"""Long conversations of two strict FIX engines through a repeater that does what it likes; each has a seed."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ...drawn import examples
from .random_runs import run


class RandomRunsTests(SynchronousTestCase):
    """What holds at the end of each conversation."""

    def test_seeds(self) -> None:
        """Both engines are in step, nothing is lost, nothing comes twice, and nobody asks without end."""
        for seed in range(examples(50)):
            try:
                run(seed, 60)
            except Exception as error:
                raise AssertionError(f"seed {seed}: {error}") from error
            finally:
                self.flushLoggedErrors(ValueError)
