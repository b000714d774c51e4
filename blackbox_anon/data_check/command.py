"""``blackbox-anon data check``: look at the data of a config before a run does."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from blackbox_anon.data_check.configured import configured_data
from blackbox_anon.data_check.contact_sheet import draw_contact_sheet
from blackbox_anon.data_check.examine import Findings, Opened, examine
from blackbox_anon.data_check.parts import Part, parts_of
from blackbox_anon.data_check.report import format_report, printable

EPILOG = """Options of the data module follow, such as --data.init_args.pairing=min_size.
Exit code 0: all is there, readable, and as many as in the official release; 1: it is not."""


def main(args: Sequence[str]) -> None:
    """Check the data of a config, write the report, and exit with 1 unless all is sound.

    Args:
        args: Arguments after ``data``.

    Raises:
        SystemExit: With 1 if something is missing or broken, with 2 for wrong arguments.
    """
    parser = argparse.ArgumentParser(
        prog="blackbox-anon data",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=["check"])
    parser.add_argument("-c", "--config", action="append", required=True, help="as for fit")
    parser.add_argument("--quick", action="store_true", help="names and labels only, open no file")
    parser.add_argument("--out", type=Path, help="folder of the report (runs/data_check/<config>)")
    parsed, overrides = parser.parse_known_args(args)
    out = parsed.out or Path("runs/data_check") / Path(parsed.config[0]).stem
    findings = _examine_all(parts_of(configured_data(parsed.config, overrides)), parsed.quick)
    sys.stdout.write(printable(format_report(findings)))
    out.mkdir(parents=True, exist_ok=True)
    (out / "report.txt").write_text(
        format_report(findings, whole=True), encoding="utf-8", errors="surrogateescape"
    )
    sys.stdout.write(f"Every class and file: {out / 'report.txt'}\n")
    if not parsed.quick:
        draw_contact_sheet(findings, out / "contact_sheet.png")
        sys.stdout.write(f"Samples with labels: {out / 'contact_sheet.png'}\n")
    if not all(found.sound for found in findings):
        sys.exit(1)


def _examine_all(parts: Sequence[Part], quick: bool) -> list[Findings]:
    opened: Opened = {}
    findings = []
    for part in parts:
        with tqdm(desc=f"{part.stage} {part.role}: {part.title}", unit=" files") as bar:
            for found in examine(part, opened, quick=quick):
                bar.total = found.files
                bar.update()
        findings.append(found)
    return findings
