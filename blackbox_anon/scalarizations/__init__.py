"""Scalarizations."""
