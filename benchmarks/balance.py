"""Measures whether balancing fields helps on generated tables: the accuracy on new rows, and that of each field's vote on validation rows.

    python benchmarks/balance.py [--seeds 5] [--only shortcut] [--also training.balance.alpha=1 ...]

- ``shortcut``: a word determines the class of 9 rows in 10, and n-grams memorise the others; numbers determine it in every row, but are
  harder to learn
- ``additive``: each field determines a half of the class
- ``xor``: the class depends on both fields, and on neither of them alone
- ``noise``: a word determines the class of 9 rows in 10, and numbers contain no information

Each is trained by default, and ``bare``: over a concatenation, without auxiliary losses and modality dropout.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import polymodal as pm

LETTERS = tuple("abcdefghiklmnoprstuv")
KINDS = ("none", "ogm_ge", "gradient_blending")
Table = dict[str, list[Any]]


def sentences(rng: np.random.Generator, words: Sequence[str]) -> list[str]:
    """Return sentences of six words: each given word among words that occur in no other row."""
    return [" ".join(rng.permutation(["".join(rng.choice(LETTERS, 6)) for _ in range(6)] + [word])) for word in words]


def numbers(rng: np.random.Generator, label_N: np.ndarray) -> Table:
    """Return two columns of numbers whose signs agree in rows of label 1, and eight columns of noise."""
    first = rng.uniform(0.15, 1, len(label_N)) * rng.choice([-1, 1], len(label_N))
    second = rng.uniform(0.15, 1, len(label_N)) * np.sign(first) * (2 * label_N - 1)
    rest = rng.uniform(-1, 1, (8, len(label_N)))
    return {name: [f"{value:.3f}" for value in column] for name, column in zip("abcdefghij", [first, second, *rest], strict=True)}


def shortcut(rng: np.random.Generator, rows: int) -> Table:
    """Return a table of this name, see the module."""
    label = rng.integers(0, 2, rows)
    cued = np.where(rng.random(rows) < 0.9, label, 1 - label)
    return {"text": sentences(rng, ["lemon" if one else "tiger" for one in cued]), **numbers(rng, label), "y": label.tolist()}


def additive(rng: np.random.Generator, rows: int) -> Table:
    """Return a table of this name, see the module."""
    word, number = rng.integers(0, 3, rows), rng.normal(size=rows)
    label = (word - 1 + number > 0).astype(int)
    texts = sentences(rng, [("lemon", "tiger", "violin")[one] for one in word])
    return {"text": texts, "a": [f"{one:.3f}" for one in number], "y": label.tolist()}


def xor(rng: np.random.Generator, rows: int) -> Table:
    """Return a table of this name, see the module."""
    word, number = rng.integers(0, 2, rows), rng.integers(0, 2, rows)
    value = (2 * number - 1) * rng.uniform(0.15, 1, rows)
    texts = sentences(rng, [("lemon", "tiger")[one] for one in word])
    return {"text": texts, "a": [f"{one:.3f}" for one in value], "y": (word ^ number).tolist()}


def noise(rng: np.random.Generator, rows: int) -> Table:
    """Return a table of this name, see the module."""
    return {**shortcut(rng, rows), **numbers(rng, rng.integers(0, 2, rows))}


TABLES: dict[str, Callable[[np.random.Generator, int], Table]] = {
    "shortcut": shortcut, "additive": additive, "xor": xor, "noise": noise,
}  # fmt: skip
SETTINGS = ("data.split.kind=random", "data.split.valid=0.25", "model.width=32", "training.epochs=20", "training.patience=20")
BARE = ("model.fusion.kind=concat", "training.auxiliary=0", "training.modality_dropout=0", "model.trees=null")
"""Without what helps weak fields by default."""


def measure(table: str, seed: int, rows: int, words: Sequence[str]) -> tuple[float, dict[str, float], list[str]]:
    """Return the accuracy on 1,000 new rows and of each field's vote on validation rows, in per cent, and the fields that stopped."""
    made, new = (TABLES[table](np.random.default_rng([seed, at]), rows if at == 0 else 1000) for at in range(2))
    model = pm.train(made, *SETTINGS, *words, f"seed={seed}", target="y")
    balance = {field: facts["y"] for field, facts in model.metrics["balance"].items()}
    votes = {field: 100 * facts["vote"] for field, facts in balance.items()}
    return 100 * model.evaluate(new)["tasks"]["y"]["accuracy"], votes, [field for field, facts in balance.items() if facts["stopped"]]


def main() -> None:
    """Measure, and print a line for each table, way of training and balancer."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--rows", type=int, default=500)
    parser.add_argument("--only", choices=TABLES)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--also", nargs="+", default=[], help="settings for all, such as training.batch_size=32")
    arguments = parser.parse_args()
    print(f"{'table':<10}{'way':<9}{'balance':<19}{'accuracy':>9}{'spread':>8}  votes; fields that stopped, in {arguments.seeds} runs")
    for table in [arguments.only] if arguments.only else TABLES:
        for way, words in (("default", ()), ("bare", BARE)):
            for kind in arguments.kinds:
                settings = (*words, f"training.balance.kind={kind}", *arguments.also)
                every = [measure(table, seed, arguments.rows, settings) for seed in range(arguments.seeds)]
                accuracy = [one[0] for one in every]
                votes = ", ".join(f"{field} {np.mean([one[1][field] for one in every]):.1f}" for field in every[0][1])
                stopped = Counter(field for one in every for field in one[2])
                line = f"{table:<10}{way:<9}{kind:<19}{np.mean(accuracy):>9.1f}{np.std(accuracy):>8.1f}"
                print(f"{line}  {votes}; {dict(stopped) or 'none'}", flush=True)


if __name__ == "__main__":
    main()
