"""A black box with a cache."""

from pathlib import Path

from blackbox_anon.mllms import (
    AbstractMLLM,
    CachedMLLM,
)


def cached(mllm: AbstractMLLM, folder: Path) -> CachedMLLM:
    return CachedMLLM(mllm, path=str(folder / "cache.sqlite"))
