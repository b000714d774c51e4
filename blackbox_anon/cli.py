"""The command line: LightningCLI's ``fit|validate|test|predict``, ``data check``, ``demo``."""

import os
import sys
from collections.abc import Sequence

from blackbox_anon.allocator import keep_memory
from blackbox_anon.configs_path import resolve_configs
from blackbox_anon.errors import BlackboxAnonError

_USAGE = """usage: blackbox-anon {fit,validate,test,predict,data,demo} [options]

  fit, validate, test, predict   run a config:  blackbox-anon fit --config ucf.yaml
                                 a name without a folder is looked up in the working folder, then
                                 among the installed configs
  data check                     look at a config's data: found, missing, broken, labels
  demo                           train on the embedded world and compare with baselines

  blackbox-anon fit --help       options of a command
  blackbox-anon fit --model.help ActionRecognition     arguments of a class
"""


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line.

    Args:
        args: Arguments without the program's name; ``None`` takes the process's.

    Raises:
        SystemExit: With 2 for arguments that do not parse, with 1 and one message for errors that
            a user can mend.
    """
    keep_memory()
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    arguments = list(sys.argv[1:] if args is None else args)
    if not arguments or arguments in (["-h"], ["--help"]):
        sys.stdout.write(_USAGE)
        return
    try:
        if arguments[0] == "demo":
            from blackbox_anon.demo import main as demo

            demo(arguments[1:])
        elif arguments[0] == "data":
            from blackbox_anon.data_check import main as data

            data(arguments[1:])
        else:
            from blackbox_anon.lightning_cli import run

            run(resolve_configs(arguments))
    except BlackboxAnonError as error:
        sys.stderr.write(f"blackbox-anon: {error}\n")
        sys.exit(1)
