from pathlib import Path

import pytest
import torch

from blackbox_anon.demo.pictures import draw_report
from blackbox_anon.evaluation import Measured
from blackbox_anon.report import AttributeScore, MethodResult, Privacy, Results, Utility
from blackbox_anon.world import PeopleWorld

CLIPS = 6


@pytest.fixture
def world() -> PeopleWorld:
    return PeopleWorld("test", length=CLIPS, seed=3)


def measured(world: PeopleWorld, method: str, utility: float) -> Measured:
    clips = torch.stack([world.frames(index) for index in range(CLIPS)])
    attributes = {
        name: AttributeScore(ap=0.5, precision=0.4, chance=0.3) for name in world.attributes
    }
    result = MethodResult(
        method=method,
        utility=Utility(name="Top-1", value=utility, ci95=(utility - 0.1, utility + 0.1)),
        privacy=Privacy(cmap_ap=0.5, cmap_precision=0.4, chance_ap=0.3, per_attribute=attributes),
        mllm_queries=CLIPS,
        seconds=1.0,
    )
    return Measured(
        result=result,
        clips=clips if method == "raw" else 255 - clips,
        predicted=torch.zeros(CLIPS, dtype=torch.int64),
        scores=torch.full((CLIPS, 7), 0.5),
    )


@pytest.mark.parametrize("curves", [True, False], ids=["with curves", "without"])
def test_report_holds_every_picture(tmp_path: Path, world: PeopleWorld, *, curves: bool) -> None:
    history = tmp_path / "history.jsonl"
    row = '{"utility_loss": 1.0, "privacy_loss": 0.5, "active": 0.0, "queries": %d}\n'
    history.write_text("".join(row % (16 * (step + 1)) for step in range(3)))
    found = {name: measured(world, name, value) for name, value in (("raw", 0.8), ("ours", 0.7))}
    results = Results(
        results=[method.result for method in found.values()], config={}, seed=0, versions={}
    )
    page = draw_report(
        tmp_path,
        results,
        found,
        world,
        history if curves else None,
        classes=PeopleWorld.classes,
    )
    drawn = {path.name for path in tmp_path.glob("*.png")}
    assert drawn == {"plane.png", "before_after.png", "methods.png"} | (
        {"curves.png"} if curves else set()
    )
    text = page.read_text(encoding="utf-8")
    assert text.count("data:image/png;base64") == len(drawn)
