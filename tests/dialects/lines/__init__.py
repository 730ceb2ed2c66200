"""Tests of the dialect `lines`."""
