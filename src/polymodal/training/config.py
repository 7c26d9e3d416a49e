"""The settings of training."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator
from pydantic import Field as Setting

from ..config import Config

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def seconds(value: Any) -> Any:
    """``90``, ``"90s"``, ``"5m"``, ``"1h30m"`` -> seconds."""
    if isinstance(value, str):
        text = value.strip().lower()
        if re.fullmatch(r"(\d+(\.\d+)?[smhd])+", text):
            return sum(float(number) * _UNITS[unit] for number, unit in re.findall(r"(\d+(?:\.\d+)?)([smhd])", text))
        if not re.fullmatch(r"\d+(\.\d+)?", text):
            raise ValueError("expected a time such as 90s, 5m or 1h30m")
    return value


class TrainingConfig(Config):
    """How the model is trained."""

    epochs: int | None = Setting(None, ge=1)
    """Times that training sees every row, at most; null = chosen from the count of rows (6 to 30), or of the pictures that they share."""
    batch_size: int | None = Setting(None, ge=1)
    """Rows a step; null = chosen from the count of rows (32 to 128)."""
    accumulate: int = Setting(1, ge=1)
    """Parts that a batch is computed in, to save memory; the gradient stays that of the whole batch."""
    lr: float = Setting(1e-3, gt=0)
    """Peak learning rate, after a linear warm-up and before a cosine to zero."""
    weight_decay: float = Setting(0.02, ge=0)
    """Decoupled weight decay (Loshchilov and Hutter 2019, arXiv:1711.05101); not on biases and norms."""
    warmup: float = Setting(0.1, ge=0, lt=1)
    """Share of the steps in which the learning rate rises."""
    clip: float = Setting(1.0, gt=0)
    """Largest norm of a gradient."""
    patience: int | None = Setting(None, ge=1)
    """Epochs without a validation result better by 0.5 % before training stops; null = a quarter of the epochs, 3 at least."""
    auxiliary: float | None = Setting(None, ge=0)
    """Weight of the losses of single-field votes beside the fused loss; null = 0.3 under 10,000 rows, else 0.1."""
    modality_dropout: float = Setting(0.05, ge=0, lt=1)
    """Share of a row's fields hidden at random in training, never all: the model learns to do without."""
    augment: bool = True
    """Vary training cells (pictures are mirrored, moved and relit)."""
    baselines: bool = True
    """Train each single field alone as well, on the same rows: whether fusing helped stands beside the result."""
    time_limit: Annotated[float | None, BeforeValidator(seconds)] = Setting(None, gt=0)
    """Seconds (or 90s, 5m, 1h30m) for the whole command, from its start to the saved bundle; null = no limit."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where to train; auto = the first of CUDA, MPS and CPU that is there."""
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Arithmetic of training; auto = bfloat16 where a GPU computes in it natively, else float32."""
    workers: int = Setting(2, ge=0)
    """Steps prepared ahead in a thread; 0 = none. Changes no result."""
    checkpoint_minutes: float | None = Setting(1.0, gt=0)
    """Minutes after which a model in training is kept on disk, to be resumed from; null = never by time. Where writing takes longer than
    2 % of that, it is done less often. Changes no result."""
    checkpoint_steps: int | None = Setting(None, ge=1)
    """Steps after which it is kept as well; null = by time only. Changes no result."""
    bad_steps: int = Setting(10, ge=0)
    """Steps of one model whose loss or gradient is not finite that are undone and passed over; one more stops training."""
    init: str | None = None
    """A trained run or bundle whose weights training starts from, wherever names and shapes agree."""


def usual_epochs(rows: int) -> int:
    """30 epochs up to about 1,300 rows, 24 at 2,000, falling with the root of the rows to 6."""
    return int(min(30, max(6, round(24 * (2_000 / max(rows, 1)) ** 0.5))))


def usual_auxiliary(rows: int) -> float:
    """0.3 under 10,000 rows, where single-field votes carry much of the answer, else 0.1."""
    return 0.3 if rows < 10_000 else 0.1


def usual_batch_size(rows: int) -> int:
    """32 under 1,000 rows, 64 under 10,000, else 128."""
    return 32 if rows < 1_000 else 64 if rows < 10_000 else 128
