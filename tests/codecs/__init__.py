"""Tests of ``twisted_repeater/codecs``."""
