import pytest
from hypothesis import given
from hypothesis import strategies as st

from blackbox_anon.services import Detail, most_image_tokens

SIDES = st.integers(1, 5000)


@pytest.mark.parametrize(
    ("model", "detail", "height", "width", "expected"),
    [  # examples of OpenAI's guide
        ("gpt-4o", "high", 1024, 1024, 765),
        ("gpt-4o", "high", 4096, 2048, 1105),
        ("gpt-4o", "low", 4096, 8192, 85),
        ("gpt-4o-2024-11-20", "high", 512, 512, 255),
        ("gpt-4o", "high", 513, 513, 765),
        ("gpt-4o-mini", "low", 64, 64, 2833),
        ("gpt-4.1", "low", 64, 64, 85),
        ("openai/gpt-4.1-mini", "low", 1024, 1024, 1659),
        ("gpt-4.1-nano", "high", 64, 128, 20),
        ("o3", "high", 512, 512, 225),
        ("gpt-5", "low", 512, 512, 70),
    ],
)
def test_counts_as_the_guide_does(
    model: str, detail: Detail, height: int, width: int, expected: int
) -> None:
    assert most_image_tokens(height, width, model=model, detail=detail, openai=True) == expected


@given(SIDES, SIDES, st.sampled_from(["gpt-4o", "gpt-4o-mini", "gpt-5-nano", "o1"]))
def test_an_unknown_model_costs_at_least_what_known_ones_do(
    height: int, width: int, model: str
) -> None:
    known = most_image_tokens(height, width, model=model, detail="high", openai=True)
    for detail in ("high", "auto"):
        assert most_image_tokens(height, width, model="gpt-9", detail=detail, openai=True) >= known
    low = most_image_tokens(height, width, model=model, detail="low", openai=True)
    assert low <= known


@given(SIDES, SIDES)
def test_servers_of_ones_own_are_bounded_by_patches(height: int, width: int) -> None:
    found = most_image_tokens(height, width, model="qwen", detail="low", openai=False)
    assert found >= max(2880, height * width / 28**2, height * width / 14**2)
