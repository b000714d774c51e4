"""Lightning callbacks: guard a run, keep its history, draw it, write what it predicts.

Example:
    >>> from lightning.pytorch import Trainer
    >>> guarded = Trainer(callbacks=[CollapseGuard(patience=30)], logger=False, barebones=False)
"""

from blackbox_anon.callbacks.collapse_guard import CollapseGuard
from blackbox_anon.callbacks.history import HistoryRecorder, read_history
from blackbox_anon.callbacks.image_grid import BeforeAfterImages, before_after_grid
from blackbox_anon.callbacks.lookahead import Lookahead
from blackbox_anon.callbacks.prediction_writer import AnonymizedWriter
from blackbox_anon.callbacks.stop_when_settled import StopWhenSettled
from blackbox_anon.callbacks.tail_average import TailAverage

__all__ = [
    "AnonymizedWriter",
    "BeforeAfterImages",
    "CollapseGuard",
    "HistoryRecorder",
    "Lookahead",
    "StopWhenSettled",
    "TailAverage",
    "before_after_grid",
    "read_history",
]
