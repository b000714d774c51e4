"""First stage of the embedded MLLM: teach the vision tower poses and attributes on single frames.

``python -m blackbox_anon.world.training.vision --out FILE``. Like the CLIP tower of a real MLLM it
meets its language model only afterwards.
"""

import argparse
import time
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm
from transformers import VideoLlavaForConditionalGeneration

from blackbox_anon.world.actions import ACTIONS
from blackbox_anon.world.drawing import render
from blackbox_anon.world.people import PeopleWorld
from blackbox_anon.world.training.architecture import build_model, normalise
from blackbox_anon.world.training.augmentation import augment

LIGHT, STRONG = 0.03, 0.3  # share of each strong change
MOMENTS = 4
VALIDATION_FRAMES = 1000
ATTRIBUTES_WEIGHT, PLACE_WEIGHT = 3.0, 0.2  # beside poses


class _Frames(Dataset[tuple[Tensor, ...]]):
    """One frame per clip: the moment of its action, the attributes and the place.

    An action's quarters are the poses to tell apart: regressed key points taught the tower next to
    nothing in 1,500 steps, these classes did.
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
            torch.tensor(scene.place),
        )


def _draw(split: str, frames: int, seed: int) -> list[Tensor]:
    world = PeopleWorld(split, length=frames, seed=seed)
    drawn = list(tqdm(DataLoader(_Frames(world), 500, num_workers=2), desc=f"drawing {split}"))
    return [torch.cat(part) for part in zip(*drawn, strict=True)]


class _Tower(nn.Module):
    """The tower with linear read-outs of the mean of its tokens, which are dropped afterwards."""

    def __init__(self, resume_from: Path | None) -> None:
        super().__init__()
        model = build_model()
        if resume_from is not None:
            model = VideoLlavaForConditionalGeneration.from_pretrained(resume_from, dtype="float32")
        self.tower = model.model.video_tower
        width = self.tower.config.hidden_size
        self.poses, self.places = nn.Linear(width, len(ACTIONS) * MOMENTS), nn.Linear(width, 4)
        self.attributes = nn.Linear(width, 7)

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        pooled = self.tower(normalise(frames)).last_hidden_state.float().mean(1)
        return self.poses(pooled), self.attributes(pooled), self.places(pooled)


@torch.no_grad()
def _evaluate(learner: _Tower, held_out: list[Tensor]) -> dict[str, object]:
    """Accuracy on raw frames it has not seen."""
    learner.eval()
    poses, attributes, _ = learner(held_out[0].float() / 255)
    learner.train()
    right = ((attributes > 0) == (held_out[2] > 0)).float().mean(0)
    pose = (poses.argmax(1) == held_out[1]).float().mean()
    return {"pose": round(float(pose), 3), "attributes": [round(s, 3) for s in right.tolist()]}


def main() -> None:
    """Parse arguments and train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--resume-from", type=Path, help="folder of an earlier MLLM")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--steps", type=int, default=2500)
    parser.add_argument("--frames", type=int, default=40000)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--lr", type=float, default=1e-3)
    args = parser.parse_args()
    torch.manual_seed(args.seed)
    generator = torch.Generator().manual_seed(args.seed)
    learner = _Tower(args.resume_from).train()
    params = list(learner.parameters())
    optimizer = torch.optim.AdamW(params, lr=args.lr, weight_decay=0.02, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, args.lr, total_steps=args.steps, pct_start=0.08
    )
    pool = _draw("train", args.frames, args.seed)
    held_out = _draw("val", VALIDATION_FRAMES, args.seed)
    seen = 3 * args.batch_size // 4  # the others lose their colours: only poses can be told
    start, running = time.time(), torch.zeros(3)
    for step in range(args.steps):
        chosen = torch.randint(args.frames, (args.batch_size,), generator=generator)
        pixels, moments, present, places = (part[chosen] for part in pool)
        images = pixels[:, None].float() / 255
        images[:seen] = augment(images[:seen], generator, share=LIGHT)
        images[seen:] = augment(images[seen:], generator, share=STRONG)
        with torch.autocast("cpu", torch.bfloat16):
            pose, which, where = learner(images[:, 0])
        losses = torch.stack(
            [
                functional.cross_entropy(pose.float(), moments),
                functional.binary_cross_entropy_with_logits(which[:seen].float(), present[:seen]),
                functional.cross_entropy(where[:seen].float(), places[:seen]),
            ]
        )
        optimizer.zero_grad()
        (losses @ losses.new_tensor([1.0, ATTRIBUTES_WEIGHT, PLACE_WEIGHT])).backward()
        nn.utils.clip_grad_norm_(params, 1.0)
        optimizer.step()
        schedule.step()
        running += losses.detach() / 100
        if (step + 1) % 100 == 0:
            known = {"step": step + 1, "seconds": round(time.time() - start)}
            rounded = [round(value, 4) for value in running.tolist()]
            line = {**known, "losses": rounded, **_evaluate(learner, held_out)}
            print(line, flush=True)  # noqa: T201  # a training script's progress
            running.zero_()
        if (step + 1) % 500 == 0 or step + 1 == args.steps:
            save_file(learner.tower.state_dict(), args.out)


if __name__ == "__main__":
    main()
