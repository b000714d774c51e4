"""Look at the data of a config before a run does: what is there, what is missing, what is broken.

Every list is read and counted against the official numbers, every file opened as training will
open it, classes and attributes counted, and a contact sheet drawn with the labels. Nothing is
downloaded; what is missing comes with where to get it.

Example:
    >>> from blackbox_anon.data_check import Part, parts_of
    >>> from blackbox_anon.datamodules import VISPRDataModule
    >>> [f"{part.title}, {part.stage}" for part in parts_of(VISPRDataModule("data/vispr"))]
    ['VISPR, train', 'VISPR, val', 'VISPR, test']
"""

from blackbox_anon.data_check.command import main
from blackbox_anon.data_check.contact_sheet import draw_contact_sheet
from blackbox_anon.data_check.examine import Findings, examine
from blackbox_anon.data_check.parts import Part, parts_of
from blackbox_anon.data_check.report import format_report

__all__ = [
    "Findings",
    "Part",
    "draw_contact_sheet",
    "examine",
    "format_report",
    "main",
    "parts_of",
]
