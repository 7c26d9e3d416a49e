"""What is left of a model's metrics when cells are worse than those of training, at severities 1 to 5, or missing.

Of each field and each of its corruptions, of all fields at once, and of cells that are missing with probability 0.1 to 0.9. Cells are
decoded once, and encoded once for each corruption and severity; rows are answered in the blocks of every prediction.

Two numbers for each curve, after MultiBench (Liang et al. 2021, arXiv:2107.07502) as its code computes them:

- *relative*: the area under the curve of the metric over how bad the cells are, by trapezoids, severity 0 included. Divided by the curve's
  width, so that it is a mean of the metric, and the metric itself where nothing is lost.
- *effective*: the area between the curve and that of a baseline model, moved up or down to begin where the curve does: what is lost less
  than by the baseline. MultiBench's baseline is late fusion, its area a sum; here it is by trapezoids and divided by the width. Its scaling
  of both numbers between the best and the worst of many methods is left out: there are none here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import Fault
from ..flow import Cell, Sample
from ..inference import Encoded
from ..modalities import Modality, PartFault
from ..modalities.signal_corruption import SEVERITIES, generator
from ..tasks.metrics import Metrics
from .contribution import RowPredictor
from .measure import measure

ALL, MISSING = "all at once", "missing cells"
"""The corruptions that are no modality's: every field corrupted, and cells that are not there."""
SHARES = tuple(at / 10 for at in range(1, 10))
"""How many cells are missing."""
_HELD = 256 * 2**20
"""Bytes of decoded cells that are kept from one corruption to the next."""
See = Callable[[str, Sequence[Sample]], Sequence[Sample]]
"""What the model is given of some samples of a field: what a frozen backbone says of them, if there is one."""
Key = tuple[str | None, str]
"""A field (None = all of them), and a corruption."""


def robustness(
    predictor: RowPredictor, modalities: Mapping[str, Modality], cells: Mapping[str, Sequence[Cell]], targets: Mapping[str, np.ndarray],
    fields: Sequence[str], see: See, seed: int = 0,
) -> dict[str, Any]:  # fmt: skip
    """By task: ``metric``, ``rows`` (with a target), ``whole`` (all metrics of untouched cells) and ``curves``.

    A curve has ``field`` (None = all), ``corruption``, ``levels``, all ``metrics`` at each, and ``relative``; ``effective`` is None.

    :param cells: by field (N,), those of the window's rows
    :param fields: those that the table has; the others are hidden throughout
    """
    index = predictor.window.without(frozenset(predictor.fields) - frozenset(fields))
    curves: dict[Key, list[dict[str, Metrics]]] = {}
    worsened = {name: _Worsened(name, modalities[name], cells[name], index[name], seed) for name in fields}
    for severity in SEVERITIES:
        for key, found in _worse(predictor, worsened, index, targets, see, severity):
            curves.setdefault(key, []).append(found)
    for name in (*fields, None):
        curves[name, MISSING] = [
            _measured(predictor, predictor.members, _without(predictor, index, fields if name is None else [name], share, seed), targets)
            for share in SHARES
        ]
    whole = _measured(predictor, predictor.members, index, targets)
    return {
        name: {
            "metric": task.usual_metric,
            "rows": int((~np.isnan(targets[name]).any(1)).sum()),
            "whole": whole[name],
            "curves": [_curve(key, [one[name] for one in found], whole[name], task.usual_metric) for key, found in curves.items()],
        }
        for name, task in predictor.tasks.items()
    }


def compared(own: Mapping[str, Any], other: Mapping[str, Any], untouched: Collection[str]) -> None:
    """Write into the curves of ``own`` how much less they lose than a baseline's do: ``effective``.

    :param untouched: fields whose columns the baseline does not read: whatever happens to them, it loses nothing
    """
    for name, facts in own.items():
        metric, baseline = facts["metric"], other[name]
        known = {(curve["field"], curve["corruption"]): lost(curve, baseline["whole"][metric], metric) for curve in baseline["curves"]}
        for curve in facts["curves"]:
            ours = lost(curve, facts["whole"][metric], metric)
            theirs = 0.0 if curve["field"] in untouched else known.get((curve["field"], curve["corruption"]))
            curve["effective"] = None if ours is None or theirs is None else theirs - ours


def lost(curve: Mapping[str, Any], whole: float | None, metric: str) -> float | None:
    """How much of a metric a curve loses, on average over its levels."""
    area = relative(curve["levels"], [one[metric] for one in curve["metrics"]], whole)
    return None if area is None or whole is None else whole - area


def relative(levels: Sequence[float], values: Sequence[float | None], whole: float | None) -> float | None:
    """The area under a curve that begins with ``whole`` at 0, over its width; None where a value is undefined."""
    heights = [whole, *values]
    known = [value for value in heights if value is not None and not np.isnan(value)]
    return float(np.trapezoid(known, [0, *levels]) / levels[-1]) if len(known) == len(heights) else None


def _curve(key: Key, metrics: Sequence[Metrics], whole: Metrics, worth: str) -> dict[str, Any]:
    levels = list(SHARES if key[1] == MISSING else SEVERITIES)
    area = relative(levels, [one[worth] for one in metrics], whole[worth])
    return {"field": key[0], "corruption": key[1], "levels": levels, "metrics": list(metrics), "relative": area, "effective": None}


class _Worsened:
    """The cells of one field, each decoded once where they are not too large together."""

    def __init__(self, name: str, modality: Modality, cells: Sequence[Cell], index: np.ndarray, seed: int) -> None:
        self.name, self.modality, self.seed, self.index = name, modality, seed, index
        distinct, first = np.unique(index, return_index=True)
        self.cells = {int(at): cells[row] for at, row in zip(distinct, first, strict=True) if at >= 0}
        self.menu = list(modality.corruptions()) if self.cells else []
        self.kept: dict[int, Any] = {}
        self.bytes = 0

    def samples(self, corruption: str, severity: int) -> tuple[list[Sample], np.ndarray]:
        """The corrupted cells, and which of them each row holds (-1 = none)."""
        samples: list[Sample] = []
        place = np.full(max(self.cells, default=-1) + 2, -1, np.int64)  # the last one is that of -1
        for at in self.cells:
            sample = self._sample(at, corruption, severity)
            if sample is not None:
                place[at] = len(samples)
                samples.append(sample)
        return samples, place[self.index]

    def _sample(self, at: int, corruption: str, severity: int) -> Sample | None:
        try:
            return self.modality.corrupt(self._held(at), corruption, severity, self.seed, self.name)
        except PartFault as fault:
            return fault.rest
        except Fault:  # a file that was there before
            return None

    def _held(self, at: int) -> Any:
        if at in self.kept:
            return self.kept[at]
        held = self.modality.held(self.cells[at])
        size = _size(held)
        if self.bytes + size <= _HELD:
            self.kept[at], self.bytes = held, self.bytes + size
        return held


def _size(held: Any) -> int:
    if isinstance(held, np.ndarray):
        return held.nbytes
    return sum(map(_size, held)) if isinstance(held, (list, tuple)) else 4 * len(held) if isinstance(held, (str, bytes)) else 64


def _worse(
    predictor: RowPredictor,
    worsened: Mapping[str, _Worsened],
    index: Mapping[str, np.ndarray],
    targets: Mapping[str, np.ndarray],
    see: See,
    severity: int,
) -> Iterator[tuple[Key, dict[str, Metrics]]]:
    """At one severity, each field and corruption alone; then all fields, every corruption in its turn, the mean of the turns."""
    encoded: dict[tuple[str, str], tuple[list[Any], np.ndarray]] = {}
    for name, field in worsened.items():
        for corruption in field.menu:
            samples, place = field.samples(corruption, severity)
            seen = see(name, samples)
            cells = [member.cells_of(name, field.modality, seen) for member in predictor.members]
            encoded[name, corruption] = cells, place
            members = [member.given({name: one}) for member, one in zip(predictor.members, cells, strict=True)]
            yield (name, corruption), _measured(predictor, members, {**index, name: place}, targets)
    turns = []
    for turn in range(max((len(field.menu) for field in worsened.values()), default=0)):
        chosen = {name: encoded[name, field.menu[turn % len(field.menu)]] for name, field in worsened.items() if field.menu}
        members = [
            member.given({name: cells[at] for name, (cells, _) in chosen.items()}) for at, member in enumerate(predictor.members)
        ]  # fmt: skip
        places = {name: place for name, (_, place) in chosen.items()}
        turns.append(_measured(predictor, members, {**index, **places}, targets))
    if turns:
        yield (None, ALL), {name: _mean([turn[name] for turn in turns]) for name in predictor.tasks}


def _mean(metrics: Sequence[Metrics]) -> Metrics:
    found: Metrics = {}
    for name in metrics[0]:
        known = [value for one in metrics if (value := one[name]) is not None]
        found[name] = float(np.mean(known)) if len(known) == len(metrics) else None
    return found


def _without(
    predictor: RowPredictor, index: Mapping[str, np.ndarray], fields: Sequence[str], share: float, seed: int
) -> dict[str, np.ndarray]:
    """The rows with a share of some fields' cells missing: drawn by the number of a row, so that no row depends on another."""
    rows = predictor.window.rows
    sampled = {name: generator(seed, name, MISSING, None).random(int(rows.max()) + 1)[rows] < share for name in fields}
    return {name: np.where(sampled[name], -1, of) if name in sampled else of for name, of in index.items()}


def _measured(
    predictor: RowPredictor, members: Sequence[Encoded], index: Mapping[str, np.ndarray], targets: Mapping[str, np.ndarray]
) -> dict[str, Metrics]:
    scores = predictor.decoded([member.answer(index).logits for member in members])
    return measure(predictor.tasks, scores, targets)[0]
