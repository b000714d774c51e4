"""results.json round trip, atomic writing, comparisons, table and headline."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from blackbox_anon.report import (
    Goals,
    Results,
    atomic_path,
    better_on_both,
    dominated_by,
    dominates,
    format_table,
    headline,
    read_results,
    reduction,
    utility_kept,
    write_results,
)
from tests.report.samples import make_entry, make_results


def with_entries(*entries: tuple[str, float, float]) -> Results:
    return replace(make_results(), results=[make_entry(*entry) for entry in entries])


def test_round_trip_and_layout(tmp_path: Path) -> None:
    results, path = make_results(), tmp_path / "results.json"
    write_results(results, path)
    assert read_results(path) == results
    assert [file.name for file in tmp_path.iterdir()] == ["results.json"]
    raw = json.loads(path.read_text())
    assert set(raw) == {"results", "config", "seed", "versions"}
    assert set(raw["results"][0]) == {"method", "utility", "privacy", "mllm_queries", "seconds"}
    assert raw["results"][0]["utility"] == {"name": "Top-1", "value": 0.9, "ci95": [0.86, 0.93]}
    absent = raw["results"][0]["privacy"]["per_attribute"]["a5_absent"]
    assert absent == {"ap": None, "precision": None, "chance": 0.0}


def test_failed_calls_are_told_where_there_were_any(tmp_path: Path) -> None:
    results, path = make_results(), tmp_path / "results.json"
    results.results[0] = replace(results.results[0], mllm_failures={"timeout": 2})
    write_results(results, path)
    assert read_results(path) == results
    assert json.loads(path.read_text())["results"][0]["mllm_failures"] == {"timeout": 2}


def test_nan_is_refused_and_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_text("old")
    with pytest.raises(ValueError, match="JSON"):
        write_results(with_entries(("raw", float("nan"), 0.5)), path)
    with pytest.raises(LookupError), atomic_path(path) as temporary:
        temporary.write_text(["disk full"][1])
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["results.json"]


def test_misspelt_key_is_refused() -> None:
    values = make_results().to_dict()
    values["results"][0]["methud"] = values["results"][0].pop("method")
    with pytest.raises(TypeError, match="methud"):
        Results.from_dict(values)


def test_names_must_be_unique_and_the_measure_one() -> None:
    with pytest.raises(ValueError, match=r"unique method names, found \['a', 'a'\]"):
        with_entries(("a", 0.5, 0.5), ("a", 0.4, 0.5))
    entry = make_entry("b", 0.5, 0.5)
    other = replace(entry, utility=replace(entry.utility, name="Top-5"))
    with pytest.raises(ValueError, match=r"one utility name, found \['Top-1', 'Top-5'\]"):
        replace(make_results(), results=[make_entry("a", 0.5, 0.5), other])


def test_dominated_logic() -> None:
    results = with_entries(("raw", 0.9, 0.8), ("x", 0.7, 0.5), ("y", 0.7, 0.6), ("z", 0.6, 0.6))
    raw, x, y, z = results.results
    assert not dominates(raw, x)
    assert not dominates(x, raw)
    assert not dominates(x, x)
    assert dominates(x, y)
    assert dominates(y, z)
    assert dominated_by(results, "z") == ["x", "y"]
    assert dominated_by(results, "x") == []
    assert better_on_both(results, "z") == ["x"]


def test_shares_against_raw() -> None:
    raw, own = make_entry("raw", 0.8, 0.7), make_entry("ours", 0.6, 0.4)
    assert utility_kept(own, raw) == pytest.approx(0.75)
    assert reduction(own, raw) == pytest.approx(0.75)
    assert utility_kept(own, None) is None
    assert reduction(own, None) is None
    assert reduction(own, make_entry("raw", 0.8, 0.3)) is None


def test_table_text() -> None:
    lines = format_table(make_results()).splitlines()
    assert lines[2].startswith("raw           0.900 [0.860, 0.930]  0.800           +0.500       -")
    expected = "ours 0.850 [0.810, 0.880] 0.420 +0.120 -76.0% 200,000 12.5 none"
    assert lines[-1].split() == expected.split()
    assert lines[6].endswith("ours, blur 13")
    assert {line.index("0.420") for line in lines if "0.420" in line} == {36}


def test_table_without_raw_shows_no_change() -> None:
    assert "%" not in format_table(with_entries(("x", 0.7, 0.5))).splitlines()[-1]


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ((0.81, 0.4), "keeps 90.0% of raw Top-1 (0.810 of 0.900); a retrained"),
        ((0.81, 0.4), "falls by 80.0% (+0.500 to +0.100). No other method"),
        ((0.81, 0.25), "falls to chance or below (+0.500 to -0.050)"),
        ((0.81, 0.9), "rises by 20.0% (+0.500 to +0.600). Missed: the attacker did not get"),
        ((0.81, 0.9), "Missed: raw is at least as good on both axes."),
    ],
)
def test_headline_says_what_was_measured(own: tuple[float, float], expected: str) -> None:
    assert expected in headline(with_entries(("raw", 0.9, 0.8), ("ours", *own)))


def test_headline_names_missed_goals() -> None:
    results = with_entries(("raw", 0.9, 0.8), ("ours", 0.81, 0.4))
    assert "Missed" not in headline(results, goals=Goals(utility_kept=0.85, reduction=0.5))
    missed = headline(results, goals=Goals(utility_kept=0.95, reduction=0.9))
    assert "Missed: the goal was to keep at least 95% of utility." in missed
    assert "Missed: the goal was a fall of at least 90%." in missed


def test_headline_when_raw_itself_is_at_chance_or_useless() -> None:
    text = headline(with_entries(("raw", 0.0, 0.3), ("ours", 0.1, 0.4)))
    assert "has Top-1 0.100 of 0.000" in text
    assert "raw itself is no better than chance" in text


def test_headline_needs_both_methods() -> None:
    with pytest.raises(ValueError, match=r"ours: expected one of \['raw'\], found 'ours'"):
        headline(with_entries(("raw", 0.9, 0.8)))
