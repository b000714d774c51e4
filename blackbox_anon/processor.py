"""Keep bf16 from killing the process on some Intel machines.

With torch 2.15 on a processor with AMX, oneDNN ran tile instructions on tiles that it had not
configured: the first bf16 matrix product ended the process with SIGILL, where AVX-512 runs the same
product without fault.
"""

import os
from pathlib import Path

LIMIT, WITHOUT_TILES = "ONEDNN_MAX_CPU_ISA", "AVX512_CORE_FP16"


def avoid_tile_kernels(cpuinfo: str | Path = "/proc/cpuinfo") -> bool:
    """Limit oneDNN to AVX-512 where the processor has AMX; before the first product of a process.

    A limit that is already set in the environment stays: ``ONEDNN_MAX_CPU_ISA=DEFAULT`` switches
    this off.

    Args:
        cpuinfo: Where the system lists the processor's features.

    Returns:
        Whether the limit was set here.
    """
    try:
        features = Path(cpuinfo).read_text(encoding="utf-8", errors="replace")
    except OSError:  # not Linux, or a closed /proc: then nothing is known, and nothing changed
        return False
    if "amx_tile" not in features or LIMIT in os.environ:
        return False
    os.environ[LIMIT] = WITHOUT_TILES
    return True
