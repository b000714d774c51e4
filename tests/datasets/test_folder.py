from pathlib import Path

import pytest
from PIL import Image

from blackbox_anon.datasets import MediaFolder
from blackbox_anon.errors import DatasetNotFoundError
from tests.data.readers import reader
from tests.data.ucf import write_avi


def test_one_kind_found_recursively(tmp_path: Path) -> None:
    write_avi(tmp_path / "b" / "#20 ü.AVI".lower(), 5)
    write_avi(tmp_path / "a.avi", 5)
    Image.new("RGB", (40, 30)).save(tmp_path / "b" / "photo.JPG")
    (tmp_path / "._a.avi").write_bytes(b"what macOS leaves behind")
    (tmp_path / "notes.txt").write_text("-")
    videos = MediaFolder(tmp_path, "videos", reader=reader(3, 16))
    assert [videos[i]["name"] for i in range(len(videos))] == ["a.avi", "b/#20 ü.avi"]
    assert videos[1]["frames"].shape == (3, 3, 16, 16)
    images = MediaFolder(tmp_path, "images", reader=reader(3, None))
    assert len(images) == 1
    assert images[0]["frames"].shape == (3, 30, 40)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetNotFoundError, match=r"expected images \(\.bmp, .*found none"):
        MediaFolder(tmp_path, "images")
