"""Are answers right as often as they say, and do sets hold the truth as often as was asked?

    python benchmarks/calibration.py [--seeds 5] [--vqa 500] [--tweets vaderSentiment-3.3.2.tar.gz] [--emoji google emojibase]

For each table (``real_tables.py``) and seed: 30 % of the rows are held back, the rest trains with the defaults, and the rows held back are
answered. Over the rows of all seeds together:

* **before**: the ECE with the vote weights of the same model divided to sum to 1, so that nothing is scaled;
* **after**: the ECE of the model as it is;
* **chance**: the ECE that answers of this sureness would have on so many rows if each were right exactly as often as it says, with its
  spread;
* **coverage**: the share of the rows whose truth is in the set, or the interval, that was asked to hold 80, 90 and 95 %
  (``predict_sets(table, coverage)``), and how many classes a set holds; and that share where sets are **never empty** (``empty=False``),
  so that they hold the truth at least as often as answers are right.

Held are an ECE under 0.05, and coverage within 2 points of what was asked. Seeds share their table, so the spread of pooled figures is
somewhat larger than independent rows would have.
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
    """Of every row held back: whether it was right, how sure before and after, whether the truth is in each set, and the sets' sizes."""
    train, test = table.split(seed, 0.3)
    found: dict[str, np.ndarray] = {}
    with tempfile.TemporaryDirectory() as name:
        paths = [write(Path(name) / f"{part}.csv", rows) for part, rows in (("train", train), ("test", test))]
        data = {"table": str(paths[0]), "root": [str(table.folder)]}
        model = pm.train(pm.Experiment(data=data, training={"baselines": False}, **table.settings(seed)))
        root = [table.folder]
        for coverage in COVERAGES:
            sets = model.predict_sets(paths[1], coverage, root=root)
            if table.regression:
                truth_N = np.array([float(row[table.target]) for row in test])
                found[f"in {coverage}"] = (sets[:, 0] <= truth_N) & (truth_N <= sets[:, 1])
                found[f"size {coverage}"] = sets[:, 1] - sets[:, 0]
            else:
                found[f"in {coverage}"] = _inside(table, test, sets)
                found[f"full {coverage}"] = _inside(table, test, model.predict_sets(paths[1], coverage, empty=False, root=root))
                found[f"size {coverage}"] = np.array([len(one) for one in sets])
        if table.regression:
            return found
        classes = [str(label) for label in model.classes]
        truth_N = np.array([classes.index(row[table.target]) if row[table.target] in classes else -1 for row in test])
        for when in ("after", "before"):
            scores_NC = model.predict_proba(paths[1], root=root)
            found[f"right {when}"], found[f"sure {when}"] = scores_NC.argmax(1) == truth_N, scores_NC.max(1)
            for member in model.bundle.members:
                member.vote_weights_TV /= member.vote_weights_TV.sum(1, keepdim=True)
    return found


def _inside(table: Real, test: Sequence[Mapping[str, Any]], sets: Sequence[Sequence[Any]]) -> np.ndarray:
    return np.array([row[table.target] in map(str, one) for row, one in zip(test, sets, strict=True)])


def main() -> None:
    """Train on every table with every seed, and print a line for each table."""
    asked = options(__doc__ or "").parse_args()
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        for table in read(asked, Path(folder)):
            pooled: dict[str, list[np.ndarray]] = defaultdict(list)
            seconds = []
            for seed in range(asked.seeds):
                begin = time.monotonic()
                for name, values in answered(table, seed).items():
                    pooled[name].append(values)
                seconds.append(time.monotonic() - begin)
                print(f"{table.name}, seed {seed}: {seconds[-1]:.0f} s", flush=True)
            found = {name: np.concatenate(values) for name, values in pooled.items()}
            lines.append(line(table, found, statistics.mean(seconds)))
            print(lines[-1], flush=True)
    heads = "coverage of 80 / 90 / 95 %, size of a set, coverage where none is empty"
    print(f"\n{'':14}{'rows':>7}{'accuracy':>10}{'ECE before':>12}{'after':>8}{'chance':>17}   {heads}")
    print("\n".join(lines))


def line(table: Real, found: dict[str, np.ndarray], seconds: float) -> str:
    """One table's figures."""
    inside = [100 * found[f"in {coverage}"].mean() for coverage in COVERAGES]
    sets = " / ".join(f"{x:.1f}" for x in inside) + ", " + " / ".join(f"{found[f'size {coverage}'].mean():.3g}" for coverage in COVERAGES)
    held, parts = True, f"{table.name:14}{len(found['in 0.8']):7,}"
    if table.regression:
        parts += f"{'':47}"
    else:
        right = found["right after"].mean()
        before, after = (ece(found[f"right {when}"], found[f"sure {when}"]) for when in ("before", "after"))
        chance, spread = ece_by_chance(found["sure after"])
        parts += f"{right:10.4f}{before:12.4f}{after:8.4f}{chance:9.4f} +-{spread:6.4f}"
        held = after < 0.05
        sets += ", " + " / ".join(f"{100 * found[f'full {coverage}'].mean():.1f}" for coverage in COVERAGES)
    covered = all(abs(got - asked) <= 2 for asked, got in zip((80, 90, 95), inside, strict=True))
    verdict = f"ECE {'held' if held else 'NOT held'}, coverage {'held' if covered else 'NOT held'}"
    return f"{parts}   {sets}   {verdict}; {seconds:.0f} s a seed"


if __name__ == "__main__":
    main()
