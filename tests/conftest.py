"""Shared by all tests: one seed, ``--runslow``, and the fake data sets."""

from pathlib import Path

import pytest
import torch

from tests.data import hmdb, okvqa, pa_hmdb, ucf, vispr, vp_hmdb, vp_ucf


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--runslow", action="store_true", help="also run tests marked slow")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--runslow"):
        return
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="needs --runslow"))


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def ucf_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ucf.make(tmp_path_factory.mktemp("ucf"))


@pytest.fixture(scope="session")
def vispr_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return vispr.make(tmp_path_factory.mktemp("vispr"))


@pytest.fixture(scope="session")
def hmdb_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hmdb.make(tmp_path_factory.mktemp("hmdb"))


@pytest.fixture(scope="session")
def pa_hmdb_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pa_hmdb.make(tmp_path_factory.mktemp("pa_hmdb"))


@pytest.fixture(scope="session")
def vp_hmdb_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return vp_hmdb.make(tmp_path_factory.mktemp("vp_hmdb"))


@pytest.fixture(scope="session")
def vp_ucf_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return vp_ucf.make(tmp_path_factory.mktemp("vp_ucf"))


@pytest.fixture(scope="session")
def okvqa_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return okvqa.make(tmp_path_factory.mktemp("okvqa"))
