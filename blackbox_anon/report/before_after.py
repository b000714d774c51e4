"""What the MLLM and an attacker make of single clips, before and after."""

from collections.abc import Mapping, Sequence, Sized
from pathlib import Path

from torch import Tensor

from blackbox_anon.report.example import Example, draw_examples
from blackbox_anon.report.frames import check_clips, pick_frames


def before_after(
    raw: Tensor,
    anonymized: Tensor,
    *,
    answers_raw: Sequence[str],
    answers_anonymized: Sequence[str],
    truth: Sequence[str],
    scores_raw: Tensor,
    scores_anonymized: Tensor,
    attribute_names: Sequence[str],
    present: Tensor,
    path: Path,
    num_frames: int = 4,
) -> None:
    """Draw each example's frames, the MLLM's answers and the attacker's scores.

    Args:
        raw: Clips as recorded, uint8 ``(n, T, 3, H, W)``.
        anonymized: The same clips as the MLLM sees them, same shape and type.
        answers_raw: The MLLM's answers on raw clips, ``n`` of them. An answer counts as right if
            it equals the truth but for case and surrounding space, so pass class names.
        answers_anonymized: Its answers on anonymized clips.
        truth: The right answers.
        scores_raw: Scores in ``[0, 1]`` of the attacker trained on raw clips, shape ``(n, A)``.
        scores_anonymized: Scores of the attacker retrained on anonymized clips, ``(n, A)``.
        attribute_names: ``A`` names.
        present: Which attributes are really there, shape ``(n, A)``.
        path: PNG to write.
        num_frames: Frames per clip, evenly spaced.

    Raises:
        ValueError: If lengths or shapes do not agree or clips are not uint8.
    """
    check_clips(raw, "raw", 5)
    check_clips(anonymized, "anonymized", 5)
    answers = {"answers_raw": answers_raw, "answers_anonymized": answers_anonymized}
    _check_lengths({"anonymized": anonymized, **answers, "truth": truth}, len(raw))
    tables = {"scores_raw": scores_raw, "scores_anonymized": scores_anonymized, "present": present}
    _check_shapes(tables, (len(raw), len(attribute_names)))
    examples = [
        Example(
            clips=(pick_frames(raw[i], num_frames), pick_frames(anonymized[i], num_frames)),
            answers=(answers_raw[i], answers_anonymized[i]),
            truth=truth[i],
            scores=(scores_raw[i].tolist(), scores_anonymized[i].tolist()),
            present=present[i].bool().tolist(),
        )
        for i in range(len(raw))
    ]
    draw_examples(examples, attribute_names, path)


def _check_lengths(given: Mapping[str, Sized], expected: int) -> None:
    for name, values in given.items():
        if len(values) != expected:
            raise ValueError(f"{name}: expected {expected} examples, found {len(values)}.")


def _check_shapes(tables: Mapping[str, Tensor], expected: tuple[int, int]) -> None:
    for name, table in tables.items():
        if tuple(table.shape) != expected:
            raise ValueError(f"{name}: expected shape {expected}, found {tuple(table.shape)}.")
