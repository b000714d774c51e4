import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blackbox_anon.services import check_choices, choice_fields, chosen, unwrapped

TEXTS = st.lists(
    st.text(st.characters(codec="utf-8", exclude_categories=["Z", "C"]), min_size=1),
    min_size=2,
    max_size=9,
    unique_by=str.casefold,
)


@given(TEXTS)
def test_the_regex_takes_the_choices_and_nothing_else(choices: list[str]) -> None:
    pattern = choice_fields(choices, "regex")["regex"]
    assert isinstance(pattern, str)
    assert all(re.fullmatch(pattern, text) for text in choices)
    assert not re.fullmatch(pattern, "".join(choices) + "x")


@given(TEXTS, st.data())
def test_what_was_chosen_is_found_again(choices: list[str], data: st.DataObject) -> None:
    choice = data.draw(st.sampled_from(choices))
    for content in (choice, json.dumps({"answer": choice}), json.dumps(choice)):
        answer = unwrapped(content, "json_schema")
        if not choice.startswith(("{", '"')):  # else it is taken for JSON
            assert answer == choice
    assert chosen(f" {choice}\n", choices) == choice


@pytest.mark.parametrize(
    "content", ['{"answer": "ru', '{"answer": 3}', '{"other": "run"}', "{}", '"ru', "{run}"]
)
def test_json_that_is_cut_or_odd_is_no_answer(content: str) -> None:
    assert unwrapped(content, "json_schema") is None
    assert unwrapped(content, "regex") == content


@pytest.mark.parametrize(
    "choices", [[], ["one"], ["a", ""], ["a", " b"], ["Run", "run"], [str(i) for i in range(1001)]]
)
def test_refuses_lists_that_no_service_could_honour(choices: list[str]) -> None:
    with pytest.raises(ValueError, match="`choices` must"):
        check_choices(choices)


def test_takes_the_class_lists_of_the_data_sets() -> None:
    check_choices([f"class {i}" for i in range(101)])
