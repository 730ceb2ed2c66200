"""The tests of twisted_repeater."""

import os
import sys

# Only for test runners: the programs of the benchmark live here too, and hypothesis would weigh on them.
if sys.modules.keys() & {"pytest", "twisted.trial.runner"}:
    from hypothesis import settings

    from .drawn import examples

    # No deadline: how long a case takes says more of the machine than of the code.
    settings.register_profile("tests", deadline=None, derandomize="CI" in os.environ, max_examples=examples(100))
    settings.load_profile("tests")
