"""Tests of the dialect `redis`."""
