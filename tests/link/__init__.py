"""Tests of ``twisted_repeater/_link``."""
