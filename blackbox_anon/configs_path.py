"""Find configs by bare name among the installed ones."""

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from blackbox_anon.errors import BlackboxAnonError


def configs_folder() -> Path:
    """Return the folder of shipped configs: in the wheel, or beside the package in a checkout."""
    package = Path(str(files("blackbox_anon")))
    inside = package / "configs"
    return inside if inside.is_dir() else package.parent / "configs"


def find_config(name: str) -> str:
    """Return the path of a config.

    A file that exists is taken as it is; a bare name that is no file in the working folder is
    looked up among the installed configs.

    Raises:
        BlackboxAnonError: If there is no such file; the message lists what is installed.
    """
    if Path(name).is_file():
        return name
    installed = configs_folder() / name
    if Path(name).name == name and installed.is_file():
        return str(installed)
    known = ", ".join(sorted(path.name for path in configs_folder().glob("*.yaml")))
    raise BlackboxAnonError(
        f"`--config` must be a file or one of the installed configs ({known}); found {name!r}"
    )


def resolve_configs(args: Sequence[str]) -> list[str]:
    """Replace the value of every ``--config`` (``-c``) by the path of the config it names."""
    resolved: list[str] = []
    for argument in args:
        flag, equals, value = argument.partition("=")
        if equals and flag in ("--config", "-c"):
            resolved.append(f"{flag}={find_config(value)}")
        elif resolved and resolved[-1] in ("--config", "-c"):
            resolved.append(find_config(argument))
        else:
            resolved.append(argument)
    return resolved
