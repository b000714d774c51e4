"""``blackbox-anon demo``: train on the embedded world, compare with baselines, write a report."""

from blackbox_anon.demo.command import main, run_demo

__all__ = ["main", "run_demo"]
