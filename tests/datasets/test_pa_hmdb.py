import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from blackbox_anon.datasets import (
    PA_HMDB51_ATTRIBUTES,
    PAHMDB51,
    VITA_ATTRIBUTES,
    PAHMDB51Frames,
    SemiNudityFrom,
    UnreadableFileError,
)
from blackbox_anon.errors import DatasetNotFoundError
from tests.data import hmdb, pa_hmdb
from tests.data.readers import reader
from tests.data.real import ROOT, needs_real_data


def frames(root: Path, hmdb_root: Path, **settings: Any) -> PAHMDB51Frames:  # noqa: ANN401  # its arguments
    return PAHMDB51Frames(root, hmdb_root=hmdb_root, **{"reader": reader(8, None), **settings})


def labels(dataset: PAHMDB51Frames, clip: str) -> dict[int, list[int]]:
    """Labels by frame index."""
    rows = {}
    for i, name in enumerate(dataset.names):
        if dataset.origins[i] == clip:
            rows[int(name.rsplit("/", 1)[1])] = dataset.targets(i)["attributes"].int().tolist()
    return rows


def test_clips_have_the_labels_of_hmdb51(hmdb_root: Path, pa_hmdb_root: Path) -> None:
    dataset = PAHMDB51(pa_hmdb_root, hmdb_root=hmdb_root, reader=reader(2, 16))
    assert set(dataset.names) == set(pa_hmdb.CLIPS)
    assert dataset.classes == list(hmdb.CLASSES)
    for i, name in enumerate(dataset.names):
        assert hmdb.CLASSES[dataset[i]["label"]] == name.split("/")[0]
        assert dataset[i]["frames"].shape == (2, 3, 16, 16)


def test_frames_labelled_for_all_five_are_samples(hmdb_root: Path, pa_hmdb_root: Path) -> None:
    dataset = frames(pa_hmdb_root, hmdb_root)
    assert len(dataset) == pa_hmdb.NUM_FRAMES
    assert sorted(labels(dataset, pa_hmdb.LEAKED)) == [3, 4, 5, 6, 7, 8, 9]
    assert sorted(labels(dataset, hmdb.TEST[0])) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("first", "semi_nudity"), [(1, [1, 1, 1, 1, 1, 1, 1]), (2, [0, 0, 0, 1, 1, 1, 1])]
)
def test_six_attributes(
    hmdb_root: Path,
    pa_hmdb_root: Path,
    first: SemiNudityFrom,
    semi_nudity: list[int],
) -> None:
    """Colour, gender, complete face, partial face, semi-nudity, relationship; 3 to 9."""
    dataset = frames(pa_hmdb_root, hmdb_root, semi_nudity_from=first)
    assert dataset.attributes == list(PA_HMDB51_ATTRIBUTES)
    complete, partial = [0, 0, 0, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0, 0]  # both in frame 6
    rows = labels(dataset, pa_hmdb.LEAKED).values()
    columns = [list(column) for column in zip(*rows, strict=True)]
    assert columns == [[1] * 7, [1] * 7, complete, partial, semi_nudity, [0] * 7]


def test_vitas_five_attributes_in_any_order(hmdb_root: Path, pa_hmdb_root: Path) -> None:
    dataset = frames(pa_hmdb_root, hmdb_root, attributes=VITA_ATTRIBUTES)
    assert labels(dataset, hmdb.TEST[0]) == {
        0: [0, 0, 0, 0, 1],
        1: [0, 0, 0, 0, 1],
        2: [0, 0, 1, 0, 1],
        3: [0, 0, 1, 0, 1],
    }
    two = frames(pa_hmdb_root, hmdb_root, attributes=("relationship", "a9_face_complete"))
    assert labels(two, hmdb.UNUSED[0]) == {0: [1, 1]}


def test_a_frame_is_the_frame_of_its_index(hmdb_root: Path, pa_hmdb_root: Path) -> None:
    """The fake clips have a bright column at twice the frame's index."""
    dataset = frames(pa_hmdb_root, hmdb_root)
    for i in (*range(len(dataset)), 0, 5, 2):
        image, wanted = dataset[i]["frames"], int(dataset.names[i].rsplit("/", 1)[1])
        bright = image.mean((0, 1))
        assert bright.argmax() in range(2 * wanted, 2 * wanted + 4), dataset.names[i]


def test_a_clip_is_decoded_once(
    hmdb_root: Path, pa_hmdb_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = frames(pa_hmdb_root, hmdb_root)
    read, opened = dataset.reader.__class__.__call__, []

    def counted(self: Any, path: Path) -> torch.Tensor:  # noqa: ANN401  # a reader
        opened.append(path)
        return read(self, path)

    monkeypatch.setattr(dataset.reader.__class__, "__call__", counted)
    for i in range(len(dataset)):
        dataset.frames(i)
    assert len(opened) == len(set(opened)) == len(pa_hmdb.CLIPS)


def test_a_bad_clip_is_tried_once(
    hmdb_root: Path, pa_hmdb_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has many frames, and each might wait for the decoder's time limit."""
    tried = []

    def broken(_: object, path: Path) -> None:
        tried.append(path)
        raise UnreadableFileError(path, "hangs")

    dataset = frames(pa_hmdb_root, hmdb_root)
    monkeypatch.setattr(type(dataset.reader), "__call__", broken)
    for i in range(len(dataset)):
        with pytest.raises(UnreadableFileError, match="hangs"):
            dataset[i]
    assert len(tried) == len(pa_hmdb.CLIPS)


def test_a_worker_gets_no_pixels(hmdb_root: Path, pa_hmdb_root: Path) -> None:
    dataset = frames(pa_hmdb_root, hmdb_root)
    fresh = len(pickle.dumps(dataset))
    first = dataset[0]["frames"]
    assert len(pickle.dumps(dataset)) == fresh
    assert torch.equal(pickle.loads(pickle.dumps(dataset))[0]["frames"], first)


def relabelled(pa_hmdb_root: Path, folder: Path, last: int) -> Path:
    shutil.copytree(pa_hmdb_root, folder)
    file = folder / "PrivacyAttributes" / "cartwheel.json"
    record = json.loads(file.read_text())
    clip = next(iter(record.values()))
    for track in VITA_ATTRIBUTES:
        clip[track] = [[0, last, 1]]
    file.write_text(json.dumps(record))
    return folder


def test_the_false_last_frame_is_the_last_one(
    hmdb_root: Path, pa_hmdb_root: Path, tmp_path: Path
) -> None:
    """The fake clips have 12 frames; AVI headers of HMDB51 count one too many."""
    dataset = frames(relabelled(pa_hmdb_root, tmp_path / "pa", 12), hmdb_root)
    own = [i for i, name in enumerate(dataset.origins) if name == hmdb.UNUSED[0]]
    assert len(own) == 13
    assert torch.equal(dataset.frames(own[12]), dataset.frames(own[11]))
    beyond = frames(relabelled(pa_hmdb_root, tmp_path / "more", 13), hmdb_root)
    with pytest.raises(UnreadableFileError, match="labels reach frame 13, the clip has 12 frames"):
        beyond.frames(own[12] + 1)


def test_a_clip_filed_under_two_actions_counts_once(
    hmdb_root: Path, pa_hmdb_root: Path, tmp_path: Path
) -> None:
    shutil.copytree(pa_hmdb_root, tmp_path / "pa")
    folder = tmp_path / "pa" / "PrivacyAttributes"
    wave = json.loads((folder / "wave.json").read_text("utf-8"))
    for action in ("brush_hair", "cartwheel"):
        own = json.loads((folder / f"{action}.json").read_text("utf-8"))
        (folder / f"{action}.json").write_text(json.dumps({**wave, **own}), "utf-8")
    assert set(PAHMDB51(tmp_path / "pa", hmdb_root=hmdb_root).names) == set(pa_hmdb.CLIPS)


def test_missing_and_damaged_parts(hmdb_root: Path, pa_hmdb_root: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetNotFoundError, match=r"(?s)no .*PrivacyAttributes.*VITA-Group"):
        PAHMDB51(tmp_path, hmdb_root=hmdb_root)
    with pytest.raises(DatasetNotFoundError, match=r"no folder .*hmdb51_org"):
        PAHMDB51(pa_hmdb_root)
    for content, found in (
        ("{", "expected JSON"),
        ("[]", "expected an object of clips"),
        ('{"a.avi": {"face": [[0, 1, 1]]}}', "found KeyError"),
        ('{"a.avi": {"skin_color": [[0, 1]]}}', "found ValueError"),
    ):
        (tmp_path / "wave.json").write_text(content)
        with pytest.raises(DatasetNotFoundError, match=found):
            PAHMDB51(tmp_path, hmdb_root=hmdb_root)


def test_bad_arguments(hmdb_root: Path, pa_hmdb_root: Path) -> None:
    with pytest.raises(ValueError, match=r"found \['a65_rel_social'\]"):
        frames(pa_hmdb_root, hmdb_root, attributes=["a65_rel_social", "face"])
    with pytest.raises(ValueError, match="semi_nudity_from: expected 1 or 2, found 3"):
        frames(pa_hmdb_root, hmdb_root, semi_nudity_from=3)


@needs_real_data
def test_shares_as_measured_on_the_official_files() -> None:
    five = frames(ROOT / "pa_hmdb51", ROOT / "hmdb51", attributes=VITA_ATTRIBUTES)
    assert len(five) == 52411
    shares = share_of(five)
    assert shares == pytest.approx([0.972, 0.750, 0.980, 0.597, 0.157], abs=6e-4)
    six = frames(ROOT / "pa_hmdb51", ROOT / "hmdb51")
    assert share_of(six) == pytest.approx([0.972, 0.980, 0.368, 0.382, 0.154, 0.157], abs=6e-4)


def share_of(dataset: PAHMDB51Frames) -> list[float]:
    mean: list[float] = dataset.labels.mean(0).tolist()
    return mean
