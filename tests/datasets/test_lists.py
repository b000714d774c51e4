import logging
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blackbox_anon.datasets.lists import name_key, read_lines

WORDS = st.text(
    st.characters(exclude_characters="/\\", exclude_categories=("Cs", "Cc")), min_size=1
)


@settings(deadline=None)
@given(WORDS)
def test_a_key_does_not_depend_on_case_or_suffix(stem: str) -> None:
    name = f"class/{stem}x"
    assert (
        name_key(f"{name}.avi")
        == name_key(f"{name.lower()}.mp4")
        == name_key(name_key(f"{name}.avi") + ".x")
    )


def test_different_clips_have_different_keys() -> None:
    names = ("wave/a.avi", "hug/a.avi", "wave/b.avi", "wave/a#.avi", "wave/a!.avi", "wave/a.b.avi")
    assert len({name_key(name) for name in names}) == len(names)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_marks_and_blanks(tmp_path: Path, end: str) -> None:
    file = tmp_path / "list.txt"
    file.write_bytes(f"\ufeff a.avi 1 {end}{end}b.avi{end}".encode())
    assert read_lines(file) == ["a.avi 1", "b.avi"]


def test_repeated_lines_are_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "list.txt"
    file.write_text("a\nb\na\n")
    with caplog.at_level(logging.WARNING):
        assert read_lines(file) == ["a", "b"]
    assert "1 repeated entries" in caplog.text


def test_bytes_that_are_no_text_match_file_names(tmp_path: Path) -> None:
    name = b"ma\xf1ana.avi"
    (tmp_path / "list.txt").write_bytes(name + b"\n")
    Path(tmp_path / name.decode(errors="surrogateescape")).write_bytes(b"")
    [line] = read_lines(tmp_path / "list.txt")
    assert (tmp_path / line).is_file()
