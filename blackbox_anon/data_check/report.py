"""Findings as text."""

from collections.abc import Sequence

from blackbox_anon.data_check.examine import Findings

SHOWN = 5  # classes or files per part in the summary; the written report has all


def format_report(findings: Sequence[Findings], *, whole: bool = False) -> str:
    """Say what was found, part by part, and where to get what is missing.

    Args:
        findings: Of every part.
        whole: List every class and file, not the first few.

    Returns:
        The text.
    """
    shown = None if whole else SHOWN
    blocks = _blocks(findings, shown)
    blocks += _instructions(findings)
    unsound = [_title(found) for found in findings if not found.sound]
    looked = all(found.opened for found in findings)
    blocks.append(
        f"All is there{' and readable' if looked else '; no file was opened'}."
        if not unsound
        else f"{len(unsound)} of {len(findings)} parts need attention: {'; '.join(unsound)}."
    )
    return "\n\n".join(blocks) + "\n"


def _blocks(findings: Sequence[Findings], shown: int | None) -> list[str]:
    """One block per part; a summary does not say the same twice."""
    blocks, said = [], dict[str, str]()
    for found in findings:
        title, *lines = _part(found, shown)
        body = "\n".join(lines)
        if shown is not None and body in said:
            body = f"  the same as {said[body]}"
        else:
            said[body] = title
        blocks.append(f"{title}\n{body}")
    return blocks


def printable(text: str) -> str:
    """Write bytes of file names that are no text as escapes.

    Args:
        text: As paths have it.

    Returns:
        What any terminal takes.
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _title(found: Findings) -> str:
    return f"{found.part.stage} {found.part.role}: {found.part.title}"


def _part(found: Findings, shown: int | None) -> list[str]:
    lines = [_title(found)]
    if found.absent is not None:
        return [*lines, f"  NOT FOUND: {found.absent}"]
    lines.append(f"  samples     {found.samples:,}{_against(found)}")
    if found.left_out:
        lines.append(f"  leak guard  {found.left_out:,} of them left out of training")
    lines.append(f"  files       {found.files - len(found.missing):,} of {found.files:,} found")
    lines += _listed("MISSING", [str(file) for file in found.missing], shown)
    if found.opened or found.unreadable:
        lines.append(f"  unreadable  {len(found.unreadable):,}")
    else:
        lines.append("  unreadable  not looked for")
    broken = [f"{path}: {reason}" for path, reason in found.unreadable.items()]
    lines += _listed("UNREADABLE", broken, shown)
    odd = [f"{path}: {what}" for path, what in found.remarks.items()]
    lines += _listed("odd", odd, shown)
    lines += _classes(found, shown)
    lines += [
        f"  attribute   {name}: {count:,} ({count / max(found.samples, 1):.1%})"
        for name, count in found.attributes.items()
    ]
    return lines


def _against(found: Findings) -> str:
    if found.official is None:
        return " (no official number)"
    if found.official == found.samples:
        return " (as in the official release)"
    return f", OFFICIALLY {found.official:,}"


def _classes(found: Findings, shown: int | None) -> list[str]:
    if not found.classes:
        return []
    counts = sorted(found.classes.values())
    lines = [f"  classes     {len(counts)}, {counts[0]:,} to {counts[-1]:,} samples each"]
    empty = [name for name, count in found.classes.items() if not count]
    lines += _listed("WITHOUT SAMPLES", empty, shown)
    if shown is None:
        lines += [f"    {name}: {count:,}" for name, count in found.classes.items()]
    return lines


def _listed(word: str, entries: Sequence[str], shown: int | None) -> list[str]:
    lines = [f"    {word} {entry}" for entry in entries[:shown]]
    rest = len(entries) - len(lines)
    return [*lines, f"    ... and {rest:,} more"] if rest else lines


def _instructions(findings: Sequence[Findings]) -> list[str]:
    """Where to get a set whose files are missing; one that was not found has said so."""
    wanted = {f.part.title: f.part.module.instructions for f in findings if f.missing}
    return [f"{title}: {text}" for title, text in wanted.items()]
