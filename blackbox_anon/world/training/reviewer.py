"""Make the embedded world's initial weights: ``python -m blackbox_anon.world.training.reviewer``.

Takes the checkpoint of stage 0 (``blackbox-anon fit --config reconstruction.yaml``), writes the
anonymizer's weights, and trains the initial reviewer on what that anonymizer shows.
"""

import argparse
from pathlib import Path

from blackbox_anon.anonymizers import UNetAnonymizer
from blackbox_anon.evaluation import AttackBudget, anonymize_clips, draw_clips, train_attacker
from blackbox_anon.weights import save_weights
from blackbox_anon.world import PeopleWorld

ENCODER, DEPTH, WIDTH = "tu-tf_mobilenetv3_small_minimal_100", 3, 16


def main() -> None:
    """Parse arguments and write both files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", required=True, help="of stage 0, or 'peopleworld'")
    parser.add_argument("--out", type=Path, required=True, help="folder for both files")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--clips", type=int, default=2000)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--label-smoothing", type=float, default=0.1, help="as in demo.yaml")
    args = parser.parse_args()
    anonymizer = UNetAnonymizer(ENCODER, depth=DEPTH, width=WIDTH, weights=args.checkpoint).eval()
    save_weights(anonymizer, args.out / "anonymizer.safetensors")
    clips = draw_clips(PeopleWorld("train", length=args.clips, seed=args.seed), [2, 6])
    images = anonymize_clips(anonymizer, clips)
    attributes = clips.attributes.repeat_interleave(images.shape[1], 0)
    budget = AttackBudget(steps=args.steps, seed=args.seed, label_smoothing=args.label_smoothing)
    reviewer = train_attacker(images.flatten(0, 1), attributes, budget)
    save_weights(reviewer, args.out / "reviewer.safetensors")


if __name__ == "__main__":
    main()
