"""Where a run is between two steps, in the form in which Lightning's loops resume exactly.

At the start of a batch all that belongs to the step before is done: its logs, a validation, the
end of its epoch, every other callback. But the loops have counted and fetched the next batch, and
Lightning would resume behind it. These functions take that back.
"""

from typing import Any

Counts = dict[str, int]


def before_this_batch(loops: dict[str, Any]) -> None:
    """Rewrite the loops' states, saved at the start of a batch, to the end of the step before.

    In the middle of an epoch the result is what Lightning saves at the end of a training batch,
    but with the validation behind that batch, if any, taken for done, which it is. At the start
    of an epoch it is what Lightning saves at the end of the epoch before.

    Args:
        loops: The part ``loops`` of a checkpoint; changed in place.
    """
    fit = loops["fit_loop"]
    batches = fit["epoch_loop.batch_progress"]
    done = batches["current"]["completed"]
    for counts in (batches["total"], batches["current"]):
        _settle(counts, counts["completed"])
    batches["is_last_batch"] = False
    if done:
        for counts in (batches["total"], batches["current"]):
            counts["completed"] -= 1  # Lightning completes it when it restarts
        fit["epoch_loop.state_dict"]["_batches_that_stepped"] -= 1  # and counts it again
        for loader in fit["state_dict"].get("combined_loader", []):
            loader["batches"] -= 1  # fetched, not trained on
    else:
        for counts in (fit["epoch_progress"]["total"], fit["epoch_progress"]["current"]):
            _settle(counts, counts["processed"])
            counts["completed"] -= 1  # the same
        fit["state_dict"].pop("combined_loader", None)  # the next epoch begins at its front


def _settle(counts: Counts, value: int) -> None:
    for name in ("ready", "started", "processed", "completed"):
        counts[name] = value
