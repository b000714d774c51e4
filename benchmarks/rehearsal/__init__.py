"""Whole runs against ``mllm-server``, and what both sides say happened."""
