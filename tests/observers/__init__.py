"""Tests of ``twisted_repeater/observers``."""
