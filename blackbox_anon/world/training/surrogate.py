"""Write the embedded world's surrogate: ``python -m blackbox_anon.world.training.surrogate``.

Takes the checkpoint of ``blackbox-anon fit --config surrogate.yaml`` and writes its weights in half
precision.
"""

import argparse
from pathlib import Path

from blackbox_anon.surrogates import ClipSurrogate
from blackbox_anon.weights import save_weights
from blackbox_anon.world import PeopleWorld


def main() -> None:
    """Parse arguments and write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", required=True, help="of surrogate.yaml, or 'peopleworld'")
    parser.add_argument("--out", type=Path, required=True, help="folder for the file")
    args = parser.parse_args()
    surrogate = ClipSurrogate(len(PeopleWorld.classes), weights=args.checkpoint)
    save_weights(surrogate.half(), args.out / "surrogate.safetensors")


if __name__ == "__main__":
    main()
