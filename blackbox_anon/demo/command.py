"""The demo from end to end."""

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
import yaml
from lightning.pytorch.cli import LightningCLI
from tqdm import tqdm

from blackbox_anon.anonymizers import AbstractAnonymizer, BlackOut, Blur, Downsample, Identity
from blackbox_anon.callbacks import HistoryRecorder
from blackbox_anon.configs_path import find_config
from blackbox_anon.demo.pictures import draw_report
from blackbox_anon.errors import BlackboxAnonError
from blackbox_anon.evaluation import (
    AttackBudget,
    Measured,
    Question,
    Shown,
    draw_clips,
    judge,
    show,
)
from blackbox_anon.report import Results, format_table, write_results
from blackbox_anon.tasks import ActionRecognition
from blackbox_anon.threads import SideBySide
from blackbox_anon.world import PeopleWorld

WORLD_OFFSET = 1000  # the MLLM was trained on world 0: no demo shows it a clip again
ATTACK_FRAMES = [1, 6]  # frames of a training clip that the attacker learns from
TEST_CLIPS, ATTACK_CLIPS = 400, 1200

OURS = "ours"
CONFIG = "demo_fast.yaml"
"""The default; ``demo.yaml`` is the same with the paper's estimator, and no fewer calls."""


def baselines() -> dict[str, AbstractAnonymizer]:
    """Return raw data and the field's heuristics, by their names in the table."""
    return {
        "raw": Identity(),
        "downsample-2x": Downsample(2),
        "downsample-4x": Downsample(4),
        "downsample-8x": Downsample(8),
        "weak blur": Blur(13, 10.0),
        "strong blur": Blur(21, 10.0),
        "black-out": BlackOut(),
    }


def main(args: Sequence[str]) -> None:
    """Parse the demo's arguments and run it."""
    parser = argparse.ArgumentParser(prog="blackbox-anon demo", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="seed of the run and of its clips")
    parser.add_argument("--out", type=Path, default=Path("runs/demo"), help="output folder")
    parser.add_argument("--config", default=CONFIG, help="config of the training run")
    parsed = parser.parse_args(args)
    if parsed.seed < 0:
        raise BlackboxAnonError(f"`--seed` must not be negative; found {parsed.seed}")
    run_demo(seed=parsed.seed, out=parsed.out, config=parsed.config)


def run_demo(*, seed: int, out: Path, config: str = CONFIG) -> Results:
    """Train, compare, and write ``results.json``, ``report.html`` and its pictures to ``out``.

    Args:
        seed: Seed of training, of the clips and of the attackers.
        out: Output folder.
        config: Config of the training run: a file or an installed one.

    Returns:
        What ``results.json`` holds.
    """
    out.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    _say(f"1/3  training the anonymizer against the black box ({config})")
    cli = _fit(seed, out, config)
    trained = time.monotonic() - start
    task = cli.model
    assert isinstance(task, ActionRecognition)
    _say(f"2/3  measuring it and {len(baselines())} baselines with attackers trained from scratch")
    measured = _compare(task, seed)
    results = Results(
        results=[m.result for m in measured.values()],
        config=_plain_config(find_config(config)) | {"training_seconds": round(trained, 1)},
        seed=seed,
        versions={name: version(name) for name in ("blackbox-anon", "torch", "lightning")},
    )
    write_results(results, out / "results.json")
    _say("3/3  drawing")
    history = next(c for c in cli.trainer.callbacks if isinstance(c, HistoryRecorder))  # type: ignore[attr-defined]  # a list
    test = _worlds(seed)["test"]
    page = draw_report(out, results, measured, test, history.path, classes=task.classes)
    _say(format_table(results))
    _say(f"\n{page}\n{out / 'results.json'}\n{time.monotonic() - start:.0f} s in all")
    return results


def _fit(seed: int, out: Path, config: str) -> LightningCLI:
    from blackbox_anon.lightning_cli import run

    path = find_config(config)
    return run(
        [
            "fit",
            f"--config={path}",
            f"--seed_everything={seed}",
            f"--data.init_args.world_seed={WORLD_OFFSET + seed}",
            f"--data.init_args.seed={seed}",
            f"--{seed_of_estimator(_plain_config(path))}={seed}",
            f"--trainer.logger.init_args.save_dir={out}",
            f"--trainer.default_root_dir={out}",
        ],
        fresh="if finished",
    )


def seed_of_estimator(config: Mapping[str, Any]) -> str:
    """Return the key of the estimator's seed, the innermost one's where one wraps another.

    Args:
        config: A run's configuration.
    """
    key, node = "model", config["model"]
    while "estimator" in (arguments := node.get("init_args", {})):
        key, node = f"{key}.init_args.estimator", arguments["estimator"]
    return f"{key}.init_args.seed"


def _worlds(seed: int) -> dict[str, PeopleWorld]:
    lengths = {"train": ATTACK_CLIPS, "test": TEST_CLIPS}
    return {
        split: PeopleWorld(split, length=length, seed=WORLD_OFFSET + seed)
        for split, length in lengths.items()
    }


def _compare(task: ActionRecognition, seed: int) -> dict[str, Measured]:
    worlds = _worlds(seed)
    with tqdm(total=ATTACK_CLIPS + TEST_CLIPS, desc="drawing clips", leave=False) as bar:
        train = draw_clips(worlds["train"], ATTACK_FRAMES, progress=bar.update)
        test = draw_clips(worlds["test"], progress=bar.update)
    question = Question(prompt=task.prompt, classes=task.classes, scorer=task.scorer)
    methods = {**baselines(), OURS: task.anonymizer.eval()}
    side_by_side = SideBySide(torch.get_num_threads())  # attackers are small: a core for each

    def attack(shown: Shown) -> Measured:
        attributes, budget = PeopleWorld.attributes, AttackBudget(seed=seed)
        found = judge(shown, train=train, test=test, budget=budget, attributes=attributes)
        bar.update()
        return found

    with torch.random.fork_rng(devices=[]), tqdm(total=2 * len(methods), leave=False) as bar:
        shown = []
        for name, anonymizer in methods.items():
            bar.set_description(name)
            shown.append(show(name, anonymizer, task.mllm, question, train=train, test=test))
            bar.update()
        bar.set_description("attackers")
        measured = side_by_side.run([partial(attack, one) for one in shown])
    return dict(zip(methods, measured, strict=True))


def _plain_config(path: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    return loaded


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
