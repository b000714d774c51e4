"""The page is self-contained and holds every number."""

import re
from pathlib import Path
from typing import Any

from blackbox_anon.report import CaptionedFigure, report_html, utility_privacy_plane
from tests.report.samples import make_results


def numbers(value: Any) -> list[float]:  # noqa: ANN401  # any JSON value
    if isinstance(value, dict):
        return [number for item in value.values() for number in numbers(item)]
    if isinstance(value, list | tuple):
        return [number for item in value for number in numbers(item)]
    return [value] if isinstance(value, int | float) else []


def test_page_is_one_file_with_every_number(tmp_path: Path) -> None:
    results = make_results()
    utility_privacy_plane(results, tmp_path / "plane.png")
    figures = [CaptionedFigure(path=tmp_path / "plane.png", caption="Utility <and> privacy.")]
    path = report_html(tmp_path, results, figures)
    page = path.read_text(encoding="utf-8")
    assert path == tmp_path / "report.html"
    assert not re.search(r"https?:|//[a-z]+\.|<script|<link|@import", page)
    assert all(source.startswith("data:image/png") for source in re.findall(r'src="([^"]*)', page))
    assert "Utility &lt;and&gt; privacy." in page
    assert "keeps 94.4% of raw Top-1" in page
    for number in numbers(results.to_dict()):
        assert str(number) in page
    for text in ("0.850 [0.810, 0.880]", "-76.0%", "a5_absent", "2.15.0", "Seed 17"):
        assert text in page


def test_page_without_figures(tmp_path: Path) -> None:
    page = report_html(tmp_path, make_results(), []).read_text(encoding="utf-8")
    assert "<figure>" not in page
    assert "<h2>Figures" not in page


def test_attributes_may_differ_between_methods(tmp_path: Path) -> None:
    results = make_results()
    del results.results[0].privacy.per_attribute["a3"]
    page = report_html(tmp_path, results, []).read_text(encoding="utf-8")
    assert "<td>a3</td><td>-<br>" in page
