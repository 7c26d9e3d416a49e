"""Training on pictures that several rows share, compared with the same pixels in a file of its own for each row."""

from __future__ import annotations

from speed.tables import pictures_and_text
from speed.timing import Epochs, Figure, Seconds, figure, turns

import polymodal as pm

SHARED = 7
"""The number of rows of a picture, as in easy-VQA."""


def measure(quick: bool = False) -> list[Figure]:
    """Return the ratio of the seconds of an epoch."""
    rows, repeats = (280, 1) if quick else (2_100, 3)
    settings = ("training.epochs=2", "training.baselines=false", "data.split.kind=random", "data.split.copies=ignore", "model.trees=null")
    seconds: dict[str, list[Seconds]] = {"each row its own": [], "shared": []}
    accuracies: dict[str, list[float]] = {name: [] for name in seconds}
    for seed, side in turns(list(seconds), repeats):
        seen = Epochs()
        table = pictures_and_text(rows, shared=SHARED, distinct=side != "shared", seed=seed)
        model = pm.train(table, *settings, target="y", seed=seed, observers=[seen])
        seconds[side].append((seen.seconds[-1], None))
        accuracies[side].append(model.metrics["validation"]["tasks"]["y"]["accuracy"])
    return [figure(f"pictures shared by {SHARED} rows: an epoch without sharing / with", seconds, "each row its own", "shared", least=3.0,
                   facts={"accuracy": accuracies})]  # fmt: skip
