"""The operations by which exported models read cells: each returns the sample of a cell that is not missing, as the modality does whose
recipe names it. The file needs no torch; it is copied into the folders of exported models.

Shapes: ``N`` cells, ``L`` the padded length of a sample.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..cells import Writing, is_empty
from ..errors import Fault
from ..modalities.array_images import MAGIC, npy_picture
from ..modalities.arrays import HUGE, list_of_numbers, numbers_of, standardised
from ..modalities.column_values import Column
from ..modalities.decoding import opened, pixels_of
from ..modalities.sequences import bucket, evenly, listed
from ..modalities.series_values import array_of, averaged, series_of, window_of
from ..modalities.sound_values import HOP, spectrogram_sample, waveform_sample
from ..modalities.tags import tags_of
from ..modalities.text_content import idf_of, text_in, weighted
from .decoders import content, decode, mel_power

Facts = dict[str, Any]
"""The facts of a field in ``model.json``, with the objects that ``prepared`` makes of them."""
Sample = Mapping[str, np.ndarray]


def prepared(facts: Facts, tokenizer: Callable[[str], Any]) -> Facts:
    """Return the facts of a field with the objects that its operation needs.

    :param tokenizer: returns the tokenizer of a file beside ``model.json``
    """
    made = dict(facts)
    if "columns" in facts:
        made["readers"] = [Column(column, Writing.of_facts(column["type"], column.get("writing"))) for column in facts["columns"]]
    if "tokenizer" in facts:
        made["tokenizer"] = tokenizer(facts["tokenizer"])
    if "idf" in facts:
        made["idf"] = idf_of(facts["idf"])
    return made


def picture(cell: Any, facts: Facts, roots: Sequence[str]) -> Sample:
    """Return the pixels of a picture, uint8 (C, H, W)."""
    data, size = content(cell, roots, facts["max_mb"]), tuple(facts["size"])
    is_array = data[: len(MAGIC)] == MAGIC
    found = npy_picture(data, facts["max_pixels"], facts["channels"]) if is_array else opened(data, facts["max_pixels"], size)
    return {"pixels": pixels_of(found, size, facts)}


def pictures(cell: Any, facts: Facts, roots: Sequence[str]) -> Sample:
    """Return the pixels of the pictures of a list, of JSON text, or of ``a;b``, uint8 (T, C, H, W)."""
    found = listed(cell)
    items = [cell] if found is None else found
    return {"pixels": np.stack([picture(items[at], facts, roots)["pixels"] for at in evenly(len(items), facts["frames"])])}


def table(cell: Any, facts: Facts, roots: Sequence[str]) -> Sample:
    """Return the standardised numbers and dates, and the codes of categories, of several columns."""
    numbers: list[float] = []
    codes: list[int] = []
    faults: list[str] = []
    for column, part in zip(facts["readers"], cell if len(facts["columns"]) > 1 else (cell,), strict=True):
        found = column.code(part) if column.type == "category" else column.values(part)
        if found is None:
            faults.append(f"column {column.name!r} with {str(part)[:40]!r}")
        if column.type == "category":
            codes.append(found or 0)
        else:
            numbers += found or column.missing
    sample = {"numbers": np.array(numbers, np.float32), "categories": np.array(codes, np.int32)}
    if faults and (facts["on_error"] != "blank" or (np.isnan(sample["numbers"]).all() and not any(codes))):
        raise Fault(", ".join(faults))
    return sample


def text(cell: Any, facts: Facts, roots: Sequence[str]) -> Sample:
    """Return the n-grams or the tokens of a text."""
    found = text_in(cell, facts["max_chars"], facts["lists"], facts["by_clusters"], facts["normalisation"])
    if "tokenizer" not in facts:
        ids, weights = weighted(found, len(facts["idf"]), facts["idf"], facts["max_ngrams"], facts["by_clusters"])
        return {"ids": ids, "weights": weights}
    return {"ids": np.array(facts["tokenizer"].encode(found).ids[: facts["max_tokens"]] or [0], np.int32) + 1}


def sound(cell: Any, facts: Facts, roots: Sequence[str]) -> Sample:
    """Return the spectrogram of a sound and its level, or the sound itself as 16-bit numbers."""
    seconds = facts["samples"] / facts["rate"] if "samples" in facts else facts["frames"] * HOP
    wave = decode(content(cell, roots, facts["max_mb"]), facts["rate"], seconds)
    if "samples" in facts:
        return waveform_sample(wave, facts["samples"])
    return spectrogram_sample(mel_power(wave, facts["rate"], facts["mels"]), facts)


def series(cell: Any, facts: Facts, roots: Sequence[str]) -> Sample:
    """Return the standardised values of a series, float32, NaN = missing."""
    cell, window = (cell[0], window_of(*cell[1:])) if isinstance(cell, tuple) else (cell, None)
    values, times = array_of(cell), None
    if values is None:
        values, times = numbers_of(content(cell, roots, facts["max_mb"]), cell)
    return _checked(averaged(series_of(values, times, facts["rate"], window), facts["length"]), facts)


def vector(cell: Any, facts: Facts, roots: Sequence[str]) -> Sample:
    """Return the standardised numbers of a vector, float32, NaN = missing."""
    values = list_of_numbers(cell, truths=True)
    return _checked(np.empty(0) if values is None else values.clip(-HUGE, HUGE), facts)


def _checked(values: np.ndarray, facts: Facts) -> Sample:
    """Return standardised numbers.

    :raises Fault: there are not as many as in training, all are missing, or one is infinite
    """
    if values.shape[-1] != len(facts["mean"]) or np.isnan(values).all() or np.isinf(values).any():
        raise Fault(f"numbers of shape {values.shape}; expected {len(facts['mean'])} finite numbers, as in training")
    return standardised(values, facts)


def _lacks_all(cell: Any, facts: Facts) -> bool:
    """Return whether all columns of a field are missing."""
    parts = cell if len(facts["columns"]) > 1 else (cell,)
    return all(column.is_missing(part) for column, part in zip(facts["readers"], parts, strict=True))


def _is_empty_list(cell: Any, facts: Facts) -> bool:
    """Return whether a cell is empty, or a list without any item."""
    return is_empty(cell) or (isinstance(cell, list) and not cell)


def _is_blank(cell: Any, facts: Facts) -> bool:
    """Return whether a cell is empty."""
    return is_empty(cell)


@dataclass(frozen=True)
class Operation:
    """An operation: how it reads a cell, and which cells are missing, as the modality decides."""

    read: Callable[[Any, Facts, Sequence[str]], Sample]
    is_missing: Callable[[Any, Facts], bool] = _is_blank


OPERATIONS: Mapping[str, Operation] = {
    "picture": Operation(picture),
    "pictures": Operation(pictures, lambda cell, _: is_empty(cell) or listed(cell) == []),
    "columns": Operation(table, _lacks_all),
    "text": Operation(text, lambda cell, _: is_empty(cell) or (isinstance(cell, list) and tags_of(cell) == [])),
    "sound": Operation(sound),
    "series": Operation(series),
    "vector": Operation(vector, _is_empty_list),
}
"""The operation of each name that a recipe may have in ``operation`` (see ``Modality.recipe``)."""


def blank(facts: Facts) -> Sample:
    """Return the sample that represents a missing cell."""
    return {
        name: np.full(one["shape"], np.nan if one["fill"] is None else one["fill"], one["dtype"]) for name, one in facts["blank"].items()
    }


def padded(samples: list[Sample], facts: Facts, length: int) -> dict[str, np.ndarray]:
    """Return the values of samples as arrays of one shape, by the name of the value.

    :param length: the length to which values are padded; 0 = no value is padded
    """
    values: dict[str, np.ndarray] = {}
    lengths_N = np.zeros(len(samples), np.int64)
    for name in facts["blank"]:
        if name not in facts["padded"]:
            values[name] = np.stack([sample[name] for sample in samples])
            continue
        fill = np.nan if samples[0][name].dtype.kind == "f" and facts["pad"] is None else 0
        whole = np.full((len(samples), length, *samples[0][name].shape[1:]), fill, samples[0][name].dtype)
        for at, sample in enumerate(samples):
            lengths_N[at] = min(len(sample[name]), length)
            whole[at, : lengths_N[at]] = sample[name][:length]
        values[name] = whole
    return values | {"length": lengths_N, "mask": np.arange(length) < lengths_N[:, None]}


def length_of(sample: Sample, facts: Facts) -> int:
    """Return the length to which a sample is padded: the smallest one doubled until it suffices, at most the largest; 0 = not padded."""
    if not facts["padded"]:
        return 0
    return bucket(len(sample[facts["padded"][0]]), *facts["lengths"])
