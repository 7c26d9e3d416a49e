"""CMU-MOSEI (Zadeh et al. 2018, doi:10.18653/v1/P18-1208) and data sets in the same form: one pickle of arrays, read without executing it.

The pickle is a mapping from ``train``, ``valid`` and ``test`` to mappings from names to arrays whose first axis is the rows: features
(N, T, D), labels, texts and ids. Each array of a row becomes a ``.npy`` file beside the table. Steps of nothing but zeros at the ends are
padding, and are cut off; numbers that are not finite become missing.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ...errors import ConfigError, DataError, counted
from ..json_stream import Record
from .layout import Layout, Option, Reading, text_of

if TYPE_CHECKING:
    import numpy as np

_PARTS = {"train": "train", "valid": "valid", "val": "valid", "dev": "valid", "test": "test"}
_EMOTIONS = ("happy", "sad", "anger", "surprise", "disgust", "fear")
_NAME = re.compile(r"\w[\w-]{0,59}")
_COLUMNS = {"video", "segment", "split"}
"""The columns that every row has; no array has such a name."""
_LABELS = {"labels", "regression_labels"}
_LEFT_OUT = {"text_bert", "audio_lengths", "vision_lengths", "classification_labels", "annotations", "id", "ids"}
"""Arrays that other columns contain already, or that are no features."""


def mosei(reading: Reading) -> Iterator[Record]:
    """Return the segments of CMU-MOSEI; the arrays of each become files below ``reading.arrays``."""
    from ..pickles import read_pickle

    if reading.arrays is None:
        raise ConfigError("mmf-mosei: no folder for the arrays; expected one, which is made beside the table; pass arrays=")
    name = reading.options["file"] or _only_pickle(reading)
    if not reading.folder.there(name):
        raise DataError(f"{reading.folder.path / name}: no such file, or outside the folder; expected a pickle (.pkl)")
    place = f"{reading.folder.path / name}"
    content = read_pickle(reading.folder.path / name)
    if not isinstance(content, dict) or not any(part in content for part in _PARTS):
        raise DataError(f"{place}: {type(content).__name__} without 'train'; expected a mapping from train, valid and test to arrays")
    columns: list[str] = []
    for key, part in _PARTS.items():
        if key in content and reading.wants(part):
            for row in _rows(reading, f"{place}, {key!r}", part, content[key]):
                columns = columns or list(row)
                if list(row) != columns:
                    raise DataError(f"{place}, {key!r}: columns {', '.join(row)}; expected those of the other parts, {', '.join(columns)}")
                yield row


def _only_pickle(reading: Reading) -> str:
    names = sorted(path.name for path in reading.folder.path.iterdir() if path.suffix in (".pkl", ".pickle"))
    if len(names) != 1:
        found = f"{counted(len(names), 'pickle')} ({', '.join(names)})" if names else "no pickle"
        raise DataError(f"{reading.folder.path}: {found}; expected one .pkl file; name it: --file NAME")
    return names[0]


def _rows(reading: Reading, place: str, part: str, content: Any) -> Iterator[Record]:
    """Return the rows of one part."""
    import numpy as np

    if not isinstance(content, dict):
        raise DataError(f"{place}: {type(content).__name__}; expected a mapping from names to arrays")
    fields = {str(name): values for name, values in content.items() if _has_rows(values)}
    for name in fields:
        if not _NAME.fullmatch(name) or name in _COLUMNS:
            raise DataError(f"{place}: an array {name[:60]!r}; expected a name of letters and digits, such as audio")
    counts = {name: len(values) for name, values in fields.items()}
    if len(set(counts.values())) != 1:
        raise DataError(f"{place}: {', '.join(f'{name} of {count:,}' for name, count in counts.items()) or 'nothing'}; expected arrays of "
                        f"equally many rows")  # fmt: skip
    kept = {name: values for name, values in fields.items() if name not in _LEFT_OUT}
    wide = [name for name, values in kept.items() if isinstance(values, np.ndarray) and values.dtype.kind in "fiu" and values[0].size > 1
            and name not in _LABELS]  # fmt: skip
    for at in range(next(iter(counts.values()))):
        row: Record = {**_ids(fields.get("id", fields.get("ids")), at), "split": part}
        for name, values in kept.items():
            if name in wide:
                row[name] = _saved(reading, place, f"{part}/{name}/{at:06d}.npy", values[at])
            elif name in _LABELS:
                row |= _labels(f"{place}, {name!r}", values[at])
            else:
                value = values[at].ravel()[0] if isinstance(values[at], np.ndarray) and values[at].size == 1 else values[at]
                value = " ".join(map(str, value)) if isinstance(value, (list, tuple)) else value
                row[name] = text_of(value.decode("utf-8", "replace") if isinstance(value, bytes) else value)
        yield row


def _has_rows(values: Any) -> bool:
    """Return whether a value is a list or an array with at least one row."""
    return (isinstance(values, (list, tuple)) or getattr(values, "ndim", 0) > 0) and len(values) > 0


def _ids(ids: Any, at: int) -> Record:
    """Return the video and the segment of a row: its id is a list of both, or a text such as ``VIDEO$_$SEGMENT``."""
    if ids is None:
        return {"video": "", "segment": str(at)}
    one = ids[at]
    if hasattr(one, "tolist"):
        one = one.tolist()
    parts = [
        part.decode("utf-8", "replace") if isinstance(part, bytes) else str(part) for part in (one if isinstance(one, list) else [one])
    ]
    if len(parts) == 1:
        parts = parts[0].split("$_$")
    return {"video": parts[0], "segment": "_".join(parts[1:])}


def _labels(place: str, given: Any) -> Record:
    """Return the labels of a row: the sentiment from -3 to 3, six emotions, or all seven."""
    import numpy as np

    try:
        values = np.asarray(given, np.float64).ravel()
    except (TypeError, ValueError):
        raise DataError(f"{place}: found {text_of(given)[:40]!r}; expected numbers") from None
    names = {1: ("sentiment",), 6: _EMOTIONS, 7: ("sentiment", *_EMOTIONS)}.get(len(values))
    if names is None:
        raise DataError(f"{place}: {counted(len(values), 'label')} a row; expected the sentiment, six emotions, or both")
    return {name: "" if value != value else f"{value:.6g}" for name, value in zip(names, values.tolist(), strict=True)}


def _saved(reading: Reading, place: str, name: str, values: np.ndarray) -> str:
    """Save the array of a row, and return the path of its file; "" if it contains nothing but padding."""
    import numpy as np

    assert reading.arrays is not None
    array = np.where(np.isfinite(values), values, np.nan).astype(np.float32)
    if array.ndim > 2:
        raise DataError(f"{place}: an array of shape {values.shape} a row; expected steps, or steps of several numbers")
    some = np.flatnonzero((array != 0).any(1) if array.ndim == 2 else array != 0)
    if not len(some):
        return ""
    if array.ndim == 2:
        array = array[some[0] : some[-1] + 1]
    path = reading.arrays / name
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, array, allow_pickle=False)
    return posixpath.join(reading.arrays.name, name)


LAYOUTS = (
    Layout(
        "mosei", "CMU-MOSEI", "segment of a video", "Zadeh et al. 2018, doi:10.18653/v1/P18-1208",
        "one .pkl file of arrays, such as mosei_senti_data.pkl or aligned_50.pkl", mosei, "sentiment",
        ignored=("segment", *_EMOTIONS), group="video", has_arrays=True,
        options=(Option("file", "The name of the pickle, if the folder contains several."),),
    ),
)  # fmt: skip
