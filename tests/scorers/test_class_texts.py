import pytest

from blackbox_anon.scorers import camel_case_to_text, underscore_to_text


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ApplyEyeMakeup", "Apply eye makeup"),
        ("YoYo", "Yo yo"),
        ("Archery", "archery"),
        ("archery", "archery"),
        ("", ""),
    ],
)
def test_camel_case(name: str, text: str) -> None:
    assert camel_case_to_text(name) == text


@pytest.mark.parametrize(("name", "text"), [("shoot_ball", "shoot ball"), ("run", "run")])
def test_underscore(name: str, text: str) -> None:
    assert underscore_to_text(name) == text
