"""Series: measurements over time of one or several channels, at regular or irregular times. Each row may have a different length.

A cell is a list of numbers, a list of such lists (time x channels), an array, the same as JSON text, or a file (``.npy``, ``.csv``,
``.parquet``). Two more columns may select a window of the file. A file with a column of times is resampled to a regular grid by linear
interpolation. Values are standardised by channel. A missing value is NaN; it is not filled in.

Shapes: ``T`` steps, ``C`` channels, ``U`` distinct series, ``J`` steps of the result of an interpolation.
"""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field as Setting
from pydantic import model_validator
from torch import Tensor

from ..errors import Fault
from ..flow import Cell, Form, Geometry, Sample, State, Unreadable
from ..language import Sentence
from .arrays import numbers_of, standardised
from .files import Roots
from .modality import FieldConfig, Modality, Recognition, percent
from .objects import called, plain
from .sequences import bucket
from .series_values import MAX_CHANNELS, array_of, averaged, series_of, window_of
from .signal_corruption import Corruption, of_series

EXTENSIONS = (".npy", ".csv", ".parquet")
_SHORTEST, _LONGEST = 16, 1_024
_FEWEST = 8  # the minimum length of a list that is recognised as a series


class SeriesConfig(FieldConfig):
    """A column of series."""

    kind: Literal["series"] = "series"
    column: str
    """The column with the series, or with the paths of their files."""
    start: str | None = None
    """A column with the start of a window of the file in seconds; null = the whole file. It requires ``end``, and ``rate`` or a column of
    times in the file."""
    end: str | None = None
    """A column with the end of the window in seconds."""
    rate: float | None = Setting(None, gt=0, le=1e9)
    """The number of measurements per second, for files without a column of times; null = not known."""
    unit: str | None = None
    """The unit of the values, which is only displayed; null = not stated."""
    length: int | None = Setting(None, ge=16, le=16_384)
    """The maximum number of steps of a series; a longer one is averaged down to it. null = the 95 % quantile of the lengths, at most 1,024.
    Cost grows with it."""
    max_mb: float = Setting(64.0, gt=0, le=2_048)
    """The maximum size of a file or cell in MiB. A larger one is not read and counts as a fault."""
    jitter: float = Setting(0.05, ge=0, le=1)
    """The standard deviation of the noise added to training series, in standard deviations of each channel."""
    scale: float = Setting(0.1, ge=0, lt=1)
    """The maximum relative change of the amplitude and the speed of training series."""

    @model_validator(mode="after")
    def _a_window_has_two_ends(self) -> SeriesConfig:
        if (self.start is None) != (self.end is None):
            raise ValueError("give 'start' and 'end', or neither")
        return self

    @property
    def sources(self) -> tuple[str, ...]:
        """The column of the series, and the columns of the window, if there are any."""
        return (self.column,) if self.start is None else (self.column, self.start, str(self.end))

    @classmethod
    def modality(cls) -> type[Modality]:
        """Return the class of this modality, ``Series``."""
        return Series


class Series(Modality):
    """Read series from cells, files and arrays."""

    kind = "series"
    sent_as = "numbers"
    forms = ("series",)
    fit_cells = 512
    of_files = True

    @classmethod
    def recognise(cls, cells: Sequence[Cell], roots: Roots) -> Recognition:
        """Recognise lists and arrays of numbers, and the paths of files with numbers."""
        if not cells:
            return Recognition(0.0)
        files = sum(_names_a_file(cell) for cell in cells) / len(cells)
        if files >= 0.5:
            return Recognition(0.5 + 0.4 * files, {}, Sentence("why.number_files", share=percent(files)))
        arrays = [array for cell in cells if (array := array_of(cell)) is not None and len(array) >= _FEWEST]
        if len(arrays) < 0.9 * len(cells):
            return Recognition(0.0)
        values = {"least": min(map(len, arrays)), "most": max(map(len, arrays)), "channels": arrays[0].shape[1]}
        return Recognition(0.9, {}, Sentence("why.number_lists", **values))

    @classmethod
    def fit(cls, config: SeriesConfig, cells: Iterable[Cell], form: Form, needs: Mapping[str, Any], roots: Roots) -> State:
        """Learn the state: ``channels``, the maximum ``length``, and ``mean`` and ``std`` of each channel."""
        cls.check_form(form)
        readable = []
        for cell in cells:
            try:
                readable.append(_series(cell, config, roots))
            except Fault:
                continue
        counts = Counter(series.shape[1] for series in readable)
        channels = counts.most_common(1)[0][0] if counts else 1
        kept = [series for series in readable if series.shape[1] == channels]
        lengths = [len(series) for series in kept]
        length = config.length or min(_LONGEST, max(_SHORTEST, math.ceil(float(np.quantile(lengths, 0.95))))) if lengths else _SHORTEST
        state: State = {"form": form, "channels": channels, "length": int(length), "mean": [0.0] * channels, "std": [1.0] * channels}
        if kept:
            values = np.concatenate(kept)
            for at in range(channels):
                known = values[:, at][np.isfinite(values[:, at])].clip(-1e150, 1e150)
                if len(known):
                    std = float(known.std())
                    state["mean"][at] = float(known.mean())
                    state["std"][at] = std if std > 1e-12 * float(abs(known).max()) else 1.0
        return state

    def check(self) -> None:
        """Check that sizes are within bounds, and that each channel has a finite mean and a positive standard deviation."""
        self.check_form(self.state["form"])
        channels, length, mean, std = (self.state[name] for name in ("channels", "length", "mean", "std"))
        if type(channels) is not int or not 1 <= channels <= MAX_CHANNELS or type(length) is not int or not _SHORTEST <= length <= 16_384:
            raise ValueError(f"{length} steps of {channels} channels")
        facts = [*mean, *std]
        if (
            len(mean) != channels
            or len(std) != channels
            or not all(type(fact) in (int, float) and math.isfinite(fact) for fact in facts)
            or min(std) <= 0
        ):
            raise ValueError("means and standard deviations that do not fit the channels")

    def read(self, cell: Cell) -> Sample:
        """Return ``values`` float32 (T, C), standardised and clipped to -20 to 20; NaN = missing."""
        return self.sample_of(self.parsed(cell))

    def parsed(self, cell: Cell) -> np.ndarray:
        """Return the values of the cell, float64 (T, C); NaN = missing."""
        return _series(cell, self.config, self.roots)

    def sample_of(self, series_TC: np.ndarray) -> Sample:
        """Average a series (T, C) down to the maximum length, and standardise it."""
        channels = self.state["channels"]
        if series_TC.shape[1] != channels:
            raise Fault(f"a series of {series_TC.shape[1]} channels; expected {channels}, as in training")
        return standardised(averaged(series_TC, self.state["length"]), self.state)

    def blank(self) -> Sample:
        """Return a series without any measurement."""
        return {"values": np.full((_SHORTEST, self.state["channels"]), np.nan, np.float32)}

    def geometry(self, sample: Sample) -> Geometry:
        """Return the number of steps, rounded up to a power of two."""
        return (bucket(len(sample["values"]), _SHORTEST, self.state["length"]),)

    def collate(self, samples: Sequence[Sample], geometry: Geometry) -> dict[str, Tensor]:
        """Return ``values`` float32 (U, T, C), padded with NaN, and ``length`` int64 (U,) in steps."""
        (steps,) = geometry
        values_UTC = np.full((len(samples), steps, self.state["channels"]), np.nan, np.float32)
        for row, sample in zip(values_UTC, samples, strict=True):
            part = sample["values"][:steps]
            row[: len(part)] = part
        lengths = [min(len(sample["values"]), steps) for sample in samples]
        return {"values": torch.from_numpy(values_UTC), "length": torch.tensor(lengths)}

    def augment(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Return a sample with added noise, a changed amplitude and speed, and a shift in time."""
        values_TC = sample["values"]
        speed, amplitude = 1 + rng.uniform(-1, 1, 2) * self.config.scale
        steps = int(np.clip(round(len(values_TC) / speed), 1, self.state["length"]))
        shift = rng.uniform(0, 0.05) * len(values_TC)
        values_TC = _at(values_TC, np.linspace(0, len(values_TC) - 1, steps) + shift)
        noise_TC = rng.normal(0, 1, values_TC.shape) * self.config.jitter
        return {"values": (values_TC * amplitude + noise_TC).astype(np.float32)}

    def corruptions(self) -> Mapping[str, Corruption]:
        """Return the corruptions of the values as they were measured, before they are standardised."""
        return of_series(self.state["mean"], self.state["std"])

    def recipe(self) -> dict[str, Any]:
        """Return the operation "series". Exported models read lists and ``.npy`` files by themselves, other files with pyarrow."""
        facts = {name: self.state[name] for name in ("length", "mean", "std")}
        padding = {"padded": ["values"], "pad": None, "lengths": [_SHORTEST, self.state["length"]]}
        return {"operation": "series", **padding, **facts, "rate": self.config.rate, "max_mb": self.config.max_mb}

    def cost(self) -> float:
        """Return the approximate cost, which grows with the length."""
        return 2e3 * int(self.state["length"])

    def describe(self) -> str:
        """Return the maximum length, the number of channels and the unit, in words."""
        unit = f" ({self.config.unit})" if self.config.unit else ""
        rate = Sentence("describe.rate", rate=self.config.rate) if self.config.rate else ""
        return Sentence("describe.series", channels=self.state["channels"], unit=unit, steps=self.state["length"], rate=rate)


def _names_a_file(cell: Cell) -> bool:
    if isinstance(cell, os.PathLike):
        cell = os.fspath(cell)
    return isinstance(cell, str) and len(cell) < 4096 and cell.strip().casefold().endswith(EXTENSIONS)


def _series(cell: Cell, config: SeriesConfig, roots: Roots) -> np.ndarray:
    """Return a cell as float64 (T, C), NaN = missing.

    :raises Fault: the cell is not a series
    """
    window: tuple[float, float] | None = None
    if config.start is not None:
        cell, *ends = cell
        window = window_of(*ends)
    cell = plain(cell)
    array_TC = array_of(cell)
    times_T = None
    if array_TC is None:
        if isinstance(cell, (dict, Unreadable)):
            raise Fault(f"found {called(cell)}, which is not a series; expected numbers, or steps with equally many numbers each")
        if isinstance(cell, (list, tuple, np.ndarray, int, float)) or (isinstance(cell, str) and cell.lstrip().startswith("[")):
            raise Fault("a list that is not a series; expected numbers, or steps with equally many numbers each")
        array_TC, times_T = numbers_of(roots.bytes_of(cell, int(config.max_mb * 2**20)), cell)
    return series_of(array_TC, times_T, config.rate, window)


def _at(values_TC: np.ndarray, at_J: np.ndarray) -> np.ndarray:
    """Interpolate linearly at fractional steps (J,); after the last step, the last value is repeated."""
    at_J = at_J.clip(0, len(values_TC) - 1)
    low_J = np.floor(at_J).astype(np.int64)
    high_J = np.minimum(low_J + 1, len(values_TC) - 1)
    share_J1 = (at_J - low_J)[:, None]
    between_JC = values_TC[low_J] * (1 - share_J1) + values_TC[high_J] * share_J1
    interpolated_JC: np.ndarray = np.where(np.isnan(between_JC), values_TC[low_J], between_JC)
    return interpolated_JC
