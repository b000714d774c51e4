"""Build the data module of a config, and nothing else of it: no model, no trainer."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import yaml
from jsonargparse import ArgumentParser
from lightning.pytorch import LightningDataModule

from blackbox_anon import datamodules, decoding, world  # noqa: F401  # short class names
from blackbox_anon.configs_path import find_config
from blackbox_anon.errors import BlackboxAnonError


def configured_data(configs: Sequence[str], overrides: Sequence[str] = ()) -> LightningDataModule:
    """Build what ``data`` says in configs, later ones laid over earlier ones.

    Args:
        configs: Paths, or names of installed configs.
        overrides: Arguments such as ``--data.init_args.pairing=min_size``.

    Returns:
        The data module.

    Raises:
        BlackboxAnonError: If no config has ``data``, or a constructor refuses an argument.
        SystemExit: If an argument does not parse.
    """
    sections = [section for name in configs if (section := _data_section(find_config(name)))]
    if not sections:
        raise BlackboxAnonError(f"`--config` must have a section `data`; found none in {configs}")
    parser = ArgumentParser(prog="blackbox-anon data check")
    parser.add_argument("--config", action="config")
    parser.add_subclass_arguments(LightningDataModule, "data")
    with tempfile.TemporaryDirectory() as folder:
        arguments = []
        for i, section in enumerate(sections):
            file = Path(folder) / f"{i}.yaml"
            file.write_text(yaml.safe_dump({"data": section}), encoding="utf-8")
            arguments.append(f"--config={file}")
        parsed = parser.parse_args([*arguments, *overrides])
    try:
        data: LightningDataModule = parser.instantiate(parsed).data
    except ValueError as error:
        raise BlackboxAnonError(str(error)) from error
    return data


def _data_section(path: str) -> dict[str, object] | None:
    try:
        config = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise BlackboxAnonError(f"`--config` must be YAML; {path!r} is not: {error}") from error
    return config.get("data") if isinstance(config, dict) else None
