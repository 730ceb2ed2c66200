"""Tests of ``twisted_repeater/_sockets``."""
