"""Tests of ``twisted_repeater/filters``."""
