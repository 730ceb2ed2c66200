"""Tests of the fleet on Redis, with a real one."""
