"""Measures the calibration of probabilities and the coverage of prediction sets on public tables.

    python benchmarks/calibration.py [--seeds 5] [--vqa 500] [--tweets vaderSentiment-3.3.2.tar.gz] [--emoji google emojibase]

For each table (``real_tables.py``) and seed, 30 % of the rows are test rows; a model is trained on the others with the defaults, and
predicts the test rows. Over the test rows of all seeds together:

* **before**: the ECE with the vote weights of the same model divided to sum to 1, so that nothing is scaled;
* **after**: the ECE of the model as it is;
* **chance**: the ECE that perfectly calibrated predictions of these confidences would have on as many rows, with its standard deviation;
* **coverage**: the share of the rows whose truth is in the set or interval for a coverage of 80, 90 and 95 %
  (``predict_sets(table, coverage)``), and the mean number of classes in a set; and that share if sets are **never empty**
  (``empty=False``), so that they contain the truth at least as often as predictions are correct.

The bounds are an ECE below 0.05, and a coverage within 2 points of the requested one. Seeds share their table, so the spread of pooled
figures is somewhat larger than that of independent rows.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from real_tables import Real, options, read
from small_tables import write

import polymodal as pm
from polymodal.tasks.metrics import ece, ece_by_chance

COVERAGES = (0.8, 0.9, 0.95)


def answered(table: Real, seed: int) -> dict[str, np.ndarray]:
    """Return for each test row whether the prediction is correct, its confidence before and after scaling, and whether the truth is in each
    set."""
    train, test = table.split(seed, 0.3)
    columns: dict[str, np.ndarray] = {}
    with tempfile.TemporaryDirectory() as name:
        paths = [write(Path(name) / f"{part}.csv", rows) for part, rows in (("train", train), ("test", test))]
        data = {"table": str(paths[0]), "root": [str(table.folder)]}
        model = pm.train(pm.Experiment(data=data, training={"baselines": False}, **table.settings(seed)))
        root = [table.folder]
        for coverage in COVERAGES:
            sets = model.predict_sets(paths[1], coverage, root=root)
            if table.regression:
                truth_N = np.array([float(row[table.target]) for row in test])
                columns[f"in {coverage}"] = (sets[:, 0] <= truth_N) & (truth_N <= sets[:, 1])
                columns[f"size {coverage}"] = sets[:, 1] - sets[:, 0]
            else:
                columns[f"in {coverage}"] = _inside(table, test, sets)
                columns[f"full {coverage}"] = _inside(table, test, model.predict_sets(paths[1], coverage, empty=False, root=root))
                columns[f"size {coverage}"] = np.array([len(one) for one in sets])
        if table.regression:
            return columns
        classes = [str(label) for label in model.classes]
        truth_N = np.array([classes.index(row[table.target]) if row[table.target] in classes else -1 for row in test])
        for when in ("after", "before"):
            scores_NC = model.predict_proba(paths[1], root=root)
            columns[f"right {when}"], columns[f"sure {when}"] = scores_NC.argmax(1) == truth_N, scores_NC.max(1)
            for member in model.bundle.members:
                member.vote_weights_TV /= member.vote_weights_TV.sum(1, keepdim=True)
    return columns


def _inside(table: Real, test: Sequence[Mapping[str, Any]], sets: Sequence[Sequence[Any]]) -> np.ndarray:
    return np.array([row[table.target] in map(str, one) for row, one in zip(test, sets, strict=True)])


def main() -> None:
    """Train on every table with every seed, and print a line for each table."""
    arguments = options(__doc__ or "").parse_args()
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        for table in read(arguments, Path(folder)):
            pooled: dict[str, list[np.ndarray]] = defaultdict(list)
            seconds = []
            for seed in range(arguments.seeds):
                begin = time.monotonic()
                for name, values in answered(table, seed).items():
                    pooled[name].append(values)
                seconds.append(time.monotonic() - begin)
                print(f"{table.name}, seed {seed}: {seconds[-1]:.0f} s", flush=True)
            columns = {name: np.concatenate(values) for name, values in pooled.items()}
            lines.append(line(table, columns, statistics.mean(seconds)))
            print(lines[-1], flush=True)
    heads = "coverage of 80 / 90 / 95 %, size of a set, coverage where none is empty"
    print(f"\n{'':14}{'rows':>7}{'accuracy':>10}{'ECE before':>12}{'after':>8}{'chance':>17}   {heads}")
    print("\n".join(lines))


def line(table: Real, columns: dict[str, np.ndarray], seconds: float) -> str:
    """Return the line of one table."""
    inside = [100 * columns[f"in {coverage}"].mean() for coverage in COVERAGES]
    sets = " / ".join(f"{x:.1f}" for x in inside) + ", " + " / ".join(f"{columns[f'size {coverage}'].mean():.3g}" for coverage in COVERAGES)
    within, parts = True, f"{table.name:14}{len(columns['in 0.8']):7,}"
    if table.regression:
        parts += f"{'':47}"
    else:
        right = columns["right after"].mean()
        before, after = (ece(columns[f"right {when}"], columns[f"sure {when}"]) for when in ("before", "after"))
        chance, spread = ece_by_chance(columns["sure after"])
        parts += f"{right:10.4f}{before:12.4f}{after:8.4f}{chance:9.4f} +-{spread:6.4f}"
        within = after < 0.05
        sets += ", " + " / ".join(f"{100 * columns[f'full {coverage}'].mean():.1f}" for coverage in COVERAGES)
    covered = all(abs(got - stated) <= 2 for stated, got in zip((80, 90, 95), inside, strict=True))
    verdict = f"ECE {'within bounds' if within else 'BEYOND bounds'}, coverage {'within bounds' if covered else 'BEYOND bounds'}"
    return f"{parts}   {sets}   {verdict}; {seconds:.0f} s a seed"


if __name__ == "__main__":
    main()
