"""Make the embedded world's surrogate: ``python -m blackbox_anon.world.training.surrogate``.

It learns the action from raw clips and their labels; no MLLM is asked. Clips vary as they do while
the MLLM is trained: a network that knows raw clips only minds the faintest change of colour, and
an anonymizer would be told to make none.
"""

import argparse
import time
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from blackbox_anon.surrogates import ClipSurrogate
from blackbox_anon.weights import save_weights
from blackbox_anon.world.people import PeopleWorld
from blackbox_anon.world.training.augmentation import augment, distort
from blackbox_anon.world.training.objective import warm_cosine
from blackbox_anon.world.training.records import log


def train(args: argparse.Namespace) -> None:
    """Train from nothing; log every epoch, save in half precision."""
    torch.manual_seed(args.seed)
    generator = torch.Generator().manual_seed(args.seed)
    surrogate = ClipSurrogate(len(PeopleWorld.classes))
    optimizer = torch.optim.AdamW(surrogate.parameters(), lr=args.lr, weight_decay=0.01)
    clips, labels = _draw("train", args.clips, args.seed)
    shown, wanted = _draw("val", args.validation_clips, args.seed)
    batches, start = args.clips // args.batch_size, time.time()
    for epoch in range(args.epochs):
        order, running = torch.randperm(args.clips, generator=generator), 0.0
        for step, chosen in enumerate(order.split(args.batch_size)[:batches]):
            for group in optimizer.param_groups:
                rate = warm_cosine(epoch * batches + step, args.epochs * batches)
                group["lr"] = args.lr * rate
            seen = _vary(clips[chosen].float() / 255, generator, args.harsh)
            loss = functional.cross_entropy(surrogate(seen), labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            running += loss.item() / batches
        right = _accuracy(surrogate, shown, wanted)
        log(args.out, "surrogate", (epoch + 1) * batches, start, loss=running, action=right)
        save_weights(surrogate.half(), args.out / "surrogate.safetensors")
        surrogate.float()


def _vary(clips: Tensor, generator: torch.Generator, harsh: float) -> Tensor:
    """Distort a share of the clips, vary the others."""
    count = round(harsh * len(clips))
    return torch.cat([distort(clips[:count], generator), augment(clips[count:], generator)])


def _draw(split: str, count: int, seed: int) -> tuple[Tensor, Tensor]:
    world = PeopleWorld(split, length=count, seed=seed)
    drawn = [world.frames(i) for i in tqdm(range(count), desc=f"drawing {split}")]
    return torch.stack(drawn), torch.tensor([world.scene(i).action for i in range(count)])


@torch.no_grad()
def _accuracy(surrogate: ClipSurrogate, clips: Tensor, labels: Tensor) -> float:
    predicted = [surrogate(part.float() / 255).argmax(1) for part in clips.split(50)]
    return float((torch.cat(predicted) == labels).float().mean())


def main() -> None:
    """Parse arguments and train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for the weights")
    parser.add_argument("--seed", type=int, default=13)
    parser.add_argument("--clips", type=int, default=4000)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--lr", type=float, default=4e-3)
    parser.add_argument("--harsh", type=float, default=0.25, help="share of distorted clips")
    parser.add_argument("--validation-clips", type=int, default=300)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    train(args)


if __name__ == "__main__":
    main()
