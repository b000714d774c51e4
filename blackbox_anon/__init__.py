"""Learn to remove private attributes from images and videos before a black-box MLLM sees them.

Import from the sub-packages: :mod:`~blackbox_anon.anonymizers`, :mod:`~blackbox_anon.reviewers`,
:mod:`~blackbox_anon.mllms`, :mod:`~blackbox_anon.scorers`, :mod:`~blackbox_anon.estimators`,
:mod:`~blackbox_anon.scalarizations`, :mod:`~blackbox_anon.tasks`, :mod:`~blackbox_anon.world`,
:mod:`~blackbox_anon.datamodules`, :mod:`~blackbox_anon.metrics`.
"""

from blackbox_anon.processor import avoid_tile_kernels

avoid_tile_kernels()  # oneDNN reads its limit once, at the first matrix product

__version__ = "0.1.0"
