"""Tests of ``twisted_repeater/replay``."""
