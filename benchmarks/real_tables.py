"""Small public tables of measured data, with their columns divided into plausible fields. Several benchmarks train on them.

``digits``, ``breast_cancer``, ``wine`` and ``diabetes`` are in scikit-learn, easy-VQA's pictures and questions in ``easy-vqa``;
``pretrained.py`` and ``small_tables.py`` describe how to fetch tweets and emoji.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn import datasets
from sklearn.model_selection import train_test_split
from small_tables import Row, emoji, vqa

FIELDS = {"picture": "image", "question": "text", "name": "text", "text": "text"}
SMALL = 32
"""Side of the pictures in pixels, so that a benchmark ends within the hour on two cores."""


@dataclass
class Real:
    """Rows of text cells, the folder of their pictures, the target, and the columns of each field."""

    name: str
    folder: Path
    target: str
    fields: dict[str, list[str]]
    rows: list[Row]
    regression: bool = False

    def split(self, seed: int, share: float) -> tuple[list[Row], list[Row]]:
        """Return training rows and a ``share`` of test rows: stratified by class, with rows that share a picture in one part."""
        if "picture" in self.fields and len({row["picture"] for row in self.rows}) < len(self.rows):
            names = sorted({row["picture"] for row in self.rows})
            tested = set(np.random.default_rng(seed).permutation(names)[: round(share * len(names))].tolist())
            return [row for row in self.rows if row["picture"] not in tested], [row for row in self.rows if row["picture"] in tested]
        labels = None if self.regression else [row[self.target] for row in self.rows]
        train, test = train_test_split(self.rows, test_size=share, random_state=seed, stratify=labels)
        return train, test

    def settings(self, seed: int) -> dict[str, Any]:
        """Return the settings of ``pm.Experiment`` other than ``data``."""
        fields: dict[str, Any] = {}
        for name, columns in self.fields.items():
            kind = FIELDS.get(name, "tabular")
            fields[name] = {"kind": kind, "columns": columns} if kind == "tabular" else {"kind": kind, "column": columns[0]}
            if kind == "image":
                fields[name]["size"] = SMALL
        kinds = "regression" if self.regression else "binary" if len({row[self.target] for row in self.rows}) == 2 else "multiclass"
        return {"fields": fields, "tasks": {self.target: {"kind": kinds, "column": self.target}}, "seed": seed}


def bundled() -> Iterator[Real]:
    """Return the tables of scikit-learn."""
    for name, views in (
        ("digits", {"top": range(32), "bottom": range(32, 64)}),
        ("breast_cancer", {"mean": range(10), "error": range(10, 20), "worst": range(20, 30)}),
        ("wine", {"measured": range(13)}),
        ("diabetes", {"person": range(4), "serum": range(4, 10)}),
    ):
        data = getattr(datasets, f"load_{name}")()
        cells = [[f"{value:.6g}" for value in row] for row in data.data]
        target = [f"{value:g}" for value in data.target]
        rows = [{**{f"x{at}": cell for at, cell in enumerate(row)}, "y": label} for row, label in zip(cells, target, strict=True)]
        fields = {field: [f"x{at}" for at in columns] for field, columns in views.items()}
        yield Real(name, Path(), "y", fields, rows, regression=name == "diabetes")


def questions(folder: Path, pictures: int) -> Iterator[Real]:
    """Return easy-VQA's questions about some of its pictures."""
    (table,) = vqa(folder)
    names = sorted({row["picture"] for row in table.rows})
    some = set(np.random.default_rng(0).permutation(names)[:pictures].tolist())
    rows = [row for row in table.rows if row["picture"] in some]
    yield Real("easy_vqa", folder, "answer", {"picture": ["picture"], "question": ["question"]}, rows)


def read(arguments: argparse.Namespace, folder: Path) -> Iterator[Real]:
    """Return the tables that the arguments select."""
    made = list(bundled())
    if arguments.vqa:
        made += questions(folder, arguments.vqa)
    if arguments.tweets:
        from pretrained import tweets

        made.append(Real("tweets", Path(), "label", {"text": ["text"]}, tweets(arguments.tweets)))
    if arguments.emoji:
        table = next(iter(emoji(*arguments.emoji)))
        made.append(Real("emoji", table.folder, "group", {"picture": ["picture"], "name": ["name"]}, table.rows))
    for table in made:
        if not arguments.only or table.name in arguments.only:
            yield table


def options(description: str) -> argparse.ArgumentParser:
    """Return the parser of the options that these benchmarks share."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5, metavar="N")
    parser.add_argument("--vqa", type=int, default=0, metavar="PICTURES", help="easy-VQA, the questions on so many of its pictures")
    parser.add_argument("--tweets", type=Path, metavar="PACKAGE", help="vaderSentiment's source package")
    parser.add_argument("--emoji", type=Path, nargs=2, metavar=("GOOGLE", "EMOJIBASE"), help="the two npm packages, unpacked")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="only this table; may be given again")
    return parser
