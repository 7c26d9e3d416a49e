"""From the numbers of a series to a regular series of bounded length. The file needs no torch, so that exported models read series by it.

Shapes: ``T`` steps, ``C`` channels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..cells import number
from ..errors import Fault
from .arrays import list_of_numbers

if TYPE_CHECKING:
    from ..flow import Cell

MAX_CHANNELS = 256
"""The maximum number of channels."""
_MAX_VALUES = 16_000_000


def array_of(cell: Cell) -> np.ndarray | None:
    """Return a list, an array or JSON text as float64 (T, C); None for other cells."""
    array = list_of_numbers(cell)
    return array[:, None] if array is not None and array.ndim == 1 else array


def series_of(array_TC: np.ndarray, times_T: np.ndarray | None, rate: float | None, window: tuple[float, float] | None) -> np.ndarray:
    """Return a series at regular times, float64 (T, C), NaN = missing.

    :param array_TC: the values
    :param times_T: their times in seconds; None = regular times
    :param rate: the number of regular steps per second; None = not known
    :param window: the start and the end of the part to return, in seconds; None = the whole series
    :raises Fault: the values are not a series
    """
    if array_TC.size > _MAX_VALUES or array_TC.shape[1] > MAX_CHANNELS:
        raise Fault(f"a series of {array_TC.shape[0]:,} x {array_TC.shape[1]:,} values; expected at most {MAX_CHANNELS} channels")
    if np.isinf(array_TC).any():
        raise Fault("a series with infinite values; expected finite numbers, and null for missing ones")
    if times_T is not None:
        array_TC, rate = _on_a_grid(array_TC, times_T)
    if window is not None:
        if not rate:
            raise Fault("a window of a series without times; expected a column of times in its file, or a rate (fields.NAME.rate)")
        origin = float(times_T[0]) if times_T is not None and times_T[0] < 1e8 else 0.0
        low, high = (round((second - origin) * rate) for second in window)
        array_TC = array_TC[max(low, 0) : max(high, 0)]
    if not len(array_TC) or not array_TC.shape[1]:
        raise Fault("a series without any step" + (f" between {window[0]:g} s and {window[1]:g} s" if window is not None else ""))
    if np.isnan(array_TC).all():
        raise Fault("a series of which every value is missing")
    return array_TC


def window_of(start: Cell, end: Cell) -> tuple[float, float]:
    """Return the start and the end of a window in seconds; raise ``Fault`` if they are not two ascending numbers."""
    low, high = number(start), number(end)
    if low is None or high is None or not high > low:
        raise Fault(f"a window from {str(start)[:20]!r} to {str(end)[:20]!r}; expected two seconds, the first smaller")
    return low, high


def _on_a_grid(array_TC: np.ndarray, times_T: np.ndarray) -> tuple[np.ndarray, float]:
    """Interpolate a series at equally many regular times. Return it, and the number of steps per second."""
    steps_T = np.diff(times_T)
    if (steps_T < 0).any():
        raise Fault(f"times that decrease (at step {int(np.argmax(steps_T < 0)) + 2:,}); expected ascending times")
    if (steps_T == 0).any():
        raise Fault(f"a time that occurs twice (at step {int(np.argmax(steps_T == 0)) + 2:,}); expected each time once")
    if len(times_T) < 2:
        return array_TC, 1.0
    grid_T = np.linspace(times_T[0], times_T[-1], len(times_T))
    out_TC = np.empty_like(array_TC)
    for at in range(array_TC.shape[1]):
        known = ~np.isnan(array_TC[:, at])
        out_TC[:, at] = np.interp(grid_T, times_T[known], array_TC[known, at]) if known.any() else np.nan
        gaps = np.interp(grid_T, times_T, known.astype(float)) < 0.5  # times nearer to a missing value than to a known one
        out_TC[gaps, at] = np.nan
    return out_TC, (len(times_T) - 1) / (times_T[-1] - times_T[0])


def averaged(series_TC: np.ndarray, length: int) -> np.ndarray:
    """Return at most ``length`` steps, each the mean of the known values in its part of the series."""
    if len(series_TC) <= length:
        return series_TC
    starts = np.linspace(0, len(series_TC), length + 1).round().astype(np.int64)[:-1]
    known_TC = ~np.isnan(series_TC)
    sums = np.add.reduceat(np.where(known_TC, series_TC, 0.0), starts, axis=0)
    counts = np.add.reduceat(known_TC.astype(np.float64), starts, axis=0)
    averaged_TC: np.ndarray = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    return averaged_TC
