"""Training on texts and numbers of few values: embeddings of the n-grams that occur, compared with one for each bucket, and batches that
are selected from tensors, compared with batches that are collated from single samples."""

from __future__ import annotations

import statistics
from typing import Any
from unittest.mock import patch

import numpy as np
from speed.tables import text_and_numbers
from speed.timing import Epochs, Figure, Seconds, accuracy_facts, figure, turns

import polymodal as pm
from polymodal.data.store import Store
from polymodal.encoders import BagConfig

_BUILD = BagConfig.build


def of_every_bucket(config: BagConfig, width: int, state: Any) -> Any:
    """Build a bag with an embedding for each bucket."""
    return _BUILD(config, width, {name: value for name, value in state.items() if name != "known"})


def names_and_numbers(rows: int, seed: int) -> dict[str, list[Any]]:
    """Return names of four words from 300, six numbers and a category, and a class that a word and a number determine, with noise."""
    table = text_and_numbers(rows, seed)
    rng = np.random.default_rng([seed, 1])
    names = rng.integers(0, 300, (rows, 4))
    score = np.array(table["x0"]) + 1.5 * (names < 40).any(1) + rng.normal(size=rows)
    texts = [" ".join(f"w{at}" for at in name) for name in names]
    return table | {"text": texts, "y": np.where(score > 0.5, "yes", "no").tolist()}


def compared(name: str, owner: Any, attribute: str, other: Any, quick: bool, least: float) -> Figure:
    """Return the ratio of the median seconds of an epoch with and without a replaced attribute, and both mean accuracies."""
    seeds, rows, epochs = (1, 300, 1) if quick else (5, 1_500, 6)
    settings = ("training.baselines=false", "data.split.kind=random", "model.trees=null", f"training.epochs={epochs}")
    accuracies: dict[str, list[float]] = {"before": [], "now": []}
    seconds: dict[str, list[Seconds]] = {"before": [], "now": []}
    for seed, side in turns(list(seconds), seeds):
        seen = Epochs()
        with patch.object(owner, attribute, other if side == "before" else getattr(owner, attribute)):
            model = pm.train(names_and_numbers(rows, seed), *settings, target="y", seed=seed, observers=[seen])
        accuracies[side].append(model.evaluate(names_and_numbers(1_000, 100 + seed))["tasks"]["y"]["accuracy"])
        seconds[side].append((statistics.median(seen.seconds), None))
    facts = {"accuracy": accuracy_facts(accuracies, "before", "now")}
    return figure(name, seconds, "before", "now", least=least, facts=facts)


def measure(quick: bool = False) -> list[Figure]:
    """Return the ratio for embeddings of known n-grams, and that for collated samples.

    :param quick: whether to train one small model on each side, which only shows that everything runs
    """
    known = "names: an epoch with an embedding for every bucket / for known n-grams"
    once = "names and numbers: an epoch collated by batch / once"
    return [
        compared(known, BagConfig, "build", of_every_bucket, quick, 1.3),
        compared(once, Store, "collated", lambda *_: None, quick, 1.1),
    ]
