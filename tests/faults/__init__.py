"""Tests of ``twisted_repeater/faults``."""
