"""Every shipped config, found by glob, runs on fake data."""

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from blackbox_anon import datamodules
from blackbox_anon.cli import main
from blackbox_anon.configs_path import configs_folder
from blackbox_anon.mllms import HuggingFaceMLLM
from blackbox_anon.server import Running, ServiceOptions, serve
from tests.data import ucf
from tests.mllms import tiny_video_llava

CONFIGS = sorted(configs_folder().glob("*.yaml"))
TINY = Path(__file__).parent / "configs" / "tiny.yaml"
KEY = "sk-canary-0123456789abcdefXYZ"
ENCODER = "tu-tf_mobilenetv3_small_minimal_100"

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*unreadable:UserWarning"  # the fake UCF101 holds a broken clip on purpose
)
Config = dict[str, Any]


@pytest.fixture(scope="module")
def roots(
    ucf_root: Path,
    vispr_root: Path,
    hmdb_root: Path,
    pa_hmdb_root: Path,
    vp_hmdb_root: Path,
    vp_ucf_root: Path,
    okvqa_root: Path,
) -> dict[str, str]:
    """The fake data set for each folder that a config names."""
    return {
        "data/ucf": str(ucf_root),
        "data/vispr": str(vispr_root),
        "data/hmdb51": str(hmdb_root),
        "data/pa_hmdb51": str(pa_hmdb_root),
        "data/vp_hmdb51": str(vp_hmdb_root),
        "data/vp_ucf101": str(vp_ucf_root),
        "data/okvqa": str(okvqa_root),
    }


@pytest.fixture(scope="module")
def mllm(tmp_path_factory: pytest.TempPathFactory) -> Config:
    path = tiny_video_llava.make(tmp_path_factory.mktemp("weights"))
    return {"path": str(path), "dtype": "float32", "max_new_tokens": 1}


@pytest.fixture(scope="module")
def service() -> Iterator[Callable[[str], Running]]:
    """Serve the embedded MLLM under the names that configs ask for; none leaves this machine."""
    model = HuggingFaceMLLM("peopleworld", dtype="float32", max_new_tokens=2, num_logprobs=62)
    with ExitStack() as stack:

        @cache
        def named(name: str) -> Running:
            return stack.enter_context(serve(model, ServiceOptions(model=name)))

        yield named


def at_service(mllm: Config, service: Callable[[str], Running]) -> Config:
    """The black box as the config has it, wrappers and all, but the service is on this machine."""
    if mllm["class_path"] == "OpenAICompatibleMLLM":
        arguments: Config = {"base_url": service(mllm["init_args"]["model"]).base_url}
    else:
        arguments = {"mllm": at_service(mllm["init_args"]["mllm"], service)}
    given = {name: value for name, value in mllm["init_args"].items() if name != "mllm"}
    return {"class_path": mllm["class_path"], "init_args": {**given, **arguments}}


def overlay(
    config: Config, roots: dict[str, str], mllm: Config, service: Callable[[str], Running]
) -> Config:
    """Fake roots and weights, small networks, small batches; the rest is the config's own."""
    given = config["model"]["init_args"]
    if config["model"]["class_path"] == "SurrogateTask":
        surrogate = small_surrogate(given["surrogate"])
        return {
            "model": {"init_args": {"surrogate": surrogate}},
            "data": data_overlay(config["data"], roots),
        }
    anonymizer = {"encoder": ENCODER, "encoder_weights": None, "depth": 2, "width": 4}
    model: Config = {"anonymizer": {"init_args": {**anonymizer, "weights": None}}}
    if given["anonymizer"]["init_args"].get("weights") == "peopleworld":
        model = {}  # shipped with the package: they must fit the config as it is
    elif "mllm" in given:
        model["mllm"] = {"init_args": mllm}
        reviewer = {"backbone": "test_resnet", "pretrained": False, "weights": None}
        if "image_size" in given["reviewer"]["init_args"]:
            reviewer = {"backbone": "test_vit", "pretrained": False, "image_size": 32}
        model["reviewer"] = {"init_args": reviewer}
    guide = given.get("estimator", {}).get("init_args", {}).get("surrogate")
    if guide is not None:
        model["estimator"] = {"init_args": {"surrogate": small_surrogate(guide)}}
    if "OpenAICompatibleMLLM" in str(given.get("mllm")):
        model["mllm"] = at_service(given["mllm"], service)
    if "text_encoder" in str(given.get("scorer")):
        encoder = {"class_path": "CharacterNGramEncoder"}
        model["scorer"] = {"class_path": "RetrievalScorer", "init_args": {"text_encoder": encoder}}
    if "questions" in given:
        similarity = {"init_args": {"text_encoder": {"class_path": "CharacterNGramEncoder"}}}
        model["questions"] = {"init_args": {"similarity": similarity}}
    return {"model": {"init_args": model}, "data": data_overlay(config["data"], roots)}


def small_surrogate(surrogate: Config) -> Config:
    """A small one of the fake data's classes, or the shipped one."""
    if surrogate["init_args"]["num_classes"] != 101:  # the embedded world's
        return surrogate
    small = {"num_classes": len(ucf.CLASSES), "width": 4, "weights": None}
    return {"class_path": "ClipSurrogate", "init_args": small}


def data_overlay(data: Config, roots: dict[str, str]) -> Config:
    """The data as the config has them, from fake folders, in small batches of small frames."""
    if data["class_path"] == "PeopleWorldDataModule":
        small = {"train_clips": 2, "val_clips": 2, "test_clips": 2, "privacy_batch_size": 2}
        return {"init_args": {**small, "batch_size": 2}}
    sets = {k: v for k, v in data["init_args"].items() if isinstance(v, dict)}
    return {"init_args": {role: set_overlay(given, roots) for role, given in sets.items()}}


def set_overlay(given: Config, roots: dict[str, str]) -> Config:
    """One set of a pair."""
    arguments: Config = {"batch_size": 2, "num_workers": 0}
    for name, value in given["init_args"].items():
        if name == "root" or name.endswith("_root"):
            arguments[name] = roots[value]
    if given["class_path"] in ("VISPRDataModule", "OKVQADataModule"):
        arguments["size"] = 32
    else:
        arguments["reader"] = {"class_path": "ClipReader", "init_args": {"size": 32}}
    return {"class_path": given["class_path"], "init_args": arguments}


def test_every_data_module_has_a_config() -> None:
    text = "".join(path.read_text() for path in CONFIGS)
    modules = [name for name in datamodules.__all__ if name.endswith("DataModule")]
    assert [name for name in modules if name not in text] == ["AbstractDataModule"]


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_says_what_it_is(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("# ")
    assert "dict_kwargs" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_runs(
    path: Path,
    roots: dict[str, str],
    mllm: Config,
    service: Callable[[str], Running],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "argv", ["blackbox-anon"])
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.chdir(tmp_path)
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    laid = overlay(config, roots, mllm, service)
    (tmp_path / "overlay.yaml").write_text(yaml.safe_dump(laid), encoding="utf-8")
    for command in ("fit", "validate", "test"):
        main([command, "-c", str(path), "-c", str(TINY), "-c", "overlay.yaml"])
    for name in re.findall(r"OpenAICompatibleMLLM.*?'model': '([^']+)'", str(config)):
        stats = service(name).stats()
        assert stats["answered"] == stats["received"] > 0
    written = [file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()]
    assert not [text for text in written if KEY.encode() in text]


READ_FROM_FILES = [path for path in CONFIGS if "PairedDataModule" in path.read_text()]


@pytest.mark.parametrize("path", READ_FROM_FILES, ids=lambda path: path.stem)
def test_data_check(
    path: Path,
    roots: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    laid = {"data": data_overlay(config["data"], roots)}
    (tmp_path / "overlay.yaml").write_text(yaml.safe_dump(laid), encoding="utf-8")
    with pytest.raises(SystemExit) as caught:
        main(["data", "check", "-c", str(path), "-c", "overlay.yaml", "--quick"])
    report = capsys.readouterr().out
    assert caught.value.code == 1  # the fake sets are smaller than the official ones
    assert "NOT FOUND" not in report
    for stage in ("train", "val", "test"):
        assert f"{stage} utility: " in report
        assert f"{stage} privacy: " in report
