"""First stage of the embedded MLLM: teach the vision tower poses and attributes on single frames.

``python -m blackbox_anon.world.training.vision --out FILE``. Like the CLIP tower of a real MLLM it
meets its language model only afterwards.
"""

import argparse
import math
import time
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from blackbox_anon.world.actions import pose_at
from blackbox_anon.world.drawing import render, time_of
from blackbox_anon.world.people import PeopleWorld
from blackbox_anon.world.skeleton import joints_of
from blackbox_anon.world.training.architecture import build_model, normalise
from blackbox_anon.world.training.augmentation import augment


class _Frames(Dataset[tuple[Tensor, Tensor, Tensor, Tensor]]):
    """One frame per clip with the actor's key points, the attributes, place and object."""

    def __init__(self, world: PeopleWorld) -> None:
        self.world = world

    def __len__(self) -> int:
        return len(self.world)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        scene, t = self.world.scene(index), index % self.world.clip_frames
        pixels = render(scene, self.world.clip_frames, self.world.size, only=[t])[0]
        actor = scene.people[-1]
        pose = pose_at(actor.action, time_of(scene, t, self.world.clip_frames))
        j = joints_of(pose)
        points = torch.tensor([j.head, j.neck, j.hip, *j.hands, *j.feet, *j.elbows, *j.knees])
        across = actor.x + actor.facing * actor.height * points[:, 0]
        down = actor.ground - actor.height * points[:, 1]
        return (
            torch.from_numpy(pixels).permute(2, 0, 1),
            torch.cat([across, down]) - 0.5,
            torch.tensor(scene.attributes, dtype=torch.float32),
            torch.tensor([scene.place, scene.object]),
        )


def main() -> None:
    """Parse arguments and train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--lr", type=float, default=1e-3)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    generator = torch.Generator().manual_seed(args.seed)
    tower = build_model().model.video_tower.train()
    width = tower.config.hidden_size
    points, attributes, places = nn.Linear(width, 22), nn.Linear(width, 7), nn.Linear(width, 8)
    params = [p for m in (tower, points, attributes, places) for p in m.parameters()]
    optimizer = torch.optim.AdamW(params, lr=args.lr, weight_decay=0.05, betas=(0.9, 0.98))
    world = PeopleWorld("train", length=args.steps * args.batch_size, seed=args.seed)
    loader = DataLoader(_Frames(world), args.batch_size, num_workers=1)
    start, running = time.time(), torch.zeros(3)
    for step, (pixels, keypoints, present, kinds) in enumerate(loader):
        warm = min(1.0, (step + 1) / 200)
        rate = warm * (0.02 + 0.49 * (1 + math.cos(math.pi * step / args.steps)))
        for group in optimizer.param_groups:
            group["lr"] = args.lr * rate
        images = normalise(augment(pixels[:, None].float() / 255, generator, share=0.2)[:, 0])
        with torch.autocast("cpu", torch.bfloat16):
            hidden = tower(images).last_hidden_state
        pooled = hidden.float().mean(1)
        where = functional.smooth_l1_loss(points(pooled), keypoints, beta=0.05)
        which = functional.binary_cross_entropy_with_logits(attributes(pooled), present)
        place, thing = places(pooled).split(4, 1)
        what = functional.cross_entropy(place, kinds[:, 0])
        what = what + functional.cross_entropy(thing, kinds[:, 1])
        optimizer.zero_grad()
        (10 * where + which + 0.3 * what).backward()
        nn.utils.clip_grad_norm_(params, 1.0)
        optimizer.step()
        running += torch.stack([where, which, what]).detach() / 50
        if (step + 1) % 50 == 0:
            values = [round(v, 4) for v in running.tolist()]
            line = {"step": step + 1, "seconds": round(time.time() - start), "losses": values}
            print(line, flush=True)  # noqa: T201  # a training script's progress
            running.zero_()
        if (step + 1) % 500 == 0 or step + 1 == args.steps:
            save_file(tower.state_dict(), args.out)


if __name__ == "__main__":
    main()
