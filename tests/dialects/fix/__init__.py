"""Tests of ``twisted_repeater/dialects``."""
