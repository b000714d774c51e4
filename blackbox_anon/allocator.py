"""Keep freed memory in the process, and take it in large pages.

glibc hands large blocks back to the system after every operation, and the page faults of taking
them again dominate small networks on a CPU: a training step of the embedded world takes about
three times as long without this. In virtual machines that look up small pages twice, large pages
made passes over memory up to twenty times as fast.
"""

import ctypes
import os
import sys

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3  # parameters of mallopt(3)
_LARGEST, _PAD = 2**31 - 1, 2**28


def keep_memory() -> bool:
    """Tell glibc's allocator to keep memory; ``False`` where there is no glibc.

    Tensors are laid out for transparent huge pages from here on if none was made before; set
    ``THP_MEM_ALLOC_ENABLE=0`` to leave that out.
    """
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # torch reads it at its first tensor
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):  # musl
        return False
    settings = ((_MMAP_THRESHOLD, _LARGEST), (_TRIM_THRESHOLD, _LARGEST), (_TOP_PAD, _PAD))
    return all(mallopt(name, value) == 1 for name, value in settings)
