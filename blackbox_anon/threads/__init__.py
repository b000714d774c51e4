"""What is kept per thread, what a process opens for itself, and work shared out to threads."""

from blackbox_anon.threads.caller import CallerState
from blackbox_anon.threads.per_process import PerProcess
from blackbox_anon.threads.side_by_side import SideBySide, one_torch_thread

__all__ = ["CallerState", "PerProcess", "SideBySide", "one_torch_thread"]
