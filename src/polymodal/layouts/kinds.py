"""Recognise the format of a folder or file by its names, and the command that trains on the table that is written from it."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from pathlib import Path

from .folders import Folder
from .huggingface import is_data_set
from .media_folders import METADATA, kind_of
from .shards import SPLIT, files_below
from .tables import Written

_MOST = 2_000
_TARGETS = ("label", "labels", "cls", "class", "target", "category", "image_class_label")
_TABLES = (".csv", ".tsv", ".json", ".jsonl", ".xlsx", ".gz", ".npy", ".pkl")
"""Extensions of files that describe pictures in a way that is not known."""
_PARTS = {"train", "valid", "test"}
_NAMES = ("__key__", "__url__", "image_id")
"""Columns of names, which are no features."""


def recognised(path: Path) -> tuple[str, str] | None:
    """Return the command below ``polymodal table`` that reads a folder or file, and what states it; None if none is certain.

    Nothing is opened, and at most some thousand names are examined.
    """
    if path.is_file():
        if re.search(r"\.(tar|tgz|tar\.gz)$", path.name, re.IGNORECASE):
            return "webdataset", "a .tar file"
        return ("tfrecord", "a TFRecord file") if re.search(r"\.tf_?rec(ord)?s?\b", path.name, re.IGNORECASE) else None
    if not path.is_dir():
        return None
    if is_data_set(path):
        return "huggingface", "dataset_dict.json, or state.json and dataset_info.json"
    names = list(itertools.islice(files_below(Folder(path, "a data set"), depth=4), _MOST))
    bases = [name.rpartition("/")[2] for name in names]
    if "features.json" in bases and "dataset_info.json" in bases:
        return "tfds", "features.json and dataset_info.json"
    if any(re.fullmatch(r"(captions|instances)_.+\.json|_annotations\.coco\.json", base) for base in bases):
        return "coco", "annotations of COCO"
    if any(base.endswith((".tar", ".tgz", ".tar.gz")) for base in bases):
        return "webdataset", ".tar files"
    if any(re.search(r"\.tf_?rec(ord)?s?\b", base, re.IGNORECASE) for base in bases):
        return "tfrecord", "TFRecord files"
    if any(base.endswith((".parquet", ".arrow")) for base in bases):
        return "huggingface", "Parquet or Arrow files"
    has_tables = any(base.lower().endswith(_TABLES) and base not in METADATA for base in bases)
    kind = kind_of(bases)
    if kind is None or has_tables or not (set(METADATA) & set(bases) or any("/" in name for name in names)):
        return None
    return f"{kind}folder", f"{kind} files in folders" if not set(METADATA) & set(bases) else f"{kind} files and their metadata"


def next_command(table: str, written: Written, root: str | None, test: str | None = None) -> list[str]:
    """Return the words of the command that trains on a table: the split is the one of the data set, and names are no features.

    :param table: the path of the table
    :param written: what is in the table
    :param root: the folder that file cells are relative to; None = that of the table
    :param test: the path of a table of test rows; None = none
    """
    folded = {name.casefold(): name for name in written.columns}
    target = next((folded[name] for name in _TARGETS if name in folded), "TARGET")
    words = ["polymodal", "train", table, *(["--root", root] if root is not None else []), "--target", target]
    words += ["--test", test] if test is not None else []
    if {"train", "valid"} <= written.splits <= _PARTS and test is None:
        words += ["--split", SPLIT]
    elif SPLIT in written.columns:
        words += ["--ignore", SPLIT]
    for name in written.columns:
        if name in _NAMES:
            words += ["--ignore", name]
    return words


def separate_tables(kind: str, inputs: Sequence[str], written: Written, root: str | None) -> list[list[str]]:
    """Return the commands that write the splits of a data set as tables of their own and train on them, where one training cannot split
    the table by its column: this needs rows of train and valid.

    :param kind: the command below ``polymodal table``
    :param inputs: the folder or the files of the data set
    :param written: what is in the table of all splits
    :param root: the folder that file cells are relative to; None = that of the table
    """
    others = sorted(written.splits - {"train"})
    if "train" not in written.splits or not others or {"valid"} <= written.splits <= _PARTS:
        return []
    other = next((name for name in ("test", "valid") if name in others), others[0])
    commands = [["polymodal", "table", kind, *inputs, "--only", name, "-o", f"{name}.csv"] for name in ("train", other)]
    return [*commands, next_command("train.csv", written, root, f"{other}.csv")]
