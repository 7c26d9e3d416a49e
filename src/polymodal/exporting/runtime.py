"""Answers rows with an exported model. It needs numpy, Pillow and tokenizers, the library of the model's format (onnxruntime for ONNX), and
the files beside it, of which ``readers`` contains copies of polymodal's own files.

::

    python runtime.py TABLE.csv > answers.jsonl

    from runtime import Model
    Model().predict_proba([{"photo": "a.jpg", "title": "..."}], root="folder/of/files")
"""

from __future__ import annotations

import csv
import importlib
import json
import os
import sys
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
BLOCK = 32
"""The largest number of rows that are computed together."""
if HERE not in sys.path:
    sys.path.insert(0, HERE)
HOME = "polymodal.exporting" if __name__ == "polymodal.exporting.runtime" else "readers.exporting"
operations, sessions = (importlib.import_module(f"{HOME}.{name}") for name in ("operations", "sessions"))
Roots = str | Sequence[str]


class Model:
    """An exported model.

    :param folder: the folder of its files
    """

    def __init__(self, folder: str = HERE) -> None:
        with open(os.path.join(folder, "model.json"), encoding="utf-8") as file:
            self.facts = json.load(file)
        self.fields = [operations.prepared(facts, lambda name: _tokenizer(os.path.join(folder, name))) for facts in self.facts["fields"]]
        self.run = sessions.opened(folder, self.facts)

    @property
    def classes(self) -> dict[str, list[Any] | None]:
        """The classes in the order of ``predict_proba`` by target; None for a number."""
        return {task["name"]: task["classes"] for task in self.facts["tasks"]}

    def predict_proba(self, rows: Iterable[Mapping[str, Any]], root: Roots = ".") -> dict[str, np.ndarray]:
        """Return the probabilities of the classes (N, C), or the number (N, 1), of each target; NaN for a row that is skipped.

        A cell that cannot be read counts as missing, with a warning, unless ``on_error`` of its field is "error" or "skip".

        :param rows: the cells of each row by column; a column that is absent or empty is missing
        :param root: the folder of the files that cells name, or several
        """
        batches: dict[tuple[int, ...], list[tuple[int, list[Any]]]] = {}
        roots, count = [root] if isinstance(root, str) else root, 0
        for count, row in enumerate(rows, 1):
            found = [self._sample(facts, row, roots, count) for facts in self.fields]
            cells = [cell for cell in found if cell is not None]
            if len(cells) < len(found):
                continue
            key = tuple(operations.length_of(sample, facts) for (sample, _), facts in zip(cells, self.fields, strict=True))
            batches.setdefault(key, []).append((count - 1, cells))
        scores = {task["name"]: np.full((count, task["outputs"]), np.nan) for task in self.facts["tasks"]}
        for key, members in batches.items():
            for start in range(0, len(members), self.facts["rows"] or BLOCK):
                places, *by_row = zip(*members[start : start + (self.facts["rows"] or BLOCK)], strict=True)
                outputs = self.run(self._inputs(by_row[0], key))
                for task, output in zip(self.facts["tasks"], outputs, strict=True):
                    scores[task["name"]][list(places)] = output
        return scores

    def predict(self, rows: Iterable[Mapping[str, Any]], root: Roots = ".") -> dict[str, list[Any]]:
        """Return the predicted class, list of labels, or number of each row by target; None for a row that is skipped."""
        return {task["name"]: [_answer(task, row) for row in scores] for task, scores in self._scored(rows, root)}

    def _scored(self, rows: Iterable[Mapping[str, Any]], root: Roots) -> list[tuple[dict[str, Any], np.ndarray]]:
        scores = self.predict_proba(rows, root)
        return [(task, scores[task["name"]]) for task in self.facts["tasks"]]

    def _sample(self, facts: dict[str, Any], row: Mapping[str, Any], roots: Sequence[str], number: int) -> tuple[Any, bool] | None:
        """Return the sample of a field and whether the row has it; None if the row is to be skipped."""
        parts = [row.get(column) for column in facts["sources"]]
        cell = tuple(parts) if len(parts) > 1 else parts[0]
        try:
            operation = operations.OPERATIONS[facts["operation"]]
            sample = None if operation.is_missing(cell, facts) else operation.read(cell, facts, roots)
        except (operations.Fault, ValueError, OSError) as fault:
            message = f"row {number}, field {facts['name']!r}: {fault}"
            if facts["on_error"] == "error":
                raise ValueError(message) from None
            warnings.warn(message, stacklevel=4)
            if facts["on_error"] == "skip":
                return None
            sample = None
        return (operations.blank(facts), False) if sample is None else (sample, True)

    def _inputs(self, rows: Iterable[list[Any]], key: tuple[int, ...]) -> dict[str, np.ndarray]:
        """Return the inputs of the model for some rows whose samples are padded to the lengths ``key``."""
        inputs: dict[str, np.ndarray] = {}
        for facts, length, cells in zip(self.fields, key, zip(*rows, strict=True), strict=True):
            values = operations.padded([sample for sample, _ in cells], facts, length)
            values["present"] = np.array([present for _, present in cells])
            inputs |= {one["name"]: values[one["value"]].astype(one["dtype"], copy=False) for one in facts["inputs"]}
        return inputs


def _tokenizer(path: str) -> Any:
    return importlib.import_module("tokenizers").Tokenizer.from_file(path)


def _answer(task: Mapping[str, Any], scores: np.ndarray) -> Any:
    """Return the prediction of one row from its scores."""
    if np.isnan(scores).any():
        return None
    if task["classes"] is None:
        return float(scores[0])
    if task["lists"]:
        return [label for label, score in zip(task["classes"], scores, strict=True) if score >= 0.5]
    return task["classes"][int(scores.argmax())]


def main(path: str) -> None:
    """Print the answers for the rows of a CSV file, one JSON object a line."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError) as error:
        sys.exit(f"error: {path}: cannot be read ({error}); expected a CSV file in UTF-8")
    model, root = Model(), os.path.dirname(os.path.abspath(path))
    scored = model._scored(rows, root)
    for at in range(len(rows)):
        answers = {task["name"]: {"prediction": _answer(task, scores[at]), "scores": scores[at].tolist()} for task, scores in scored}
        print(json.dumps(answers, ensure_ascii=False))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python runtime.py TABLE.csv > answers.jsonl")
    main(sys.argv[1])
