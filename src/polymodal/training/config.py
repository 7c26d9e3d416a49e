"""The settings of training."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator
from pydantic import Field as Setting

from ..config import Config
from .balance import AnyBalance, NoneConfig

UNITS = {
    "s": 1, "sec": 1, "secs": 1, "second": 1, "seconds": 1, "秒": 1, "秒钟": 1,
    "m": 60, "min": 60, "mins": 60, "minute": 60, "minutes": 60, "分": 60, "分钟": 60,
    "h": 3600, "hr": 3600, "hrs": 3600, "hour": 3600, "hours": 3600, "小时": 3600,
    "d": 86_400, "day": 86_400, "days": 86_400, "天": 86_400,
}  # fmt: skip
"""Seconds of each unit of time, by how it is written."""
_LONGEST = 60  # characters of a time
_TIME = re.compile(r"(\d+(?:\.\d+)?)\s*([^\W\d_]+)\.?\s*(?:,|and\b)?\s*")


def seconds(value: Any) -> Any:
    """``90``, ``"90s"``, ``"5m"``, ``"1h30m"``, ``"10 min"``, ``"1 hour 30 minutes"`` -> seconds."""
    if isinstance(value, str):
        text = value.strip().lower()
        if re.fullmatch(r"\d+(\.\d+)?", text):
            return text
        parts = _TIME.findall(text) if len(text) <= _LONGEST else []
        if not parts or _TIME.sub("", text) or not all(unit in UNITS for _, unit in parts):
            raise ValueError("expected a time such as 90s, 5m or 1h30m (or 10 min, 2 hours)")
        return sum(float(number) * UNITS[unit] for number, unit in parts)
    return value


def shares(value: Any) -> Any:
    """A share from 0 to under 1, or one by field."""
    for share in value.values() if isinstance(value, dict) else [value]:
        try:
            share = float(share)  # YAML reads 1e-2 as text
        except (TypeError, ValueError):
            raise ValueError("expected a share from 0 to under 1, or one for each field: {photo: 0.3}") from None
        if not 0 <= share < 1:
            raise ValueError("expected shares from 0 to under 1")
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
    modality_dropout: Annotated[float | dict[str, float], BeforeValidator(shares)] = 0.05
    """Share of a row's fields hidden at random in training, never all: the model learns to do without. By field: {photo: 0.3}, 0 of those
    that are not named."""
    modality_dropout_schedule: Literal["constant", "rise", "fall"] = "constant"
    """rise = from none to that share at the end of training; fall = from that share to none at the end."""
    balance: AnyBalance = NoneConfig()
    """What keeps one field from stopping the others from learning."""
    rates: dict[str, Annotated[float, Setting(gt=0, le=1e3)]] = {}
    """Learning rate of a field's encoder, as a multiple of what it is otherwise: {photo: 0.3}."""
    freeze: dict[str, Annotated[int, Setting(ge=0)]] = {}
    """The epoch after which a field's encoder stops learning, 0 = it never learns; heads and fusion go on: {photo: 5}."""
    augment: bool = True
    """Vary training cells (pictures are mirrored, moved and relit)."""
    baselines: bool = True
    """Train each single field alone as well, on the same rows: whether fusing helped stands beside the result."""
    time_limit: Annotated[float | None, BeforeValidator(seconds)] = Setting(None, gt=0)
    """Seconds (or 90s, 5m, 1h30m, 10 min) for the whole command, from its start to the saved bundle; null = no limit."""
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

    @property
    def named(self) -> dict[str, list[str]]:
        """The fields that settings name, by setting."""
        hidden = self.modality_dropout if isinstance(self.modality_dropout, dict) else {}
        return {"rates": list(self.rates), "freeze": list(self.freeze), "modality_dropout": list(hidden)}

    def alone(self, field: str) -> TrainingConfig:
        """For a model of a single field beside that of all fields: nothing is to be balanced there, and nothing hidden."""
        rates = {field: self.rates[field]} if field in self.rates else {}
        hidden = self.modality_dropout if isinstance(self.modality_dropout, float) else 0.0
        return self.model_copy(update={"rates": rates, "freeze": {}, "modality_dropout": hidden, "balance": NoneConfig()})


def usual_epochs(rows: int) -> int:
    """30 epochs up to about 1,300 rows, 24 at 2,000, falling with the root of the rows to 6."""
    return int(min(30, max(6, round(24 * (2_000 / max(rows, 1)) ** 0.5))))


def usual_auxiliary(rows: int) -> float:
    """0.3 under 10,000 rows, where single-field votes carry much of the answer, else 0.1."""
    return 0.3 if rows < 10_000 else 0.1


def usual_batch_size(rows: int) -> int:
    """32 under 1,000 rows, 64 under 10,000, else 128."""
    return 32 if rows < 1_000 else 64 if rows < 10_000 else 128
