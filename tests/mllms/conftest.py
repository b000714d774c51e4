from pathlib import Path

import pytest

from tests.mllms import tiny_video_llava


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_video_llava.make(tmp_path_factory.mktemp("weights"))
