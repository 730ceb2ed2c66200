"""``python -m twisted_repeater ctl``: the administration of running repeaters, from a shell."""
