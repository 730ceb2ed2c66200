"""Tests of ``twisted_repeater/service/admin``."""
