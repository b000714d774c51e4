"""The command line: LightningCLI's ``fit|validate|test|predict``, and commands of our own."""

import os
import sys
from collections.abc import Sequence

from blackbox_anon.allocator import keep_memory
from blackbox_anon.configs_path import resolve_configs
from blackbox_anon.errors import BlackboxAnonError, BudgetExhaustedError, TooManyFailuresError

_USAGE = """usage: blackbox-anon {fit,validate,test,predict,export,data,demo,ledger,mllm-server} ...

  fit, validate, test, predict   run a config:  blackbox-anon fit --config ucf.yaml
                                 a name without a folder is looked up in the working folder, then
                                 among the installed configs
                                 fit goes on where the same command was stopped; --fresh begins anew
  export                         write a checkpoint's anonymizer to a folder to be passed on
  fit --dry-run                  what a run would ask, cost and take; nothing is sent
  data check                     look at a config's data: found, missing, broken, labels
  demo                           train on the embedded world and compare with baselines
  mllm-server                    serve a local MLLM over HTTP, with faults, to rehearse a paid one
  ledger PATH                    what was spent: attempts, tokens and money by outcome and run

  blackbox-anon fit --help       options of a command
  blackbox-anon fit --model.help ActionRecognition     arguments of a class

exit codes: 1 an error that the message explains, 2 wrong arguments,
            3 a cap in queries, tokens or money is reached, 4 too many calls failed
"""


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line.

    Args:
        args: Arguments without the program's name; ``None`` takes the process's.

    Raises:
        SystemExit: With 2 for arguments that do not parse; with one message, 3 for an exhausted
            budget, 4 for too many failed calls, and 1 for other errors that a user can mend.
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
        elif arguments[0] == "export":
            from blackbox_anon.checkpoints.export_command import main as export

            export(arguments[1:])
        elif arguments[0] == "mllm-server":
            from blackbox_anon.server import main as mllm_server

            mllm_server(arguments[1:])
        elif arguments[0] == "ledger":
            from blackbox_anon.ledger.command import main as ledger

            ledger(arguments[1:])
        elif "--dry-run" in arguments:
            from blackbox_anon.ledger.dry_run import main as dry_run

            dry_run(resolve_configs(arguments))
        else:
            from blackbox_anon.lightning_cli import run

            run(resolve_configs(arguments))
    except BlackboxAnonError as error:
        sys.stderr.write(f"blackbox-anon: {error}\n")
        sys.exit(_exit_code(error))


def _exit_code(error: BlackboxAnonError) -> int:
    """Tell a script whether to raise the cap, to wait for the service, or to mend something."""
    if isinstance(error, BudgetExhaustedError):
        return 3
    return 4 if isinstance(error, TooManyFailuresError) else 1
