"""Tests of ``twisted_repeater/framings``."""
