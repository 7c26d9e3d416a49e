"""Annotations in the format of COCO (Lin et al. 2014): captions, and the categories of objects as labels.

Captions give one row for each caption, so that a picture has several rows; without captions there is one row for each picture. Labels are
the names of the categories of the objects in a picture.
"""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from ..errors import ConfigError, DataError
from .folders import Folder, below
from .json_stream import Record
from .shards import files_below, in_split, split_of

_FILE = re.compile(r"(?P<kind>captions|instances)_(?P<set>.+)\.json")
_EXPORTED = "_annotations.coco.json"
Only = Literal["captions", "labels"]


def rows(folder: str | Path, *, only: Only | None = None) -> Iterator[Record]:
    """Return the rows: ``image``, ``image_id``, ``caption``, ``labels`` and ``split``.

    :param folder: the folder that contains ``annotations/captions_train2017.json`` or ``annotations/instances_train2017.json`` and the
        folders of pictures, or splits with ``_annotations.coco.json`` in each
    :param only: captions or labels; None = both, as far as there are annotations
    :raises ConfigError: ``only`` is another word
    :raises DataError: there are no such annotations, or they are broken or name a picture outside the folder
    """
    if only not in (None, "captions", "labels"):
        raise ConfigError(f"coco: only={only!r}; expected captions or labels")
    return _Reading(Folder(folder, "annotations of COCO (annotations/captions_*.json)"), only).rows()


class _Reading:
    def __init__(self, folder: Folder, only: Only | None) -> None:
        self.folder = folder
        self.sets: dict[str, dict[str, str]] = defaultdict(dict)
        for name in files_below(folder, (".json",), 3):
            base = posixpath.basename(name)
            found = _FILE.fullmatch(base)
            kind = found["kind"] if found else "instances" if base == _EXPORTED else None
            if kind is None or (only is not None and kind != {"captions": "captions", "labels": "instances"}[only]):
                continue
            of_set = found["set"] if found else posixpath.dirname(name)
            if kind in self.sets[of_set]:
                raise DataError(f"{folder.path}: {self.sets[of_set][kind]!r} and {name!r}; expected one file of {kind} for {of_set!r}")
            self.sets[of_set][kind] = name
        if not any(self.sets.values()):
            raise DataError(
                f"{folder.path}: no annotations of COCO; expected annotations/captions_*.json, annotations/instances_*.json or "
                f"{_EXPORTED}; unpack them below the folder"
            )
        self.has_labels = any("instances" in files for files in self.sets.values())

    def rows(self) -> Iterator[Record]:
        """Yield the rows of all sets."""
        for of_set, files in sorted(self.sets.items()):
            if files:
                for row in self._set(of_set, files):
                    yield in_split(row, split_of(of_set))
        self.folder.warn_missing(apart=False)

    def _set(self, of_set: str, files: dict[str, str]) -> Iterator[Record]:
        """Yield the rows of one set of pictures."""
        labels, pictures = self._labels(files["instances"]) if "instances" in files else (None, {})
        if "captions" not in files:
            for key, name in pictures.items():
                yield self._row(of_set, files["instances"], key, name, labels)
            return
        place = files["captions"]
        pictures = self._pictures(place)
        for at, entry in enumerate(self._entries(place, "annotations", "image_id", "caption"), 1):
            key = _key(entry["image_id"])
            if key not in pictures:
                raise DataError(
                    f"{self.folder.path / place}, annotation {at}: image {key[:40]!r} is not among the images; expected the id of one"
                )
            row = self._row(of_set, place, key, pictures[key], labels)
            yield {"image": row["image"], "image_id": row["image_id"], "caption": str(entry["caption"]).strip(), **row}

    def _row(self, of_set: str, place: str, key: str, name: str, labels: dict[str, list[str]] | None) -> Record:
        """Return the columns of a picture."""
        here = posixpath.dirname(place)
        places = (f"{of_set}/{name}", f"images/{of_set}/{name}", f"images/{name}", name, f"{here}/{name}" if here else name)
        row: Record = {"image": self.folder.file("image", *dict.fromkeys(places)), "image_id": key}
        if labels is not None:
            row["labels"] = labels.get(key, [])
        return row

    def _labels(self, name: str) -> tuple[dict[str, list[str]], dict[str, str]]:
        """Return the names of the categories in each picture, in the order of the categories, and the files of the pictures."""
        names = {_key(entry["id"]): str(entry["name"]) for entry in self._entries(name, "categories", "id", "name")}
        found: dict[str, set[str]] = defaultdict(set)
        for at, entry in enumerate(self._entries(name, "annotations", "image_id", "category_id"), 1):
            category = _key(entry["category_id"])
            if category not in names:
                raise DataError(f"{self.folder.path / name}, annotation {at}: category {category[:40]!r} is not among the categories; "
                                f"expected one of them")  # fmt: skip
            found[_key(entry["image_id"])].add(category)
        pictures = self._pictures(name)
        for key in found.keys() - pictures.keys():
            raise DataError(f"{self.folder.path / name}, annotations: image {key[:40]!r} is not among the images; expected the id of one")
        order = list(names)
        places = {category: at for at, category in enumerate(order)}
        labels = {key: [names[category] for category in sorted(ids, key=lambda one: places[one])] for key, ids in found.items()}
        return labels, pictures

    def _pictures(self, name: str) -> dict[str, str]:
        """Return the file of each picture by its id."""
        place = f"{self.folder.path / name}, images"
        return {_key(entry["id"]): below(entry["file_name"], place) for entry in self._entries(name, "images", "id", "file_name")}

    def _entries(self, name: str, section: str, *keys: str) -> Iterator[Record]:
        return self.folder.entries(name, *keys, under=section)


def _key(value: Any) -> str:
    """Return an id as text; ids are whole numbers or texts."""
    return str(value)
