"""Is the default over all fields ever worse than its best single field, beyond noise?

    python benchmarks/fused.py [--seeds 5] [--vqa 200] [--emoji google emojibase]

For each table of several fields (``real_tables.py``) and seed: 70 % of the rows train, with nothing said but the fields and the target, and
the others are answered by the whole and by the model of each single field, from the same run. The single field that stands for all is the
one that was best on held-out rows of training, as a user would choose; the one that turns out best on the test rows is told too. Means
over the seeds of the accuracy (r2 of numbers), and the 95 % interval of the difference to the chosen field: a paired bootstrap over rows
and seeds (``polymodal.evaluation.paired``). **never worse** is an interval that does not lie below 0.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
from real_tables import Real, options, read
from small_tables import write

import polymodal as pm
from polymodal.evaluation.paired import paired


def answered(table: Real, seed: int) -> tuple[dict[str, np.ndarray], str, np.ndarray]:
    """What each model's answer to each test row is worth, by field and "" for all of them; the field that was chosen; the rows."""
    train, test = table.split(seed, 0.3)
    of = "picture" if "picture" in table.fields else None  # rows that share a picture are drawn together
    place = {(row[of] if of else id(row)): at for at, row in enumerate(table.rows)}
    rows = np.array([place[row[of] if of else id(row)] for row in test])
    with tempfile.TemporaryDirectory() as name:
        paths = [write(Path(name) / f"{part}.csv", some) for part, some in (("train", train), ("test", test))]
        model = pm.train(pm.Experiment(data={"table": str(paths[0]), "root": [str(table.folder)]}, **table.settings(seed)))
        found = {"": model.predict(paths[1], root=[table.folder])}
        for field, bundle in model.baselines.items():
            found[field] = pm.Predictor(bundle).predict(paths[1], root=[table.folder])
        told = model.metrics["baselines"]
        folds = {field: len(bundle.members) for field, bundle in (("all", model.bundle), *model.baselines.items())}
        if len(set(folds.values())) > 1:
            print(f"{table.name}, seed {seed}: models averaged: {folds}", flush=True)
        metric = "r2" if table.regression else "accuracy"
        chosen = max(told, key=lambda field: told[field]["tasks"][table.target][metric])
    if table.regression:
        truth = np.array([float(row[table.target]) for row in test])
        return {name: 1 - (said - truth) ** 2 / truth.var() for name, said in found.items()}, chosen, rows
    truth = np.array([row[table.target] for row in test])
    return {name: (said.astype(str) == truth).astype(float) for name, said in found.items()}, chosen, rows


def main() -> None:
    """Train on every table with every seed, and print what was found on each."""
    asked = options(__doc__ or "").parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for table in read(asked, Path(folder)):
            if len(table.fields) < 2:
                continue
            begin = time.monotonic()
            worth: dict[str, list[np.ndarray]] = defaultdict(list)
            best, rows = [], []
            for seed in range(asked.seeds):
                found, chosen, some = answered(table, seed)
                for name, values in found.items():
                    worth[name].append(values)
                best.append(found[chosen])
                rows.append(some)
                print(f"{table.name}, seed {seed}: all {found[''].mean():.4f}, only {chosen} {best[-1].mean():.4f}", flush=True)
            gain = paired(worth[""], best, rows)
            means = {name: statistics.mean(float(part.mean()) for part in parts) for name, parts in worth.items()}
            print(f"\n{table.name}: {len(table.rows):,} rows, {asked.seeds} seeds, {(time.monotonic() - begin) / asked.seeds:.0f} s each")
            for name, mean in means.items():
                print(f"  {f'only {name}' if name else 'all fields':20} {mean:.4f}")
            verdict = "never worse" if gain.high >= 0 else "WORSE"
            print(f"  all - chosen field: {gain.mean:+.4f} (95 % interval {gain.low:+.4f} to {gain.high:+.4f})  {verdict}\n", flush=True)


if __name__ == "__main__":
    main()
