"""Turns results into a table, pictures and one self-contained page.

An evaluation fills :class:`Results`; :func:`write_results` keeps it as ``results.json``,
:func:`format_table` prints it, the figure functions draw PNGs, and :func:`report_html` puts all of
it on a page whose headline is computed from the numbers. Privacy is always an attacker's average
precision *above chance*, so lower is better and zero is guessing.

Example:
    >>> def entry(method, top1, ap):
    ...     utility = Utility(name="Top-1", value=top1, ci95=(top1 - 0.05, top1 + 0.05))
    ...     privacy = Privacy(cmap_ap=ap, cmap_precision=ap, chance_ap=0.3, per_attribute={})
    ...     return MethodResult(
    ...         method=method, utility=utility, privacy=privacy, mllm_queries=0, seconds=1.0
    ...     )
    >>> entries = [entry("raw", 0.9, 0.8), entry("ours", 0.81, 0.4)]
    >>> results = Results(results=entries, config={}, seed=0, versions={})
    >>> print(format_table(results))
    method           Top-1 [95%]     AP  AP above chance  vs raw  queries  seconds  dominated by
    ------  --------------------  -----  ---------------  ------  -------  -------  ------------
    raw     0.900 [0.850, 0.950]  0.800           +0.500       -        0      1.0  none
    ours    0.810 [0.760, 0.860]  0.400           +0.100  -80.0%        0      1.0  none
"""

from blackbox_anon.report.before_after import before_after
from blackbox_anon.report.comparisons import (
    better_on_both,
    dominated_by,
    dominates,
    reduction,
    utility_kept,
)
from blackbox_anon.report.curves import training_curves
from blackbox_anon.report.files import atomic_path
from blackbox_anon.report.headline import Goals, headline
from blackbox_anon.report.page import CaptionedFigure, report_html
from blackbox_anon.report.plane import utility_privacy_plane
from blackbox_anon.report.results import (
    AttributeScore,
    MethodResult,
    Privacy,
    Results,
    Utility,
    read_results,
    write_results,
)
from blackbox_anon.report.strip import method_strip
from blackbox_anon.report.table import format_table

__all__ = [
    "AttributeScore",
    "CaptionedFigure",
    "Goals",
    "MethodResult",
    "Privacy",
    "Results",
    "Utility",
    "atomic_path",
    "before_after",
    "better_on_both",
    "dominated_by",
    "dominates",
    "format_table",
    "headline",
    "method_strip",
    "read_results",
    "reduction",
    "report_html",
    "training_curves",
    "utility_kept",
    "utility_privacy_plane",
    "write_results",
]
