from pathlib import Path

import pytest

from tests.data import ucf, vispr


@pytest.fixture(scope="session")
def ucf_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ucf.make(tmp_path_factory.mktemp("ucf"))


@pytest.fixture(scope="session")
def vispr_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return vispr.make(tmp_path_factory.mktemp("vispr"))
