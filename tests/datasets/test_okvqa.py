import json
import shutil
from collections import Counter
from pathlib import Path

import pytest
import torch

from blackbox_anon.datasets import OKVQA, OKVQAPrivacy, UnreadableFileError, collate
from blackbox_anon.errors import DatasetNotFoundError
from tests.data import okvqa
from tests.data.real import ROOT, needs_real_data

POSITIVES = {
    "a17_color": 779,
    "a4_gender": 738,
    "a10_face_partial": 365,
    "a9_face_complete": 293,
    "a65_rel_social": 263,
    "a64_rel_personal": 41,
    "a12_semi_nudity": 32,
}


def test_questions_of_the_two_categories(okvqa_root: Path) -> None:
    train, test = (OKVQA(okvqa_root, split) for split in ("train2014", "val2014"))
    assert train.names == ["train2014/516060", "train2014/516061", "train2014/83"]
    assert [question.category for question in test.questions] == [
        "Sports and Recreation",
        "People and Everyday life",
        "People and Everyday life",
    ]
    assert len(OKVQA(okvqa_root, "val2014", categories=None)) == 4
    assert len(OKVQA(okvqa_root, categories=["vehicles and transportation"])) == 1


def test_a_sample(okvqa_root: Path) -> None:
    sample = OKVQA(okvqa_root, size=32)[0]
    assert sample.keys() == {"frames", "question", "answers", "name"}
    assert sample["frames"].shape == (3, 32, 32)
    assert sample["question"] == "What is the hairstyle called?"
    assert Counter(sample["answers"]) == {"pony tail": 6, "braid": 2, "ponytail": 2}


def test_which_answers(okvqa_root: Path) -> None:
    stemmed, raw = (OKVQA(okvqa_root, answers=field)[1] for field in ("answer", "raw_answer"))
    assert stemmed["answers"] == ["surf"] * 10
    assert raw["answers"] == ["surfing"] * 10


def test_files_and_targets_open_no_media(okvqa_root: Path) -> None:
    dataset = OKVQA(okvqa_root)
    assert dataset.file(2) == okvqa_root / "train2014" / okvqa.MISSING
    assert dataset.origins[2] == okvqa.MISSING
    assert dataset.targets(2)["question"] == "Who is this?"
    with pytest.raises(UnreadableFileError, match=okvqa.MISSING):
        dataset[2]


def test_answers_stay_together_in_a_batch(okvqa_root: Path) -> None:
    dataset = OKVQA(okvqa_root, size=32)
    batch = collate([{**dataset[0], "unreadable": ["x"]}, {**dataset[1], "unreadable": []}])
    assert [len(answers) for answers in batch["answers"]] == [10, 10]
    assert batch["answers"][1] == ["surf"] * 10
    assert batch["question"] == ["What is the hairstyle called?", "What is she doing?"]
    assert batch["frames"].shape == (2, 3, 32, 32)
    assert batch["unreadable"] == ["x"]


def test_questions_join_their_answers_by_id(okvqa_root: Path) -> None:
    dataset = OKVQA(okvqa_root, "val2014", categories=None, answers="raw_answer")
    first = [question.answers[0] for question in dataset.questions]
    assert first == ["tennis", "christmas", "hat", "bread"]


def test_privacy_records(okvqa_root: Path, caplog: pytest.LogCaptureFixture) -> None:
    dataset = OKVQAPrivacy(okvqa_root, size=32)
    assert [dataset.targets(i)["attributes"].tolist() for i in range(4)] == [
        [1, 0, 0, 0, 0, 0, 0],
        [1, 0, 0, 1, 0, 0, 1],
        [0, 0, 0, 0, 0, 0, 0],
        [0, 1, 0, 0, 0, 0, 0],
    ]
    assert dataset.names[2:] == [f"COCO_val2014_000000067422.jpg/{i}" for i in (2, 3)]
    assert dataset.origins[2] == dataset.origins[3]
    assert "1 images have several records" in caplog.text
    assert dataset[0]["frames"].shape == (3, 32, 32)
    chosen = OKVQAPrivacy(okvqa_root, attributes=["a65_rel_social", "a17_color"])
    assert chosen.targets(1)["attributes"].tolist() == [1, 1]


def test_missing_and_damaged_parts(okvqa_root: Path, tmp_path: Path) -> None:
    for dataset in (OKVQA, OKVQAPrivacy):
        with pytest.raises(DatasetNotFoundError, match=r"(?s)not found: no .*COCO"):
            dataset(tmp_path)
    shutil.copytree(okvqa_root, tmp_path / "copy")
    root = tmp_path / "copy"
    annotations = root / "mscoco_train2014_annotations.json"
    content = json.loads(annotations.read_text())
    content["annotations"].pop()
    annotations.write_text(json.dumps(content))
    with pytest.raises(DatasetNotFoundError, match="expected a question and its answers"):
        OKVQA(root)
    content["annotations"][0]["answers"] = []
    annotations.write_text(json.dumps(content))
    with pytest.raises(DatasetNotFoundError, match="expected a question and its answers"):
        OKVQA(root)
    annotations.write_text("{}")
    with pytest.raises(DatasetNotFoundError, match="a list 'annotations', found none"):
        OKVQA(root)
    annotations.write_text("{")
    with pytest.raises(DatasetNotFoundError, match="expected JSON"):
        OKVQA(root)
    annotations.unlink()
    with pytest.raises(DatasetNotFoundError, match=r"no .*mscoco_train2014_annotations"):
        OKVQA(root)


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ("[]", "expected records, found none"),
        ("{}", "expected records, found none"),
        ('[{"id": 1}]', "KeyError: 'image'"),
        ('[{"image": "a.jpg", "id": 1, "choice": {"choice": []}}]', "KeyError: 'choices'"),
        ('[{"image": "a.jpg", "id": 1, "choice": "a17_colour"}]', "found .*a17_colour"),
        ("[", "JSONDecodeError"),
    ],
)
def test_damaged_privacy_records(records: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "annotations.json").write_text(records)
    with pytest.raises(DatasetNotFoundError, match=message):
        OKVQAPrivacy(tmp_path)


def test_bad_arguments(okvqa_root: Path) -> None:
    with pytest.raises(ValueError, match="split: expected train2014 or val2014, found 'test'"):
        OKVQA(okvqa_root, "test")  # type: ignore[arg-type]  # what a config could say
    with pytest.raises(ValueError, match="answers: expected 'answer' or 'raw_answer'"):
        OKVQA(okvqa_root, answers="raw")  # type: ignore[arg-type]  # the same
    with pytest.raises(ValueError, match=r"categories: .*found \['Sport'\]"):
        OKVQA(okvqa_root, categories=["Sport"])
    with pytest.raises(ValueError, match=r"categories: .*found \[\]"):
        OKVQA(okvqa_root, categories=[])
    with pytest.raises(ValueError, match=r"attributes: .*found \['a59_sports'\]"):
        OKVQAPrivacy(okvqa_root, attributes=["a59_sports"])


@needs_real_data
def test_real_privacy_records(tmp_path: Path) -> None:
    (tmp_path / "val2014").mkdir()
    shutil.copy(ROOT / "okvqa" / "privacy_annotations.json", tmp_path / "annotations.json")
    dataset = OKVQAPrivacy(tmp_path)
    labels = torch.stack([dataset.targets(i)["attributes"] for i in range(len(dataset))])
    assert len(dataset) == len(set(dataset.names)) == 994
    assert len(set(dataset.origins)) == 993
    found = dict(zip(dataset.attributes, labels.sum(0).int().tolist(), strict=True))
    assert found == POSITIVES
    assert int((labels.sum(1) == 0).sum()) == 173
    [twice] = [name for name, count in Counter(dataset.origins).items() if count == 2]
    first, second = (labels[i] for i, name in enumerate(dataset.origins) if name == twice)
    assert not torch.equal(first, second)
    assert labels.mean().item() == pytest.approx(0.361, abs=5e-4)  # chance level of its cMAP


@needs_real_data
def test_a_real_question(tmp_path: Path) -> None:
    record = json.loads((ROOT / "okvqa" / "okvqa_one_record.json").read_text())
    for key, name in (("questions", "OpenEnded_{}_questions"), ("annotations", "{}_annotations")):
        file = tmp_path / f"{name.format('mscoco_train2014')}.json"
        file.write_text(json.dumps(record[f"{key}_file"]))
    (tmp_path / "train2014").mkdir()
    dataset = OKVQA(tmp_path)
    assert dataset.targets(0)["answers"][:7] == ["pony tail"] * 6 + ["braid"]
    assert dataset.origins == ["COCO_train2014_000000051606.jpg"]
