"""Measure the metrics of a model when cells are worse than those of training, at severities 1 to 5, or missing.

The curves are those of each field and each of its corruptions, of all fields at once, and of cells that are missing with probability 0.1 to
0.9. Cells are decoded once, and encoded once for each corruption and severity. Predictions are computed in the blocks of every prediction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..data.reading import sample_or_fault
from ..evaluation.measure import measure
from ..evaluation.robustness import ALL, MISSING, relative
from ..flow import Cell, Sample
from ..inference import Cells, Encoded, EncodedCells, device_of, logits_of
from ..modalities import Modality
from ..modalities.signal_corruption import SEVERITIES, generator
from ..predictor import RowPredictor
from ..tasks.metrics import Metrics

SHARES = tuple(at / 10 for at in range(1, 10))
"""The shares of cells that are missing."""
_KEPT_BYTES = 256 * 2**20
"""The bytes of decoded cells that are kept from one corruption to the next."""
SeeThrough = Callable[[str, Sequence[Sample]], Sequence[Sample]]
"""A function from the name of a field and its samples to the samples that the model receives: features, if there is a frozen backbone."""
Key = tuple[str | None, str]
"""A field (None = all fields) and a corruption."""


def corruption_curves(
    predictor: RowPredictor, modalities: Mapping[str, Modality], cells: Mapping[str, Sequence[Cell]], targets: Mapping[str, np.ndarray],
    fields: Sequence[str], see_through: SeeThrough, seed: int = 0,
) -> dict[str, Any]:  # fmt: skip
    """Measure the metrics of rows with corrupted and with missing cells.

    :param cells: the cells of the predictor's rows by field (N,)
    :param targets: by task (N, T), NaN where a row has none
    :param fields: the fields that the table has; the others are hidden throughout
    :param see_through: applied to samples before they are encoded
    :returns: by task: ``metric``, ``rows`` (those with a target), ``whole`` (all metrics on uncorrupted cells) and ``curves``. A curve has
        ``field`` (None = all), ``corruption``, ``levels``, all ``metrics`` at each level, and ``relative``; ``effective`` is None
    """
    index = predictor.window.without(frozenset(predictor.fields) - frozenset(fields))
    curves: dict[Key, list[dict[str, Metrics]]] = {}
    corrupted = {name: _CorruptedField(name, modalities[name], cells[name], index[name], seed) for name in fields}
    for severity in SEVERITIES:
        for key, metrics in _metrics_at(predictor, corrupted, index, targets, see_through, severity):
            curves.setdefault(key, []).append(metrics)
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
            "curves": [_curve(key, [one[name] for one in metrics], whole[name], task.usual_metric) for key, metrics in curves.items()],
        }
        for name, task in predictor.tasks.items()
    }


def _curve(key: Key, metrics: Sequence[Metrics], whole: Metrics, metric: str) -> dict[str, Any]:
    """Return a curve as plain data."""
    levels = list(SHARES if key[1] == MISSING else SEVERITIES)
    area = relative(levels, [one[metric] for one in metrics], whole[metric])
    return {"field": key[0], "corruption": key[1], "levels": levels, "metrics": list(metrics), "relative": area, "effective": None}


class _CorruptedField:
    """The cells of one field. Each is decoded once, as long as they are not too large together."""

    def __init__(self, name: str, modality: Modality, cells: Sequence[Cell], index: np.ndarray, seed: int) -> None:
        self.name, self.modality, self.seed, self.index = name, modality, seed, index
        distinct, first = np.unique(index, return_index=True)
        self.cells = {int(at): cells[row] for at, row in zip(distinct, first, strict=True) if at >= 0}
        self.menu = list(modality.corruptions()) if self.cells else []
        self._decoded: dict[int, Any] = {}
        self._bytes = 0

    def samples(self, corruption: str, severity: int) -> tuple[list[Sample], np.ndarray]:
        """Return the samples of the corrupted cells, and the position of each row's sample among them (-1 = none)."""
        samples: list[Sample] = []
        place = np.full(max(self.cells, default=-1) + 2, -1, np.int64)  # the last one is that of -1
        for at in self.cells:
            sample, _ = sample_or_fault(self._corrupt, at, corruption, severity)  # a fault: the file has changed since it was read
            if sample is not None:
                place[at] = len(samples)
                samples.append(sample)
        return samples, place[self.index]

    def _corrupt(self, at: int, corruption: str, severity: int) -> Sample | None:
        """Return the sample of a corrupted cell."""
        return self.modality.corrupt(self._decode(at), corruption, severity, self.seed, self.name)

    def _decode(self, at: int) -> Any:
        """Return a decoded cell; at most ``_KEPT_BYTES`` of decoded cells are kept for the next call."""
        if at in self._decoded:
            return self._decoded[at]
        decoded = self.modality.parsed(self.cells[at])
        size = _size(decoded)
        if self._bytes + size <= _KEPT_BYTES:
            self._decoded[at], self._bytes = decoded, self._bytes + size
        return decoded


def _size(decoded: Any) -> int:
    """Return about how many bytes a decoded cell takes."""
    if isinstance(decoded, np.ndarray):
        return decoded.nbytes
    if isinstance(decoded, (list, tuple)):
        return sum(map(_size, decoded))
    return 4 * len(decoded) if isinstance(decoded, (str, bytes)) else 64


def _metrics_at(
    predictor: RowPredictor,
    corrupted: Mapping[str, _CorruptedField],
    index: Mapping[str, np.ndarray],
    targets: Mapping[str, np.ndarray],
    see_through: SeeThrough,
    severity: int,
) -> Iterator[tuple[Key, dict[str, Metrics]]]:
    """Yield the metrics at one severity: of each field and corruption alone; then of all fields, as the mean over turns, each of which uses
    another corruption of each field."""
    encoded: dict[tuple[str, str], tuple[list[EncodedCells], np.ndarray]] = {}
    for name, field in corrupted.items():
        for corruption in field.menu:
            samples, place = field.samples(corruption, severity)
            seen = see_through(name, samples)
            cells = Cells(field.modality, seen, device_of(predictor.members[0].model))
            by_member = [member.encode(name, cells) for member in predictor.members]
            encoded[name, corruption] = by_member, place
            members = [member.given({name: one}) for member, one in zip(predictor.members, by_member, strict=True)]
            yield (name, corruption), _measured(predictor, members, {**index, name: place}, targets)
    turns = []
    for turn in range(max((len(field.menu) for field in corrupted.values()), default=0)):
        chosen = {name: encoded[name, field.menu[turn % len(field.menu)]] for name, field in corrupted.items() if field.menu}
        members = [
            member.given({name: by_member[at] for name, (by_member, _) in chosen.items()}) for at, member in enumerate(predictor.members)
        ]  # fmt: skip
        places = {name: place for name, (_, place) in chosen.items()}
        turns.append(_measured(predictor, members, {**index, **places}, targets))
    if turns:
        yield (None, ALL), {name: _mean([turn[name] for turn in turns]) for name in predictor.tasks}


def _mean(metrics: Sequence[Metrics]) -> Metrics:
    """Return the mean of each metric; None where it is undefined in any of them."""
    mean: Metrics = {}
    for name in metrics[0]:
        defined = [value for one in metrics if (value := one[name]) is not None]
        mean[name] = float(np.mean(defined)) if len(defined) == len(metrics) else None
    return mean


def _without(
    predictor: RowPredictor, index: Mapping[str, np.ndarray], fields: Sequence[str], share: float, seed: int
) -> dict[str, np.ndarray]:
    """Return ``index`` with a share of the cells of some fields missing. They are sampled by row number, so that no row affects another."""
    rows = predictor.window.rows
    sampled = {name: generator(seed, name, MISSING, None).random(int(rows.max()) + 1)[rows] < share for name in fields}
    return {name: np.where(sampled[name], -1, of) if name in sampled else of for name, of in index.items()}


def _measured(
    predictor: RowPredictor, members: Sequence[Encoded], index: Mapping[str, np.ndarray], targets: Mapping[str, np.ndarray]
) -> dict[str, Metrics]:
    """Return the metrics by task of the rows described by ``index``."""
    return measure(predictor.tasks, predictor.decoded(logits_of(members, index)), targets)[0]
