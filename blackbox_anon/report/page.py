"""The report as one self-contained HTML file."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from blackbox_anon.report.files import atomic_path
from blackbox_anon.report.headline import Goals, headline
from blackbox_anon.report.results import AttributeScore, Results
from blackbox_anon.report.table import table_header, table_rows


@dataclass(frozen=True, kw_only=True)
class CaptionedFigure:
    """A picture for the page.

    Attributes:
        path: A PNG, embedded as it is.
        caption: One or two sentences; also the text for readers who do not see the picture.
    """

    path: Path
    caption: str


def report_html(
    out_dir: Path,
    results: Results,
    figures: Sequence[CaptionedFigure],
    *,
    title: str = "Anonymization report",
    ours: str = "ours",
    raw: str = "raw",
    goals: Goals | None = None,
) -> Path:
    """Write ``report.html``: headline, table, figures, attributes, configuration.

    Args:
        out_dir: Folder for the page; it must exist.
        results: What was measured.
        figures: Pictures in the order they are shown.
        title: Heading of the page.
        ours: The method the headline is about.
        raw: The unprotected reference.
        goals: What had to be reached; a miss is said in the headline.

    Returns:
        The page's path. It loads nothing from elsewhere, so it can be mailed as one file.

    Raises:
        ValueError: If ``ours`` or ``raw`` was not evaluated.
    """
    page = (
        _environment()
        .get_template("report.html.j2")
        .render(
            title=title,
            headline=headline(results, ours=ours, raw=raw, goals=goals),
            header=table_header(results),
            rows=table_rows(results, raw=raw),
            ours=ours,
            figures=[{"source": _data_url(f.path), "caption": f.caption} for f in figures],
            **_attribute_table(results),
            **_details(results),
        )
    )
    path = out_dir / "report.html"
    with atomic_path(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return path


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("blackbox_anon.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _data_url(path: Path) -> str:
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode("ascii")


def _attribute_table(results: Results) -> dict[str, Any]:
    """Return attributes as rows and methods as columns, in order of first appearance."""
    methods = [result.method for result in results.results]
    per_method = [result.privacy.per_attribute for result in results.results]
    attributes = dict.fromkeys(name for scores in per_method for name in scores)
    rows = [[name, *(_cell(scores.get(name)) for scores in per_method)] for name in attributes]
    return {"methods": methods, "attribute_rows": rows}


def _cell(score: AttributeScore | None) -> dict[str, str]:
    if score is None:
        return {"ap": "-", "chance": "-", "precision": "-"}
    return {
        "ap": _number(score.ap),
        "chance": _number(score.chance),
        "precision": _number(score.precision),
    }


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _details(results: Results) -> dict[str, Any]:
    return {
        "config": json.dumps(results.config, indent=2, default=str),
        "seed": results.seed,
        "versions": results.versions,
        "results_json": json.dumps(results.to_dict()["results"], indent=1),
    }
