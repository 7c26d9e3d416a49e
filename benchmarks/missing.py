"""When half of the rows lack a field at prediction, what is left: by the default, by tokens and modality dropout, by zeros?

    python benchmarks/missing.py [--seeds 5] [--vqa 200] [--emoji google emojibase]

For each table of several fields (``real_tables.py``) and seed: 70 % of the rows train, all of them whole; in the others one field at a
time is taken away from half of the rows, drawn by the seed. Accuracy (r2 of numbers) of

* **default**: cells left empty;
* **token**: likewise, trained with ``model.missing=token training.modality_dropout=0.3``;
* **zeros**: the default model trained without modality dropout, and cells filled: a black picture, a text of no known word, the mean of the
  training rows, which is 0 once standardised;
* **by hand**: likewise, with what a program of one's own would have: concatenated features and one head (``model.fusion.kind=concat
  model.votes=false``).

Each is one model, stopped on a fifth of the training rows. Means and spreads (standard deviation) over the seeds, by field; differences to
**zeros**, over all fields of a table, beside their standard error over the seeds, which share their split.
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
    """What stands in the cells of a field that is not there, where nothing may be missing."""
    columns, kind = table.fields[field], FIELDS.get(field, "tabular")
    if kind == "image":
        return {columns[0]: "black.png"}
    if kind == "text":
        return {columns[0]: "\u25a1"}
    return {column: f"{np.mean([float(row[column]) for row in train]):.6g}" for column in columns}


def taken(rows: list[Row], instead: Row, seed: int) -> list[Row]:
    """The rows, half of them with other cells."""
    half = set(np.random.default_rng([seed, 5]).permutation(len(rows))[: len(rows) // 2].tolist())
    return [{**row, **instead} if at in half else row for at, row in enumerate(rows)]


def scores(table: Real, seed: int, names: list[str], also: list[str]) -> dict[tuple[str, str], float]:
    """By contender and field that half of the rows lack ("" = none)."""
    train, test = table.split(seed, 0.3)
    found: dict[tuple[str, str], float] = {}
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
                    found[name, field] = float(r2_score([float(value) for value in truth], answers))
                else:
                    found[name, field] = float(accuracy_score(truth, [str(answer) for answer in answers]))
    return found


def main() -> None:
    """Train every contender on every table with every seed, and print what is left."""
    parser = options(__doc__ or "")
    parser.add_argument("--contender", action="append", choices=CONTENDERS, help="only this one; may be given again")
    parser.add_argument("--also", action="append", default=[], help="further settings of 'token'")
    asked = parser.parse_args()
    names = asked.contender or list(CONTENDERS)
    with tempfile.TemporaryDirectory() as folder:
        for table in read(asked, Path(folder)):
            if len(table.fields) < 2:
                continue
            found: dict[tuple[str, str], list[float]] = defaultdict(list)
            begin = time.monotonic()
            for seed in range(asked.seeds):
                for place, value in scores(table, seed, names, asked.also).items():
                    found[place].append(value)
            metric, took = "r2" if table.regression else "accuracy", (time.monotonic() - begin) / asked.seeds
            print(f"\n{table.name}: {len(table.rows):,} rows, {metric}, {asked.seeds} seeds, {took:.0f} s each")
            print(f"{'half of the rows without':26}" + "".join(f"{name:>20}" for name in names))
            for field in ["", *table.fields]:
                print(f"  {field or '(nothing is missing)':24}" + "".join(f"{spread(found[name, field]):>20}" for name in names))
            lost = {
                name: [float(np.mean([found[name, field][seed] for field in table.fields])) for seed in range(asked.seeds)]
                for name in names
            }
            for name in names:
                if name != "zeros" and "zeros" in names:
                    print(f"  {name} - zeros, over the fields: {difference(lost[name], lost['zeros'])}", flush=True)


if __name__ == "__main__":
    main()
