"""The error one unreadable file raises; its path is what the user needs to repair it."""

from pathlib import Path

from blackbox_anon.errors import BlackboxAnonError


class UnreadableFileError(BlackboxAnonError):
    """One file of a dataset could not be read.

    Args:
        path: The file.
        reason: What the decoder said, on one line.
    """

    def __init__(self, path: str | Path, reason: str) -> None:
        super().__init__(str(path), reason)  # both, or the error cannot be unpickled
        self.path = str(path)
        self.reason = " ".join(reason.split()) or "no reason given"

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"
