"""Tests of ``twisted_repeater/_lane``."""
