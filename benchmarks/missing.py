"""Measures models on rows of which half lack a field: the default, tokens with modality dropout, and zeros.

    python benchmarks/missing.py [--seeds 5] [--vqa 200] [--emoji google emojibase]

For each table of several fields (``real_tables.py``) and seed, 70 % of the rows are training rows without missing cells; in the others one
field at a time is removed from half of the rows, which are sampled by the seed. The benchmark prints the accuracy (r2 of numbers) of

* **default**: the default model, with empty cells;
* **token**: the same with ``model.missing=token training.modality_dropout=0.3``;
* **zeros**: the default model trained without modality dropout, with filled cells: a black picture, a text without a known word, or the
  mean of the training rows, which is 0 after standardisation;
* **by hand**: the same with concatenated features and one head, as in a simple program (``model.fusion.kind=concat model.votes=false``).

Each is one model, whose epoch is selected on a fifth of the training rows. Figures are means and standard deviations over the seeds, by
field; and differences to **zeros**, over all fields of a table, with their standard error over the seeds, which share their split.
"""

from __future__ import annotations

import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from real_tables import FIELDS, SMALL, Real, options, read
from sklearn.metrics import accuracy_score, r2_score
from small_tables import Row, difference, spread, write

import polymodal as pm

CONTENDERS: dict[str, dict[str, dict[str, Any]]] = {
    "default": {},
    "token": {"model": {"missing": "token"}, "training": {"modality_dropout": 0.3}},
    "zeros": {"training": {"modality_dropout": 0.0}},
    "by hand": {"model": {"fusion": {"kind": "concat"}, "votes": False}, "training": {"modality_dropout": 0.0}},
}
FILLED = ("zeros", "by hand")


def filling(table: Real, field: str, train: list[Row]) -> Row:
    """Return the cells that fill a missing field, for a model that accepts no missing cells."""
    columns, kind = table.fields[field], FIELDS.get(field, "tabular")
    if kind == "image":
        return {columns[0]: "black.png"}
    if kind == "text":
        return {columns[0]: "\u25a1"}
    return {column: f"{np.mean([float(row[column]) for row in train]):.6g}" for column in columns}


def taken(rows: list[Row], instead: Row, seed: int) -> list[Row]:
    """Return the rows, half of them with other cells in a field."""
    half = set(np.random.default_rng([seed, 5]).permutation(len(rows))[: len(rows) // 2].tolist())
    return [{**row, **instead} if at in half else row for at, row in enumerate(rows)]


def scores(table: Real, seed: int, names: list[str], also: list[str]) -> dict[tuple[str, str], float]:
    """Return scores by contender and by the field that half of the rows lack ("" = none)."""
    train, test = table.split(seed, 0.3)
    results: dict[tuple[str, str], float] = {}
    with tempfile.TemporaryDirectory() as folder:
        Image.new("RGB", (SMALL, SMALL)).save(Path(folder) / "black.png")
        train_at = write(Path(folder) / "train.csv", train)
        data = {"table": str(train_at), "root": [str(table.folder)], "split": {"kind": "random", "valid": 0.2}}
        for name in names:
            words = CONTENDERS[name]
            training = {"baselines": False, **words.get("training", {})}
            experiment = pm.Experiment(data=data, training=training, model=words.get("model", {}), **table.settings(seed))
            model = pm.train(experiment, *(also if name == "token" else []))
            for field in ["", *table.fields]:
                instead = {} if not field else filling(table, field, train) if name in FILLED else dict.fromkeys(table.fields[field], "")
                rows = write(Path(folder) / "test.csv", taken(test, instead, seed))
                answers, truth = model.predict(rows, root=[table.folder]), [row[table.target] for row in test]
                if table.regression:
                    results[name, field] = float(r2_score([float(value) for value in truth], answers))
                else:
                    results[name, field] = float(accuracy_score(truth, [str(answer) for answer in answers]))
    return results


def main() -> None:
    """Train every contender on every table with every seed, and print the scores."""
    parser = options(__doc__ or "")
    parser.add_argument("--contender", action="append", choices=CONTENDERS, help="only this one; may be given again")
    parser.add_argument("--also", action="append", default=[], help="further settings of 'token'")
    arguments = parser.parse_args()
    names = arguments.contender or list(CONTENDERS)
    with tempfile.TemporaryDirectory() as folder:
        for table in read(arguments, Path(folder)):
            if len(table.fields) < 2:
                continue
            results: dict[tuple[str, str], list[float]] = defaultdict(list)
            begin = time.monotonic()
            for seed in range(arguments.seeds):
                for place, value in scores(table, seed, names, arguments.also).items():
                    results[place].append(value)
            metric, took = "r2" if table.regression else "accuracy", (time.monotonic() - begin) / arguments.seeds
            print(f"\n{table.name}: {len(table.rows):,} rows, {metric}, {arguments.seeds} seeds, {took:.0f} s each")
            print(f"{'half of the rows without':26}" + "".join(f"{name:>20}" for name in names))
            for field in ["", *table.fields]:
                print(f"  {field or '(nothing is missing)':24}" + "".join(f"{spread(results[name, field]):>20}" for name in names))
            lost = {
                name: [float(np.mean([results[name, field][seed] for field in table.fields])) for seed in range(arguments.seeds)]
                for name in names
            }
            for name in names:
                if name != "zeros" and "zeros" in names:
                    print(f"  {name} - zeros, over the fields: {difference(lost[name], lost['zeros'])}", flush=True)


if __name__ == "__main__":
    main()
