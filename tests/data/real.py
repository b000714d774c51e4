"""Real clips and photographs, beside the repository on some machines; never part of it."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2].parent / "shared" / "data"

needs_real_data = pytest.mark.skipif(not ROOT.is_dir(), reason="no ../shared/data on this machine")


def clips(dataset: str) -> list[Path]:
    return sorted((ROOT / dataset / "videos").glob("*.avi"))
