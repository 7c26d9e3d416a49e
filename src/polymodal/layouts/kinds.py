"""Recognise the format of a folder or file by its names."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

from ..language import Sentence
from .folders import Folder
from .huggingface import is_data_set
from .media_folders import METADATA, kind_of
from .shards import files_below

_MOST = 2_000
_TABLES = (".csv", ".tsv", ".json", ".jsonl", ".xlsx", ".gz", ".npy", ".pkl")
"""Extensions of files that describe pictures in a way that is not known."""


def recognised(path: Path) -> tuple[str, str] | None:
    """Return the command below ``polymodal table`` that reads a folder or file, and what states it; None if none is certain.

    Nothing is opened, and at most some thousand names are examined.
    """
    if path.is_file():
        if re.search(r"\.(tar|tgz|tar\.gz)$", path.name, re.IGNORECASE):
            return "webdataset", Sentence("table.tar")
        return ("tfrecord", Sentence("table.tfrecord")) if re.search(r"\.tf_?rec(ord)?s?\b", path.name, re.IGNORECASE) else None
    if not path.is_dir():
        return None
    if is_data_set(path):
        return "huggingface", Sentence("table.huggingface")
    names = list(itertools.islice(files_below(Folder(path, "a data set"), depth=4), _MOST))
    bases = [name.rpartition("/")[2] for name in names]
    if "features.json" in bases and "dataset_info.json" in bases:
        return "tfds", Sentence("table.tfds")
    if any(re.fullmatch(r"(captions|instances)_.+\.json|_annotations\.coco\.json", base) for base in bases):
        return "coco", Sentence("table.coco")
    if any(base.endswith((".tar", ".tgz", ".tar.gz")) for base in bases):
        return "webdataset", Sentence("table.tars")
    if any(re.search(r"\.tf_?rec(ord)?s?\b", base, re.IGNORECASE) for base in bases):
        return "tfrecord", Sentence("table.tfrecords")
    if any(base.endswith((".parquet", ".arrow")) and base not in METADATA for base in bases):
        return "huggingface", Sentence("table.parquet")
    has_tables = any(base.lower().endswith(_TABLES) and base not in METADATA for base in bases)
    kind = kind_of(bases)
    if kind is None or has_tables or not (set(METADATA) & set(bases) or any("/" in name for name in names)):
        return None
    return f"{kind}folder", Sentence("table.media_metadata" if set(METADATA) & set(bases) else "table.media", kind=kind)
