"""Measures whether the default model of all fields is significantly worse than the best single field on any table.

    python benchmarks/fused.py [--seeds 5] [--vqa 200] [--emoji google emojibase]

For each table of several fields (``real_tables.py``) and seed, a model is trained on 70 % of the rows with the default settings, and the
other rows are predicted by the model of all fields and by the models of single fields, from the same run. The single field that is
compared is the best one on validation rows, as a user would choose. The benchmark prints means over the seeds of the accuracy (r2 of
numbers), and the 95 % interval of the difference to the chosen field (``polymodal.evaluation.paired``). The verdict is **never worse** if
the interval is not below 0.
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
    """Return each model's accuracy or 1 - squared error by test row, by field and "" for all fields; the chosen field; the rows."""
    train, test = table.split(seed, 0.3)
    of = "picture" if "picture" in table.fields else None  # rows that share a picture are sampled together
    place = {(row[of] if of else id(row)): at for at, row in enumerate(table.rows)}
    rows = np.array([place[row[of] if of else id(row)] for row in test])
    with tempfile.TemporaryDirectory() as name:
        paths = [write(Path(name) / f"{part}.csv", some) for part, some in (("train", train), ("test", test))]
        model = pm.train(pm.Experiment(data={"table": str(paths[0]), "root": [str(table.folder)]}, **table.settings(seed)))
        answers = {"": model.predict(paths[1], root=[table.folder])}
        for field, bundle in model.baselines.items():
            answers[field] = pm.Predictor(bundle).predict(paths[1], root=[table.folder])
        baselines = model.metrics["baselines"]
        folds = {field: len(bundle.members) for field, bundle in (("all", model.bundle), *model.baselines.items())}
        if len(set(folds.values())) > 1:
            print(f"{table.name}, seed {seed}: models averaged: {folds}", flush=True)
        metric = "r2" if table.regression else "accuracy"
        chosen = max(baselines, key=lambda field: baselines[field]["tasks"][table.target][metric])
    if table.regression:
        truth = np.array([float(row[table.target]) for row in test])
        return {name: 1 - (answer - truth) ** 2 / truth.var() for name, answer in answers.items()}, chosen, rows
    truth = np.array([row[table.target] for row in test])
    return {name: (answer.astype(str) == truth).astype(float) for name, answer in answers.items()}, chosen, rows


def main() -> None:
    """Train on every table with every seed, and print the results of each table."""
    arguments = options(__doc__ or "").parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for table in read(arguments, Path(folder)):
            if len(table.fields) < 2:
                continue
            begin = time.monotonic()
            scores: dict[str, list[np.ndarray]] = defaultdict(list)
            best, rows = [], []
            for seed in range(arguments.seeds):
                values_of, chosen, some = answered(table, seed)
                for name, values in values_of.items():
                    scores[name].append(values)
                best.append(values_of[chosen])
                rows.append(some)
                print(f"{table.name}, seed {seed}: all {values_of[''].mean():.4f}, only {chosen} {best[-1].mean():.4f}", flush=True)
            gain = paired(scores[""], best, rows)
            means = {name: statistics.mean(float(part.mean()) for part in parts) for name, parts in scores.items()}
            seconds = (time.monotonic() - begin) / arguments.seeds
            print(f"\n{table.name}: {len(table.rows):,} rows, {arguments.seeds} seeds, {seconds:.0f} s each")
            for name, mean in means.items():
                print(f"  {f'only {name}' if name else 'all fields':20} {mean:.4f}")
            verdict = "never worse" if gain.high >= 0 else "WORSE"
            print(f"  all - chosen field: {gain.mean:+.4f} (95 % interval {gain.low:+.4f} to {gain.high:+.4f})  {verdict}\n", flush=True)


if __name__ == "__main__":
    main()
