"""Training of a text transformer in groups of texts of similar length, compared with padding all texts of a batch to the longest."""

from __future__ import annotations

from unittest.mock import patch

import numpy as np
from speed.tables import phrase
from speed.timing import Epochs, Figure, Seconds, accuracy_facts, figure, turns

import polymodal as pm
from polymodal.layers import lengths


def table(rows: int, seed: int) -> list[dict[str, str]]:
    """Return texts whose lengths have a lognormal distribution, and a class that a word determines, with noise."""
    rng = np.random.default_rng(seed)
    made = []
    for length in np.clip(rng.lognormal(3.3, 0.7, rows).astype(int), 2, 200):
        is_red = rng.random() < 0.5
        words = phrase(rng, int(length)).split()
        words[int(rng.integers(len(words)))] = "red" if is_red else "blue"
        made.append({"text": " ".join(words), "y": "ab"[int(is_red) ^ int(rng.random() < 0.1)]})
    return made


def measure(quick: bool = False) -> list[Figure]:
    """Return the ratio of the seconds of an epoch, and the mean accuracies of both ways over some seeds."""
    seeds, rows, epochs = (1, 400, 1) if quick else (5, 600, 4)
    settings = (
        "model.encoders.text.kind=text_transformer", "training.baselines=false", "data.split.kind=random", f"training.epochs={epochs}",
    )  # fmt: skip
    accuracies: dict[str, list[float]] = {"padded": [], "grouped": []}

    def trained(side: str, seed: int) -> float:
        seen = Epochs()
        with patch.object(lengths, "_SHORTER", 0.0 if side == "padded" else lengths._SHORTER):
            model = pm.train(table(rows, seed), *settings, target="y", seed=seed, observers=[seen])
        accuracies[side].append(model.evaluate(table(500, 100 + seed))["tasks"]["y"]["accuracy"])
        return sum(seen.seconds)

    seconds: dict[str, list[Seconds]] = {"padded": [], "grouped": []}
    for seed, side in turns(list(seconds), seeds):
        seconds[side].append((trained(side, seed), None))
    facts = {"accuracy": accuracy_facts(accuracies, "padded", "grouped")}
    return [figure("texts: an epoch padded to the longest text / in groups of similar length", seconds, "padded", "grouped", least=1.4,
                   facts=facts)]  # fmt: skip
