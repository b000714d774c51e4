"""How well does the shipped MLLM answer on raw clips it has never seen?"""

import argparse
import json

import torch

from blackbox_anon.allocator import keep_memory
from blackbox_anon.errors import TooManyFailuresError
from blackbox_anon.mllms import HuggingFaceMLLM, Response, answered
from blackbox_anon.world import PeopleWorld


def main() -> None:
    """Print the share of exactly right answers per question, of those that were answered."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=400)
    parser.add_argument("--world-seed", type=int, default=54321)
    args = parser.parse_args()
    keep_memory()
    world = PeopleWorld("test", length=args.clips, seed=args.world_seed)
    mllm = HuggingFaceMLLM("peopleworld", dtype="float32", max_new_tokens=3, batch_size=32)
    clips = torch.stack([world.frames(i) for i in range(args.clips)])
    pairs = [world.question_answers(i) for i in range(args.clips)]
    shares: dict[str, float] = {}
    failed = 0
    for column in zip(*pairs, strict=True):
        answers = mllm.query(clips, [pair.question for pair in column])
        said = [(answers[i], column[i].answer) for i in answered(answers)]
        if not said:
            msg = f"All {len(answers)} calls failed. Last: {answers[-1]}"
            raise TooManyFailuresError(msg)
        failed += len(answers) - len(said)
        right = [a.text == expected for a, expected in said if isinstance(a, Response)]
        shares[column[0].question] = sum(right) / len(right)
        print(f"{shares[column[0].question]:.3f}  {column[0].question}", flush=True)
    attributes = list(shares.values())[1:8]
    mean = sum(attributes) / len(attributes)
    print(f"{mean:.3f}  mean of the {len(attributes)} attribute questions")
    print(f"{failed} calls failed and are in no share")
    found = {"shares": shares, "attributes": mean, "clips": args.clips, "mllm_failures": failed}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
