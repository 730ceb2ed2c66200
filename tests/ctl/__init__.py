"""``python -m twisted_repeater ctl``."""
