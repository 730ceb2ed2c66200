"""Tests with programs of other people, which know nothing of us."""
