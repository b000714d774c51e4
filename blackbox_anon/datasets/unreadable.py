"""The error of one unreadable file, for clips and photographs alike."""

from blackbox_anon.decoding.unreadable import UnreadableFileError

__all__ = ["UnreadableFileError"]
