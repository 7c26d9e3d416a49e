"""MMF's own annotation files: lists of objects as ``.jsonl``, as ``.json`` with a list ``data``, and as ``.npy`` arrays of objects, which
are pickles and are read without executing them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ...errors import ConfigError, DataError
from ..json_stream import Record
from ..usage import PARTS
from .layout import Layout, Option, Reading, json_of, text_of

_PICTURES = ("image_path", "image_name", "img", "image", "image_id")
"""The keys that may name the picture of an entry, the first that an entry has."""
_STEMS = {"train": "train", "val": "valid", "valid": "valid", "dev": "valid", "minival": "valid", "test": "test"}
_EXTENSIONS = (".jsonl", ".json", ".npy")
_PICTURE = re.compile(r".+\.(jpe?g|png|webp|bmp|gif|tiff?)", re.IGNORECASE)
_MOST_COLUMNS = 500


def entries(reading: Reading) -> Iterator[Record]:
    """Return the entries of annotation files. Lists and mappings become JSON; ``split`` is the part, and ``picture`` the picture."""
    given = [_given(reading, word) for word in reading.options["annotations"]]
    stems = {f"{stem}{extension}": part for stem, part in _STEMS.items() for extension in _EXTENSIONS}
    files = [(name, part) for name, part in given if reading.wants(part)] if given else reading.files(stems, ("", "annotations"))
    if not files:
        raise DataError(
            f"{reading.folder.path}: no file of the part {' or '.join(reading.parts)}; found {', '.join(name for name, _ in given)}"
        )
    columns: dict[str, None] = {}
    for name, _ in files:  # entries may have different keys: the columns are those of all of them
        for entry in _entries(reading, name):
            columns |= dict.fromkeys(entry)
            if len(columns) > _MOST_COLUMNS:
                raise DataError(
                    f"{reading.folder.path / name}: entries with over {_MOST_COLUMNS} different keys; expected the same in most"
                )
    shown = next((key for key in _PICTURES if key in columns), None)
    for name, part in files:
        for at, entry in enumerate(_entries(reading, name), 1):
            row: Record = {"split": part}
            if shown is not None:
                row["picture"] = _picture(reading, entry.get(shown), f"{reading.folder.path / name} entry {at}, {shown}")
            yield row | {_free(key): _cell(entry.get(key)) for key in columns}


def _given(reading: Reading, word: str) -> tuple[str, str]:
    """Return the file and the part of a word ``PART=FILE``."""
    part, sign, name = word.partition("=")
    if not sign or part not in PARTS or not name.endswith(_EXTENSIONS):
        raise ConfigError(
            f"annotations {word!r}; expected PART=FILE with a part of {', '.join(PARTS)} and a file of {', '.join(_EXTENSIONS)}, such as "
            f"train=annotations/train.jsonl"
        )
    return name, part


def _entries(reading: Reading, name: str) -> Iterator[Record]:
    """Yield the entries of a file. Some arrays begin with an entry of facts about the data set, which is left out."""
    if name.endswith(".jsonl"):
        yield from reading.folder.json_lines(name)
        return
    if name.endswith(".json"):
        yield from reading.folder.entries(name, under="data")
        return
    from ..pickles import read_npy

    if not reading.folder.there(name):
        raise DataError(f"{reading.folder.path / name}: no such file, or outside the folder; expected an array of objects")
    content = read_npy(reading.folder.path / name)
    if isinstance(content, dict):
        content = content.get("data", [])
    found = list(content)
    named = [isinstance(entry, dict) and not set(_PICTURES).isdisjoint(entry) for entry in found[:2]]
    for at, entry in enumerate(found[1:] if named == [False, True] else found, 1):
        if not isinstance(entry, dict):
            raise DataError(f"{reading.folder.path / name} entry {at}: {type(entry).__name__}; expected an object with keys")
        yield {str(key): value for key, value in entry.items()}


def _picture(reading: Reading, value: Any, place: str) -> str:
    """Return the picture of an entry: its first one, in the folder of pictures, with an extension or without."""
    if isinstance(value, (list, tuple)) and value:
        value = value[0]
    name = text_of(value)
    if not name:
        return ""
    places = [reading.options["images"]] if reading.options["images"] else ["images", "", "img"]
    return reading.picture("picture", name, places, place, ("",) if _PICTURE.fullmatch(name) else (".jpg", ".png"))


def _free(key: str) -> str:
    """Return the name of a column for a key; the names of the columns that are added are taken."""
    return f"{key}_" if key in ("split", "picture") else key


def _cell(value: Any) -> str:
    """Return a value as the text of a cell: a list of tokens or answers, or a mapping, as JSON."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, (list, tuple, dict)):
        try:
            return json_of(value)
        except (TypeError, ValueError, RecursionError):
            return ""
    return text_of(value.decode("utf-8", "replace") if isinstance(value, bytes) else value)


LAYOUTS = (
    Layout(
        "annotations", "annotation files of MMF", "entry", "Singh et al. 2020, https://mmf.sh",
        "annotations/train.jsonl, annotations/val.jsonl, ... (or .json with a list data, or .npy), images/",
        entries, "label", ignored=("id", "image_id", "image_name", "image_path", "img", "feature_path", "question_id"),
        options=(
            Option(
                "annotations", "A file of a part, such as train=annotations/train.npy; default: train, val and test files that exist.",
                repeated=True,
            ),
            Option("images", "The folder of the pictures; default: images, or the folder itself."),
            Option("target", "The key that a model predicts, for the command that is printed; default: label."),
        ),
    ),
)  # fmt: skip
