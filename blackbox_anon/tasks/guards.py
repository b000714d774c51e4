"""Settings under which a hand-made gradient would be wrong."""

from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Trainer


def refuse_unsupported(trainer: Trainer) -> None:
    """Refuse ``16-mixed``: its loss scaler divides gradients that it never multiplied.

    Raises:
        MisconfigurationException: With the reason and what to use.
    """
    if trainer.precision == "16-mixed":
        msg = (
            "`trainer.precision` must be 32-true or bf16-mixed; found 16-mixed. Its loss scaler "
            "divides every gradient by the scale, also the zeroth-order one, which was never "
            "multiplied by it, so the step would be thousands of times too small."
        )
        raise MisconfigurationException(msg)
