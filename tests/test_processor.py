import os
from pathlib import Path

import pytest

from blackbox_anon.processor import LIMIT, avoid_tile_kernels


@pytest.fixture
def with_tiles(tmp_path: Path) -> Path:
    path = tmp_path / "cpuinfo"
    path.write_text("flags\t\t: fpu avx512f amx_bf16 amx_tile amx_int8\n")
    return path


def test_tile_kernels_are_switched_off(with_tiles: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LIMIT, "gone after the test")
    monkeypatch.delenv(LIMIT)
    assert avoid_tile_kernels(with_tiles)

    assert os.environ[LIMIT] == "AVX512_CORE_FP16"


def test_a_given_limit_stays(with_tiles: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LIMIT, "DEFAULT")
    assert not avoid_tile_kernels(with_tiles)


@pytest.mark.parametrize("flags", ["flags : fpu avx2\n", None])
def test_other_machines_are_left_alone(
    flags: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(LIMIT, raising=False)
    path = tmp_path / "cpuinfo"
    if flags is not None:
        path.write_text(flags)
    assert not avoid_tile_kernels(path)
