"""The demo's figures and page."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from blackbox_anon.callbacks import read_history
from blackbox_anon.datasets import ATTRIBUTE_NAMES
from blackbox_anon.evaluation import NO_CLASS, Measured
from blackbox_anon.report import (
    CaptionedFigure,
    Goals,
    Results,
    before_after,
    method_strip,
    report_html,
    training_curves,
    utility_privacy_plane,
)
from blackbox_anon.world import PeopleWorld

GOALS = Goals(utility_kept=0.9, reduction=0.3)
EXAMPLES = 4


def draw_report(
    out: Path,
    results: Results,
    measured: dict[str, Measured],
    test: PeopleWorld,
    history: Path | None,
    *,
    classes: Sequence[str],
) -> Path:
    """Write all PNGs and ``report.html``; return the page's path.

    Args:
        out: Output folder.
        results: All figures.
        measured: Every method's clips, answers and scores; ``raw`` and ``ours`` among them.
        test: The test clips' world.
        history: The training run's ``history.jsonl``.
        classes: Class texts in label order.
    """
    chosen = _examples(measured, test)
    _draw_examples(out / "before_after.png", measured, test, chosen, classes)
    strips = {name: method.clips[chosen[0]] for name, method in measured.items()}
    method_strip(strips, out / "methods.png")
    utility_privacy_plane(results, out / "plane.png", utility_chance=1 / len(classes))
    figures = [
        CaptionedFigure(
            path=out / "plane.png",
            caption="Utility against what an attacker trained from scratch recovers.",
        ),
        CaptionedFigure(
            path=out / "before_after.png",
            caption="Test clips before and after, the MLLM's answers and the attackers' scores.",
        ),
        CaptionedFigure(path=out / "methods.png", caption="The same clip under every method."),
    ]
    if history is not None:
        training_curves(read_history(history), out / "curves.png")
        figures.append(
            CaptionedFigure(path=out / "curves.png", caption="Training, against MLLM queries.")
        )
    return report_html(out, results, figures, title="Demo on the embedded world", goals=GOALS)


def _examples(measured: dict[str, Measured], test: PeopleWorld) -> list[int]:
    """Pick the first clips of different actions: no choice by outcome."""
    actions: dict[int, int] = {}
    for index in range(len(measured["raw"].clips)):
        actions.setdefault(test.scene(index).action, index)
    return list(actions.values())[:EXAMPLES]


def _draw_examples(
    path: Path,
    measured: dict[str, Measured],
    test: PeopleWorld,
    chosen: list[int],
    classes: Sequence[str],
) -> None:
    raw, ours = measured["raw"], measured["ours"]
    scenes = [test.scene(index) for index in chosen]

    def answers(predicted: Tensor) -> list[str]:
        named = [int(predicted[index]) for index in chosen]
        return ["no answer" if found == NO_CLASS else classes[found] for found in named]

    before_after(
        raw.clips[chosen],
        ours.clips[chosen],
        answers_raw=answers(raw.predicted),
        answers_anonymized=answers(ours.predicted),
        truth=[classes[scene.action] for scene in scenes],
        scores_raw=raw.scores[chosen],
        scores_anonymized=ours.scores[chosen],
        attribute_names=[ATTRIBUTE_NAMES[name] for name in test.attributes],
        present=torch.tensor([scene.attributes for scene in scenes]),
        path=path,
    )
