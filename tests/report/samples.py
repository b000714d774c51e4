"""Synthetic results, histories and clips for the report's tests."""

import torch
from torch import Tensor

from blackbox_anon.report import AttributeScore, MethodResult, Privacy, Results, Utility

ATTRIBUTES = ("skin colour", "gender", "face complete", "face partial", "semi-nudity", "personal")


def make_entry(method: str, utility: float, ap: float, *, queries: int = 0) -> MethodResult:
    per_attribute = {
        f"a{i}": AttributeScore(ap=ap + 0.01 * i, precision=0.123 + 0.01 * i, chance=0.3)
        for i in range(5)
    }
    per_attribute["a5_absent"] = AttributeScore(ap=None, precision=None, chance=0.0)
    return MethodResult(
        method=method,
        utility=Utility(name="Top-1", value=utility, ci95=(utility - 0.04, utility + 0.03)),
        privacy=Privacy(
            cmap_ap=ap, cmap_precision=ap - 0.1, chance_ap=0.3, per_attribute=per_attribute
        ),
        mllm_queries=queries,
        seconds=12.5,
    )


def make_results() -> Results:
    entries = [
        make_entry("raw", 0.90, 0.80),
        make_entry("blur 13", 0.72, 0.56),
        make_entry("blur 21", 0.55, 0.47),
        make_entry("downsample 2", 0.84, 0.74),
        make_entry("downsample 4", 0.71, 0.57),
        make_entry("downsample 8", 0.40, 0.42),
        make_entry("black box", 0.30, 0.44),
        make_entry("ours", 0.85, 0.42, queries=200_000),
    ]
    return Results(
        results=entries,
        config={"estimator": {"radius": 1e-3, "directions": 1}},
        seed=17,
        versions={"torch": "2.15.0", "blackbox-anon": "0.1.0"},
    )


def make_history(steps: int = 600) -> dict[str, list[float]]:
    noise = torch.randn(4, steps, generator=torch.Generator().manual_seed(0))
    time = torch.linspace(0, 1, steps)
    dead = (noise[0] > 1.8 - time).long().cumsum(0)
    return {
        "queries": [16.0 * (step + 1) for step in range(steps)],
        "utility_loss": (1.8 * torch.exp(-3 * time) + 0.4 + 0.15 * noise[0]).tolist(),
        "privacy_loss": (0.5 * torch.exp(-2 * time) + 0.2 + 0.05 * noise[1]).tolist(),
        "active": (noise[2] + time > 0.5).long().tolist(),
        "dead_pairs": dead.tolist(),
        "indicator": (0.1 + 0.02 * noise[3]).tolist(),
        "step_norm": (0.01 + 0.002 * noise[1].abs()).tolist(),
    }


def make_clip(frames: int = 8, size: int = 64) -> Tensor:
    """A bright disc that crosses a gradient, uint8 ``(T, 3, H, W)``."""
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    clip = torch.stack([x, y, (x + y) // 2]).expand(frames, 3, size, size) * 3
    clip = clip.clone().clamp(max=255)
    for t in range(frames):
        disc = (x - size * (t + 1) / (frames + 1)) ** 2 + (y - size / 2) ** 2 < (size / 6) ** 2
        clip[t][:, disc] = torch.tensor([240, 200, 60])[:, None]
    return clip.to(torch.uint8)


def pixelate(clip: Tensor, factor: int) -> Tensor:
    small = clip[..., factor // 2 :: factor, factor // 2 :: factor]
    return small.repeat_interleave(factor, -1).repeat_interleave(factor, -2)
