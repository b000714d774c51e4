"""Tiny fake datasets with the official folder and file names; ``make(root)`` in each."""
