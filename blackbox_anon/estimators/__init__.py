"""Zeroth-order gradient estimators."""
