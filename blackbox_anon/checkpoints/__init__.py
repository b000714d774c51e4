"""Checkpoints that survive a kill, runs that go on from them exactly, and exported anonymizers.

Example:
    >>> from lightning.pytorch import Trainer
    >>> resume = ExactResume(every_n_steps=10, dirpath="runs/mine/resume")
    >>> trainer = Trainer(callbacks=[resume], plugins=[AtomicCheckpointIO()], logger=False)
"""

from blackbox_anon.checkpoints.checkpoint_io import (
    AtomicCheckpointIO,
    check_whole,
    use_atomic_checkpoints,
)
from blackbox_anon.checkpoints.description import describe
from blackbox_anon.checkpoints.exact_resume import ExactResume
from blackbox_anon.checkpoints.export import export_anonymizer
from blackbox_anon.checkpoints.export_at_end import ExportAtEnd
from blackbox_anon.checkpoints.fingerprint import decisive, fingerprint
from blackbox_anon.checkpoints.log_files import log_folder

__all__ = [
    "AtomicCheckpointIO",
    "ExactResume",
    "ExportAtEnd",
    "check_whole",
    "decisive",
    "describe",
    "export_anonymizer",
    "fingerprint",
    "log_folder",
    "use_atomic_checkpoints",
]
