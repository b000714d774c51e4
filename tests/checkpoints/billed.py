"""A black box that writes a bill: one line per question, on the disk before the answer."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import Tensor
from typing_extensions import override

from blackbox_anon.mllms import Request, Response
from tests.tasks.parts import RecordingMLLM


class BilledMLLM(RecordingMLLM):
    """Bills by the digest of the exact bytes that were asked.

    Args:
        bill: The file.
    """

    def __init__(self, bill: str) -> None:
        super().__init__()
        self.bill = Path(bill)

    @property
    @override
    def identity(self) -> Mapping[str, object]:
        return {"class": "BilledMLLM", "model": "brightness"}

    def _respond(self, frames: Tensor, prompts: Sequence[str]) -> list[Response]:
        asked = zip(frames, prompts, strict=True)
        requests = [Request(frames=clip, prompt=prompt) for clip, prompt in asked]
        digests = [hashlib.sha256(self.payload(r)).hexdigest() for r in requests]
        with self.bill.open("a", encoding="ascii") as file:
            file.write("".join(f"{digest}\n" for digest in digests))
            file.flush()
            os.fsync(file.fileno())
        self.asked.clear()
        return super()._respond(frames, prompts)


def billed(bill: Path) -> list[str]:
    """Every whole line of a bill."""
    return bill.read_text(encoding="ascii").splitlines() if bill.exists() else []
