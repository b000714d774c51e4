"""Tell one set of weights from another without reading gigabytes."""

import hashlib
from pathlib import Path

BLOCK = 4096  # bytes
BLOCKS = 256  # of a large file: 1 MiB, spread over all its tensors


def fingerprint(path: str) -> str | None:
    """Return a hash of a model folder's files, or the commit of a hub name's cached snapshot.

    Small files are hashed in full, large ones by name, size and evenly spaced blocks: training
    changes every block, so other weights of the same size are told apart, on any machine.

    Args:
        path: Folder or hub name.

    Returns:
        Hexadecimal digits; ``None`` if nothing is stored under ``path``.

    Example:
        >>> from blackbox_anon.weights import SHIPPED
        >>> folder = str(SHIPPED["peopleworld"] / "mllm")
        >>> fingerprint(folder) == fingerprint(folder)
        True
        >>> fingerprint("nobody/nothing") is None
        True
    """
    folder = Path(path)
    if not folder.is_dir():
        return _commit(path)
    digest = hashlib.blake2b(digest_size=16)
    for file in sorted(f for f in folder.iterdir() if f.is_file() and f.suffix != ".md"):
        digest.update(f"{file.name} {file.stat().st_size}\n".encode())
        _add(digest, file)
    return digest.hexdigest()


def _add(digest: hashlib.blake2b, file: Path) -> None:
    size = file.stat().st_size
    with file.open("rb") as stream:
        if size <= BLOCK * BLOCKS:
            digest.update(stream.read())
            return
        for k in range(BLOCKS):
            stream.seek(k * (size - BLOCK) // (BLOCKS - 1))
            digest.update(stream.read(BLOCK))


def _commit(name: str) -> str | None:
    """The name of the snapshot's folder."""
    from huggingface_hub import try_to_load_from_cache  # beside transformers, seconds to import
    from huggingface_hub.errors import HFValidationError

    try:
        found = try_to_load_from_cache(name, "config.json")
    except HFValidationError:  # no name that the hub could have
        return None
    return Path(found).parent.name if isinstance(found, str) else None
