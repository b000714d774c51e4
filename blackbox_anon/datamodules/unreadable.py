"""Count unreadable files over all workers, in the main process."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from blackbox_anon.datasets.skipping import check_unreadable


class UnreadableLog:
    """The files that failed so far in this run.

    Args:
        max_unreadable: Different files that may fail before the run is stopped.

    Example:
        >>> log = UnreadableLog(max_unreadable=10)
        >>> log.collect({"utility": {"label": 3, "unreadable": ["a.avi"]}})
        {'utility': {'label': 3}}
        >>> log.paths
        ['a.avi']
    """

    def __init__(self, max_unreadable: int) -> None:
        self.max_unreadable = max_unreadable
        self.paths: list[str] = []

    def collect(self, batch: dict[str, Any], *, file: Path | None = None) -> dict[str, Any]:
        """Take the key ``unreadable`` out of a batch, however nested, and count its paths.

        Args:
            batch: As the loader gives it.
            file: Where to write the list when it grows.

        Returns:
            The batch without the key.

        Raises:
            UnreadableDataError: If the limit is passed; the message names all paths.
        """
        before = len(self.paths)
        cleaned = self._strip(batch)
        if len(self.paths) > before:
            if file is not None:
                file.parent.mkdir(parents=True, exist_ok=True)
                text = "".join(f"{path}\n" for path in self.paths)
                file.write_text(text, encoding="utf-8", errors="surrogateescape")
            check_unreadable(self.paths, self.max_unreadable)
        return cleaned

    def state_dict(self) -> dict[str, list[str]]:
        """Return what is known, so that a resumed run counts on."""
        return {"unreadable": list(self.paths)}

    def load_state_dict(self, state_dict: dict[str, list[str]]) -> None:
        """Know what a checkpoint knew."""
        self.paths = list(state_dict["unreadable"])

    def _strip(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        new = set(batch.get("unreadable", ())) - set(self.paths)
        self.paths.extend(sorted(new))
        return {
            key: self._strip(value) if isinstance(value, Mapping) else value
            for key, value in batch.items()
            if key != "unreadable"
        }
