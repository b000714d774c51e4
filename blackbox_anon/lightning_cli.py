"""LightningCLI with this package's classes known by their short names."""

from collections.abc import Sequence
from pathlib import Path

from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.cli import LightningCLI
from lightning.pytorch.utilities.exceptions import SIGTERMException

# Short class names in configs work for classes that were imported.
from blackbox_anon import (
    anonymizers,  # noqa: F401
    callbacks,  # noqa: F401
    checkpoints,  # noqa: F401
    datamodules,  # noqa: F401
    decoding,  # noqa: F401
    estimators,  # noqa: F401
    judges,  # noqa: F401
    mllms,  # noqa: F401
    reviewers,  # noqa: F401
    scalarizations,  # noqa: F401
    scorers,  # noqa: F401
    surrogates,  # noqa: F401
    tasks,  # noqa: F401
    world,  # noqa: F401
)
from blackbox_anon.errors import BlackboxAnonError, WeightsNotFoundError
from blackbox_anon.resuming_cli import Fresh, ResumingCLI
from blackbox_anon.weights import read_checkpoint

_WORDS = ("best", "last", "hparams", "registry")  # checkpoint names that Lightning resolves itself
_FRESH = "--fresh"
_STOPPED_BY_SIGTERM, _STOPPED_BY_CTRL_C = 128 + 15, 128 + 2  # as shells report them


def run(args: Sequence[str], *, fresh: Fresh = "never", execute: bool = True) -> LightningCLI:
    """Parse ``args`` (with the subcommand) and run it.

    Optimizers are arguments of the tasks, one per party, so ``--optimizer`` is off: it would
    replace them all by one. The parsed config is saved beside the logs. ``fit`` goes on where the
    same command was stopped; where it is finished, it says so and does nothing.

    Args:
        args: The arguments; ``--fresh`` among them makes ``fresh`` ``"always"``.
        fresh: When to begin anew although the same command ran before.
        execute: False only builds what the config says; ``args`` then have no subcommand.

    Raises:
        BlackboxAnonError: For a checkpoint that is missing or does not fit, and for settings that
            the trainer refuses.
        SystemExit: With 143 after SIGTERM and 130 after Ctrl-C.
    """
    _check_checkpoint(args)
    given = [argument for argument in args if argument != _FRESH]
    try:
        return ResumingCLI(
            given, fresh="always" if len(given) < len(args) else fresh, execute=execute
        )
    except SIGTERMException as stopped:
        raise SystemExit(_STOPPED_BY_SIGTERM) from stopped
    except SystemExit as stopped:
        if isinstance(stopped.__context__, KeyboardInterrupt):
            raise SystemExit(_STOPPED_BY_CTRL_C) from stopped
        raise
    except MisconfigurationException as error:
        raise BlackboxAnonError(str(error)) from error
    except ValueError as error:
        reason = _reason(error)
        if reason is None:
            raise
        raise BlackboxAnonError(reason) from error
    except RuntimeError as error:
        if "loading state_dict" not in str(error):
            raise
        lines = "; ".join(line.strip() for line in str(error).splitlines()[:3])
        msg = f"`--ckpt_path` must fit the configured model; it does not: {lines}"
        raise WeightsNotFoundError(msg) from error


def _reason(error: ValueError) -> str | None:
    """Find what a constructor of ours refused; the parser buries it under the whole config."""
    innermost: BaseException = error
    while innermost.__cause__ is not None:
        innermost = innermost.__cause__
    ours = isinstance(innermost, BlackboxAnonError) or str(innermost).startswith("`")
    return str(innermost) if ours and innermost is not error else None


def _check_checkpoint(args: Sequence[str]) -> None:
    path = _value_of("--ckpt_path", args)
    if path is None or path in _WORDS or path == "null":
        return
    if not Path(path).is_file():
        raise WeightsNotFoundError(
            f"`--ckpt_path` must be a checkpoint file; found none at {path!r}"
        )
    found = read_checkpoint(Path(path), "meta")
    if found is None or "pytorch-lightning_version" not in found:
        msg = f"`--ckpt_path` must be a checkpoint written by a run; {path!r} is something else"
        raise WeightsNotFoundError(msg)


def _value_of(flag: str, args: Sequence[str]) -> str | None:
    for position, argument in enumerate(args):
        if argument == flag and position + 1 < len(args):
            return args[position + 1]
        if argument.startswith(f"{flag}="):
            return argument.removeprefix(f"{flag}=")
    return None
