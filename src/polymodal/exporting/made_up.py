"""Made-up cells of each operation, on which an exported model without a table is compared with its predictor."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image as Pillow

from ..modalities.objects import wav_of
from ..random_streams import Stream, generator

_WORDS = tuple("the a red river stone music paper garden 红色 的 苹果 蓝天 日本語 не naïve 🍏 , . ! 42".split())  # noqa: SIM905


def _uri(body: bytes) -> str:
    return "data:application/octet-stream;base64," + base64.b64encode(body).decode()


def _picture(facts: Mapping[str, Any], rng: np.random.Generator) -> Any:
    pixels = rng.integers(0, 256, (*(side + int(rng.integers(0, 9)) for side in facts["size"]), facts["channels"]), np.uint8)
    file = io.BytesIO()
    if facts["channels"] in (1, 3, 4):
        Pillow.fromarray(pixels[:, :, 0] if facts["channels"] == 1 else pixels).save(file, "PNG")
    else:
        np.save(file, pixels)
    return _uri(file.getvalue())


def _pictures(facts: Mapping[str, Any], rng: np.random.Generator) -> Any:
    return [_picture(facts, rng) for _ in range(int(rng.integers(1, facts["frames"] + 1)))]


def _columns(facts: Mapping[str, Any], rng: np.random.Generator) -> Any:
    cells: list[Any] = []
    for column in facts["columns"]:
        if column["type"] == "category":
            cells.append(str(rng.choice([*column["values"], "?", "another"])))
        elif column["type"] == "number":
            cells.append(float(rng.uniform(column["low"], column["high"])))
        else:
            cells.append(np.datetime64(round(float(rng.uniform(column["low"], column["high"])) * 86_400), "s"))
    return tuple(cells) if len(cells) > 1 else cells[0]


def _text(facts: Mapping[str, Any], rng: np.random.Generator) -> Any:
    text = " ".join(rng.choice(_WORDS, int(rng.integers(1, 60))))
    return (text,) * len(facts["sources"]) if len(facts["sources"]) > 1 else text


def _sound(facts: Mapping[str, Any], rng: np.random.Generator) -> Any:
    body = wav_of(rng.normal(0, 0.2, int(rng.integers(800, 16_000))).clip(-1, 1), 16_000, (1_000, 1_000_000))
    assert body is not None
    return _uri(body)


def _series(facts: Mapping[str, Any], rng: np.random.Generator) -> Any:
    steps = int(rng.integers(2, facts["length"] + 9))
    return json.dumps(rng.normal(facts["mean"], facts["std"], (steps, len(facts["mean"]))).tolist())


def _vector(facts: Mapping[str, Any], rng: np.random.Generator) -> Any:
    return json.dumps(rng.normal(facts["mean"], facts["std"]).tolist())


_CELLS: Mapping[str, Callable[[Mapping[str, Any], np.random.Generator], Any]] = {
    "picture": _picture, "pictures": _pictures, "columns": _columns, "text": _text, "sound": _sound, "series": _series, "vector": _vector,
}  # fmt: skip


def rows(fields: Sequence[Mapping[str, Any]], count: int) -> list[Mapping[str, Any]]:
    """Return rows of made-up cells; one cell in eight is missing.

    :param fields: the facts of each field in ``model.json``
    """
    rng = generator(Stream.MADE_UP_ROWS, 0)
    made: list[Mapping[str, Any]] = []
    for _ in range(count):
        row: dict[str, Any] = {}
        for facts in fields:
            cell = _CELLS[facts["operation"]](facts, rng)
            parts = cell if isinstance(cell, tuple) else (cell,)
            row |= {column: None if rng.random() < 0.125 else part for column, part in zip(facts["sources"], parts, strict=True)}
        made.append(row)
    return made
