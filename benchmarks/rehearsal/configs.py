"""The demo with a local black box, and the same demo over a service, as plain values."""

from pathlib import Path
from typing import Any

import yaml

from blackbox_anon.configs_path import find_config

Config = dict[str, Any]
LOCAL, SERVICE = "demo.yaml", "demo_service.yaml"


def local_config(*, batch_size: int | None = None) -> Config:
    """Return ``demo.yaml``, whose black box is asked as a served one answers.

    Args:
        batch_size: Of the black box, if not the config's.
    """
    config = _load(LOCAL)
    mllm = config["model"]["init_args"]["mllm"]["init_args"]
    mllm["cpu_workers"] = 0  # all threads for one batch, the reviewer's turn comes later
    if batch_size is not None:
        mllm["batch_size"] = batch_size
    return config


def service_config(
    base_url: str, *, retrying: Config | None = None, service: Config | None = None
) -> Config:
    """Return ``demo_service.yaml`` for a service elsewhere.

    Args:
        base_url: Of the service.
        retrying: Arguments of ``RetryingMLLM`` that differ from the config's.
        service: Arguments of ``OpenAICompatibleMLLM`` that do.
    """
    config = _load(SERVICE)
    found = arguments_of(config)
    found["RetryingMLLM"] |= retrying or {}
    found["OpenAICompatibleMLLM"] |= {"base_url": base_url, **(service or {})}
    return config


def arguments_of(config: Config) -> dict[str, Config]:
    """Return the arguments of a config's black box and of all that is in it, by class."""
    found: dict[str, Config] = {}
    inner: Config | None = config["model"]["init_args"]["mllm"]
    while inner is not None:
        found[inner["class_path"]] = inner["init_args"]
        inner = inner["init_args"].get("mllm")
    return found


def shorten(config: Config, steps: int, *, clips_per_step: int | None = None) -> Config:
    """Return a config that ends after some steps; fewer clips a step make it a smaller run, too."""
    config["trainer"]["limit_train_batches"] = steps
    if clips_per_step is not None:
        small = {"batch_size": clips_per_step, "val_clips": clips_per_step}
        config["data"]["init_args"] |= small
    return config


def write_config(config: Config, folder: Path) -> Path:
    """Write a config to a folder of its own, where its run is to be."""
    folder.mkdir(parents=True)
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    return path


def _load(name: str) -> Config:
    loaded: Config = yaml.safe_load(Path(find_config(name)).read_text(encoding="utf-8"))
    loaded["data"]["init_args"]["num_workers"] = 0  # a worker gives way to all else that runs
    loaded["data"]["init_args"]["keep_drawn"] = False  # a few steps need few of them
    return loaded
