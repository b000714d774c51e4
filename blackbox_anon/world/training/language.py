"""Second stage of the embedded MLLM: the language model learns to read the vision tower's tokens.

``python -m blackbox_anon.world.training.language --vision FILE --out DIR``. The tower is frozen, as
in Video-LLaVA's own first stage, so its tokens are computed once for every clip.
"""

import argparse
import time
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.utils.data import DataLoader
from tqdm import tqdm
from transformers import VideoLlavaForConditionalGeneration

from blackbox_anon.world.people import PeopleWorld
from blackbox_anon.world.training.architecture import build_model, build_processor, normalise
from blackbox_anon.world.training.augmentation import augment
from blackbox_anon.world.training.objective import (
    ASKED,
    BLOCK,
    AuxiliaryHeads,
    PackedClips,
    answer_loss,
    choose_questions,
    warm_cosine,
)
from blackbox_anon.world.training.records import evaluate, log, save
from blackbox_anon.world.training.sequences import packed_mask, packed_positions, prefix_tokens

LIGHT, STRONG = 0.05, 0.4  # share of each strong change in the two halves of a batch


@torch.no_grad()
def read_tokens(
    model: VideoLlavaForConditionalGeneration, world: PeopleWorld, *, workers: int, seed: int
) -> tuple[Tensor, ...]:
    """Compute the tower's tokens of every clip twice: lightly and strongly augmented.

    Returns:
        Tokens ``(2, clips, T * cells, width)`` in half precision, ids, labels, targets.
    """
    generator = torch.Generator().manual_seed(seed)
    texts: list[tuple[Tensor, ...]] = []
    cells = model.config.video_seq_length // world.clip_frames
    width = model.config.vision_config.hidden_size
    shape = (2, len(world), cells * world.clip_frames, width)
    tokens = torch.empty(shape, dtype=torch.float16)
    start = 0
    for frames, *text in tqdm(DataLoader(PackedClips(world), 16, num_workers=workers)):
        texts.append(tuple(text))
        for row, share in enumerate((LIGHT, STRONG)):
            clips = normalise(augment(frames.float() / 255, generator, share=share)).flatten(0, 1)
            read = model.model.video_tower(clips).last_hidden_state.reshape(len(frames), -1, width)
            tokens[row, start : start + len(frames)] = read.half()
        start += len(frames)
    return tokens, *(torch.cat(part) for part in zip(*texts, strict=True))


def train(args: argparse.Namespace) -> None:
    """Train the projector and the language model; log every 50 steps, save at evaluations."""
    torch.manual_seed(args.seed)
    generator = torch.Generator().manual_seed(args.seed)
    model, processor = build_model(), build_processor()
    if args.resume_from is not None:
        model = VideoLlavaForConditionalGeneration.from_pretrained(
            args.resume_from, dtype="float32"
        ).train()
    model.model.video_tower.load_state_dict(load_file(args.vision))
    model.model.video_tower.requires_grad_(False).eval()
    world = PeopleWorld("train", length=args.clips, seed=args.seed)
    start = time.time()
    if not args.tokens.exists():
        found = read_tokens(model, world, workers=args.workers, seed=args.seed + 1)
        torch.save(found, args.tokens)
    tokens, ids, labels, targets = torch.load(args.tokens)
    heads = AuxiliaryHeads(model.config.text_config.hidden_size, 8, 10, 7)
    learners: list[nn.Module] = [
        *(model.model.multi_modal_projector, model.model.language_model, model.lm_head, heads)
    ]
    params = [p for module in learners for p in module.parameters()]
    optimizer = torch.optim.AdamW(params, lr=args.lr, weight_decay=0.05, betas=(0.9, 0.98))
    prefix = prefix_tokens(processor.tokenizer, model.config.video_seq_length)
    spoken = torch.tensor(prefix[: -model.config.video_seq_length])
    mask = packed_mask(len(prefix), ASKED, BLOCK)
    positions = packed_positions(len(prefix), ASKED, BLOCK)
    running = torch.zeros(2)
    half = args.batch_size // 2
    for step in range(args.steps):
        for group in optimizer.param_groups:
            group["lr"] = args.lr * warm_cosine(step, args.steps)
        chosen = torch.randint(len(world), (args.batch_size,), generator=generator)
        seen = torch.cat([tokens[0, chosen[:half]], tokens[1, chosen[half:]]]).float()
        asked, wanted = choose_questions(ids[chosen], labels[chosen], generator)
        embed = model.get_input_embeddings()
        with torch.autocast("cpu", torch.bfloat16):
            projected = model.model.multi_modal_projector(seen)
            words = embed(spoken).expand(len(seen), -1, -1).to(projected)
            hidden = model.model.language_model(
                inputs_embeds=torch.cat([words, projected, embed(asked).to(projected)], 1),
                attention_mask=mask.expand(len(seen), -1, -1, -1),
                position_ids=positions.expand(len(seen), -1),
                use_cache=False,
            ).last_hidden_state
            logits = model.lm_head(hidden[:, len(prefix) - 1 : -1])
        answer = answer_loss(logits, wanted)
        auxiliary = heads(projected.float(), targets[chosen])
        optimizer.zero_grad()
        (answer + args.auxiliary * auxiliary).backward()
        nn.utils.clip_grad_norm_(params, 1.0)
        optimizer.step()
        running += torch.stack([answer, auxiliary]).detach() / 50
        if (step + 1) % 50 == 0:
            losses = {"answer": float(running[0]), "auxiliary": float(running[1])}
            log(args.out, "language", step + 1, start, **losses)
            running.zero_()
        if (step + 1) % args.evaluate_every == 0 or step + 1 == args.steps:
            shares = evaluate(model, clips=args.validation_clips, seed=args.seed)
            log(args.out, "language", step + 1, start, **shares)
            save(model, processor, args.out)


def main() -> None:
    """Parse arguments and train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vision", type=Path, required=True, help="weights of the first stage")
    parser.add_argument("--resume-from", type=Path, help="folder of an earlier MLLM")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--tokens", type=Path, required=True, help="made once, then read")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--clips", type=int, default=8000)
    parser.add_argument("--steps", type=int, default=520)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--auxiliary", type=float, default=0.5)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--evaluate-every", type=int, default=200)
    parser.add_argument("--validation-clips", type=int, default=300)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    train(args)


if __name__ == "__main__":
    main()
