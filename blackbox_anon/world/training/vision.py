"""First stage of the embedded MLLM: teach the vision tower poses and attributes on single frames.

``python -m blackbox_anon.world.training.vision --out FILE``. Like the CLIP tower of a real MLLM it
meets its language model only afterwards.
"""

import argparse
import time
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from blackbox_anon.world.actions import ACTIONS
from blackbox_anon.world.drawing import render
from blackbox_anon.world.people import PeopleWorld
from blackbox_anon.world.training.architecture import LAYER, WIDTH, build_model, normalise
from blackbox_anon.world.training.augmentation import augment

LIGHT, STRONG = 0.02, 0.2  # share of each strong change
MOMENTS = 4


class _Frames(Dataset[tuple[Tensor, ...]]):
    """One frame per clip: the moment of its action, the attributes, place and object.

    An action's quarters are the poses to tell apart. Key points, regressed, taught the tower next
    to nothing in 1,500 steps.
    """

    def __init__(self, world: PeopleWorld) -> None:
        self.world = world

    def __len__(self) -> int:
        return len(self.world)

    def __getitem__(self, index: int) -> tuple[Tensor, ...]:
        scene, t = self.world.scene(index), index % self.world.clip_frames
        pixels = render(scene, self.world.clip_frames, self.world.size, only=[t])[0]
        moment = t * MOMENTS // self.world.clip_frames
        return (
            torch.from_numpy(pixels).permute(2, 0, 1),
            torch.tensor(scene.action * MOMENTS + moment),
            torch.tensor(scene.attributes, dtype=torch.float32),
            torch.tensor([scene.place, scene.object]),
        )


def main() -> None:
    """Parse arguments and train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--resume-from", type=Path, help="a tower that knows attributes already")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--frames", type=int, default=30000)
    parser.add_argument("--batch-size", type=int, default=96)
    parser.add_argument("--lr", type=float, default=3e-3)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    generator = torch.Generator().manual_seed(args.seed)
    tower = build_model().model.video_tower.train()
    if args.resume_from is not None:
        tower.load_state_dict(load_file(args.resume_from))
    poses = nn.Linear(WIDTH, len(ACTIONS) * MOMENTS)
    attributes, places = nn.Linear(WIDTH, 7), nn.Linear(WIDTH, 8)
    params = [p for m in (tower, poses, attributes, places) for p in m.parameters()]
    optimizer = torch.optim.Adam(params, lr=args.lr)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, args.lr, total_steps=args.steps, pct_start=0.08
    )
    world = PeopleWorld("train", length=args.frames, seed=args.seed)
    drawn = list(tqdm(DataLoader(_Frames(world), 500, num_workers=2), desc="drawing"))
    pool = [torch.cat(part) for part in zip(*drawn, strict=True)]
    start, running, hits = time.time(), torch.zeros(3), torch.zeros(7)
    for step in range(args.steps):
        chosen = torch.randint(args.frames, (args.batch_size,), generator=generator)
        pixels, moments, present, kinds = (part[chosen] for part in pool)
        # Attributes first: together with poses they stayed at chance for long.
        easy = args.resume_from is None and step < args.steps // 4
        seen = args.batch_size if easy else 2 * args.batch_size // 3
        images = pixels[:, None].float() / 255
        images[:seen] = augment(images[:seen], generator, share=LIGHT)
        if not easy:  # the others lose their colours: only poses can be told
            images[seen:] = augment(images[seen:], generator, share=STRONG)
        hidden = tower(normalise(images[:, 0]), output_hidden_states=True).hidden_states[LAYER]
        pooled = hidden[:seen].mean(1)
        pose = functional.cross_entropy(poses(hidden.mean(1)), moments)
        logits = attributes(pooled)
        which = functional.binary_cross_entropy_with_logits(logits, present[:seen])
        place, thing = places(pooled).split(4, 1)
        what = functional.cross_entropy(place, kinds[:seen, 0])
        what = what + functional.cross_entropy(thing, kinds[:seen, 1])
        optimizer.zero_grad()
        (pose + which + 0.3 * what).backward()
        nn.utils.clip_grad_norm_(params, 1.0)
        optimizer.step()
        schedule.step()
        running += torch.stack([pose, which, what]).detach() / 50
        hits += ((logits > 0) == (present[:seen] > 0)).float().mean(0) / 50
        if (step + 1) % 50 == 0:
            line = {
                "step": step + 1,
                "seconds": round(time.time() - start),
                "losses": [round(value, 4) for value in running.tolist()],
                "attributes": [round(share, 2) for share in hits.tolist()],
            }
            print(line, flush=True)  # noqa: T201  # a training script's progress
            running.zero_()
            hits.zero_()
        if (step + 1) % 500 == 0 or step + 1 == args.steps:
            save_file(tower.state_dict(), args.out)


if __name__ == "__main__":
    main()
