"""The two numbers of a robustness curve: a metric over how much cells are corrupted.

Both follow MultiBench (Liang et al. 2021, arXiv:2107.07502) as its code computes them:

- *relative*: the area under the curve of the metric over the severity, by trapezoids, severity 0 included. It is divided by the width of
  the curve, so that it is a mean of the metric, and equals the metric itself if nothing is lost.
- *effective*: the area between the curve and that of a baseline model, shifted to begin where the curve does: how much less is lost than by
  the baseline. MultiBench's baseline is late fusion, and its area is a sum; here it is by trapezoids and divided by the width. Its scaling
  of both numbers between the best and the worst of many methods is left out, because there are no other methods here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

ALL, MISSING = "all at once", "missing cells"
"""The names of the corruptions that belong to no modality: every field is corrupted, and cells are missing."""


def compared(own: Mapping[str, Any], other: Mapping[str, Any], untouched: Collection[str]) -> None:
    """Set ``effective`` in the curves of ``own``: how much less of the metric they lose than the curves of a baseline.

    :param own: by task, the results of ``analysis.corruption_curves.corruption_curves``
    :param other: those of the baseline
    :param untouched: the fields whose columns the baseline does not read; it loses nothing if they are corrupted
    """
    for name, facts in own.items():
        metric, baseline = facts["metric"], other[name]
        losses = {(curve["field"], curve["corruption"]): lost(curve, baseline["whole"][metric], metric) for curve in baseline["curves"]}
        for curve in facts["curves"]:
            ours = lost(curve, facts["whole"][metric], metric)
            theirs = 0.0 if curve["field"] in untouched else losses.get((curve["field"], curve["corruption"]))
            curve["effective"] = None if ours is None or theirs is None else theirs - ours


def lost(curve: Mapping[str, Any], whole: float | None, metric: str) -> float | None:
    """Return how much of a metric a curve loses, on average over its levels; None if a value is undefined.

    :param whole: the metric on uncorrupted cells
    """
    area = relative(curve["levels"], [one[metric] for one in curve["metrics"]], whole)
    return None if area is None or whole is None else whole - area


def relative(levels: Sequence[float], values: Sequence[float | None], whole: float | None) -> float | None:
    """Return the area under a curve divided by its width; None if a value is undefined.

    :param levels: the severities, without 0
    :param values: the metric at each of them
    :param whole: the metric at severity 0
    """
    heights = [whole, *values]
    defined = [value for value in heights if value is not None and not np.isnan(value)]
    return float(np.trapezoid(defined, [0, *levels]) / levels[-1]) if len(defined) == len(heights) else None
