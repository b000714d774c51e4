from pathlib import Path

import pytest

from tests.mllms import tiny_llava, tiny_qwen, tiny_video_llava


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_video_llava.make(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="session")
def tiny_llava_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_llava.make(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="session")
def tiny_qwen_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_qwen.make(tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="session")
def tiny_folders(
    tiny_folder: Path, tiny_llava_folder: Path, tiny_qwen_folder: Path
) -> dict[str, Path]:
    """A model of each family, by family."""
    return {"video_llava": tiny_folder, "llava": tiny_llava_folder, "qwen2_5_vl": tiny_qwen_folder}
