"""The settings of training."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator
from pydantic import Field as Setting

from ..config import Config, PathText
from ..request import TrackerName
from .balance import AnyBalance, NoneConfig
from .devices import DeviceName

UNITS = {
    "s": 1, "sec": 1, "secs": 1, "second": 1, "seconds": 1, "秒": 1, "秒钟": 1,
    "m": 60, "min": 60, "mins": 60, "minute": 60, "minutes": 60, "分": 60, "分钟": 60,
    "h": 3600, "hr": 3600, "hrs": 3600, "hour": 3600, "hours": 3600, "小时": 3600,
    "d": 86_400, "day": 86_400, "days": 86_400, "天": 86_400,
}  # fmt: skip
"""The number of seconds in each unit of time, by its spelling."""
_LONGEST = 60  # the maximum number of characters of a time
_TIME = re.compile(r"(\d+(?:\.\d+)?)\s*([^\W\d_]+)\.?\s*(?:,|and\b)?\s*")


def seconds(value: Any) -> Any:
    """Return a time such as ``90``, ``"90s"``, ``"5m"``, ``"1h30m"``, ``"10 min"``, ``"1 hour 30 minutes"`` in seconds.

    Plain numbers, also as text, are returned unconverted.

    :raises ValueError: the text is not a time
    """
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
    """Return the value unchanged if it is a fraction in [0, 1), or a dict of such fractions by field.

    :raises ValueError: it is neither
    """
    for share in value.values() if isinstance(value, dict) else [value]:
        try:
            share = float(share)  # YAML reads 1e-2 as text
        except (TypeError, ValueError):
            raise ValueError("expected a share from 0 to under 1, or one for each field: {photo: 0.3}") from None
        if not 0 <= share < 1:
            raise ValueError("expected shares from 0 to under 1")
    return value


def names(value: Any) -> Any:
    """Return a single name as a list, and any other value unchanged."""
    return [value] if isinstance(value, str) else value


class TrainingConfig(Config):
    """How the model is trained."""

    preset: Literal["fast", "good", "best"] = "good"
    """How much is trained if there is no time limit: fast = one model and no baselines, for a first look; good = the default; best = folds
    for tables of cheap fields, however many rows up to 50,000 they have, every fold, and three networks in each model."""
    epochs: int | None = Setting(None, ge=1)
    """The maximum number of epochs; null = chosen from the number of rows, or of distinct images where rows share images (6 to 30)."""
    batch_size: int | None = Setting(None, ge=1)
    """The number of rows per step; null = chosen from the number of rows (32 to 128)."""
    accumulate: int = Setting(1, ge=1)
    """The number of parts in which a batch is computed, to save memory. The gradient remains that of the whole batch."""
    lr: float = Setting(1e-3, gt=0)
    """The peak learning rate. It is reached after a linear warm-up and followed by a cosine decay to zero."""
    weight_decay: float = Setting(0.02, ge=0)
    """Decoupled weight decay (Loshchilov and Hutter 2019, arXiv:1711.05101). It is not applied to biases and normalization layers."""
    warmup: float = Setting(0.1, ge=0, lt=1)
    """The fraction (0 to 1) of the steps during which the learning rate rises."""
    clip: float = Setting(1.0, gt=0)
    """The maximum norm of the gradient; a larger gradient is clipped to it."""
    patience: int | None = Setting(None, ge=1)
    """The number of epochs without an improvement of 0.5 % in validation after which training stops; null = a quarter of the epochs, but at
    least 3."""
    auxiliary: float | None = Setting(None, ge=0)
    """The weight of the losses of the single-field votes, added to the fused loss; null = 0.3 under 10,000 rows, else 0.1."""
    modality_dropout: Annotated[float | dict[str, float], BeforeValidator(shares)] = 0.05
    """The probability (0 to 1) that a field of a row is hidden in training, so that the model learns to predict without it; never all
    fields of a row. A dict sets it by field, such as {photo: 0.3}, and to 0 for fields not listed."""
    modality_dropout_schedule: Literal["constant", "rise", "fall"] = "constant"
    """How modality_dropout changes during training: constant; rise = from 0 to its value; fall = from its value to 0."""
    balance: AnyBalance = NoneConfig()
    """The method that keeps one field from preventing the others from learning."""
    rates: dict[str, Annotated[float, Setting(gt=0, le=1e3)]] = {}
    """Multipliers of the learning rate of field encoders, by field, such as {photo: 0.3}."""
    freeze: dict[str, Annotated[int, Setting(ge=0)]] = {}
    """The last epoch in which a field's encoder is trained, by field, such as {photo: 5}; 0 = never. Heads and fusion continue to train."""
    augment: bool = True
    """Whether to augment training cells; images, for example, are mirrored and shifted, and their brightness and contrast varied."""
    baselines: bool = True
    """Whether to train a model on each single field as well, on the same rows, to show whether fusion helps."""
    time_limit: Annotated[float | None, BeforeValidator(seconds)] = Setting(None, gt=0)
    """The time limit in seconds (or 90s, 5m, 1h30m, 10 min) of the whole command, from its start to the saved bundle; null = no limit."""
    device: DeviceName = "auto"
    """The device for training; auto = the first of CUDA, MPS and CPU that is available."""
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """The numeric precision of training; auto = bfloat16 on a GPU that supports it natively, else float32."""
    checkpoint_activations: bool = False
    """Whether the activations inside the blocks of transformers and convolutional networks are computed again in the backward pass instead
    of being kept: less memory for about a third more time. It does not change results."""
    workers: int = Setting(2, ge=0)
    """The number of steps prepared ahead in a thread; 0 = none. It does not change results."""
    checkpoint_minutes: float | None = Setting(1.0, gt=0)
    """The minutes between two checkpoints (more if writing would take over 2 % of the time); null = never by time. It does not change
    results."""
    checkpoint_steps: int | None = Setting(None, ge=1)
    """The number of steps between two checkpoints, in addition to those by time; null = by time only. It does not change results."""
    track: Annotated[list[TrackerName], BeforeValidator(names)] = []
    """The experiment trackers to which the run is written besides its folder: mlflow, wandb, tensorboard. It does not change results."""
    bad_steps: int = Setting(10, ge=0)
    """The maximum number of steps of one model that are undone because the loss or the gradient is not finite; one more stops training."""
    init: PathText | None = None
    """A trained run or bundle that supplies the initial weights wherever names and shapes match; null = none."""

    @property
    def networks(self) -> int:
        """The number of networks of each model that are trained whatever the time."""
        return 3 if self.preset == "best" and self.time_limit is None else 1

    @property
    def named(self) -> dict[str, list[str]]:
        """The field names that occur in settings, by setting."""
        hidden = self.modality_dropout if isinstance(self.modality_dropout, dict) else {}
        return {"rates": list(self.rates), "freeze": list(self.freeze), "modality_dropout": list(hidden)}

    def alone(self, field: str) -> TrainingConfig:
        """Return the settings for the baseline model of a single field.

        Balancing, freezing and modality dropout by field are off, since no other field is present.
        """
        rates = {field: self.rates[field]} if field in self.rates else {}
        hidden = self.modality_dropout if isinstance(self.modality_dropout, float) else 0.0
        return self.model_copy(update={"rates": rates, "freeze": {}, "modality_dropout": hidden, "balance": NoneConfig()})


def usual_epochs(rows: int) -> int:
    """Return the default number of epochs: 30 up to about 1,300 rows, 24 at 2,000, decreasing with the square root of the rows to 6."""
    return int(min(30, max(6, round(24 * (2_000 / max(rows, 1)) ** 0.5))))


def usual_auxiliary(rows: int) -> float:
    """Return the default weight of the single-field losses: 0.3 under 10,000 rows, where these votes matter much, else 0.1."""
    return 0.3 if rows < 10_000 else 0.1


def usual_batch_size(rows: int) -> int:
    """Return the default batch size: 32 under 1,000 rows, 64 under 10,000, else 128."""
    return 32 if rows < 1_000 else 64 if rows < 10_000 else 128
