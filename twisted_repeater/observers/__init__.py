"""Observers are told what happens. `LogObserver` writes it to Twisted's log.

`twisted_repeater.observers.metrics` counts events for Prometheus.
"""

from ._log import LogObserver

__all__ = ["LogObserver"]
