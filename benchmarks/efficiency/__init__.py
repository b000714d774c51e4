"""The parts of ``query_efficiency.py``: the course, the contenders, a run, the summary."""
