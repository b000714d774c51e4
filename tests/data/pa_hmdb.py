"""A fake PA-HMDB51 on the fake HMDB51's clips: late starts, lists of values, overlapping ranges."""

import json
from pathlib import Path
from typing import Any

from tests.data import hmdb

LEAKED = hmdb.TRAIN[2]
"""In HMDB51's training list."""
CLIPS: dict[str, dict[str, Any]] = {
    LEAKED: {
        "skin_color": [[3, 9, [1, 2]]],  # starts after frame 0
        "face": [[3, 6, 1], [6, 9, 2]],  # overlaps in frame 6
        "gender": [[3, 9, [0, 1]]],
        "nudity": [[3, 5, 1], [6, 9, 2]],
        "relationship": [[3, 9, 0]],
        "review": True,
        "note": "",
    },
    hmdb.TEST[0]: {
        "skin_color": [[0, 4, 0]],
        "face": [[0, 4, 0]],
        "gender": [[0, 1, 0], [2, 4, 2]],
        "nudity": [[0, 4, 0]],
        "relationship": [[0, 3, 1]],  # frame 4 is not labelled for all
        "review": True,
    },
    hmdb.UNUSED[0]: {
        "skin_color": [[0, 0, 3]],
        "face": [[0, 0, 2]],
        "gender": [[0, 0, 1]],
        "nudity": [[0, 0, 1]],
        "relationship": [[0, 0, 1]],
        "review": False,
        "note": "one frame",
    },
}
NUM_FRAMES = 7 + 4 + 1


def make(root: Path) -> Path:
    folder = root / "PrivacyAttributes"
    folder.mkdir(parents=True)
    for action in hmdb.CLASSES:
        clips = {
            name.split("/")[1]: record
            for name, record in CLIPS.items()
            if name.startswith(f"{action}/")
        }
        (folder / f"{action}.json").write_text(json.dumps(clips, indent=4), encoding="utf-8")
    return root
