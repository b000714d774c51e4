"""Threads that compute: what PyTorch keeps for each, and work that is shared out to several."""

from blackbox_anon.threads.caller import CallerState
from blackbox_anon.threads.side_by_side import SideBySide, one_torch_thread

__all__ = ["CallerState", "SideBySide", "one_torch_thread"]
