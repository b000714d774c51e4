"""Shared by all tests: one seed, ``--runslow``, and the fake data sets."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, settings

from tests.data import hmdb, okvqa, pa_hmdb, ucf, vispr, vp_hmdb, vp_ucf

settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")  # a busy one stalls


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--runslow", action="store_true", help="also run tests marked slow")


def pytest_configure() -> None:
    """Take Ctrl-C, which a shell's background job ignores, so that programs under test do too.

    Memory comes in large pages, as on the command line: some machines are slow with small ones.
    """
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--runslow"):
        return
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="needs --runslow"))


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def _made_by(make: Callable[[Path], Path]) -> object:
    """A fixture: the folder of one fake data set, made once a session."""
    stem = make.__module__.rpartition(".")[2]

    @pytest.fixture(scope="session")
    def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
        return make(tmp_path_factory.mktemp(stem))

    return root


ucf_root = _made_by(ucf.make)
vispr_root = _made_by(vispr.make)
hmdb_root = _made_by(hmdb.make)
pa_hmdb_root = _made_by(pa_hmdb.make)
vp_hmdb_root = _made_by(vp_hmdb.make)
vp_ucf_root = _made_by(vp_ucf.make)
okvqa_root = _made_by(okvqa.make)
