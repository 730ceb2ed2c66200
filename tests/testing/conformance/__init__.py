"""Tests of ``twisted_repeater/testing/conformance``."""
