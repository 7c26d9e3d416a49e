"""``model.json``: the fields of an exported model with their facts of reading and their inputs, and its targets."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..bundle import Bundle
from ..errors import ConfigError
from ..modalities import Modality, Roots
from .program import PRESENT, Input

FACTS, RUNTIME = "model.json", "runtime.py"
READERS = (
    "errors.py", "cells/__init__.py", "cells/dates.py", "cells/formats.py", "cells/numbers.py", "cells/words.py", "exporting/decoders.py",
    "exporting/operations.py", "exporting/sessions.py", "layers/mel_filters.py", "modalities/array_images.py", "modalities/arrays.py",
    "modalities/column_values.py", "modalities/decoding.py", "modalities/graphemes.py", "modalities/high_bit_depth.py",
    "modalities/ngrams.py", "modalities/sequences.py", "modalities/series_values.py", "modalities/sound_values.py", "modalities/tags.py",
    "modalities/text_content.py",
)  # fmt: skip
"""The files of polymodal that read cells without torch, which are copied into the folder of an exported model."""
_SOURCE = Path(__file__).parent.parent


def fields_of(bundle: Bundle, has_lengths: bool = True) -> list[dict[str, Any]]:
    """Return the facts of each field: its recipe, the sample of a missing cell, and its inputs.

    :param has_lengths: whether samples may have different lengths; if not, all are padded to the largest
    :raises ConfigError: the cells of a field can only be read by polymodal
    """
    fields = []
    for at, (name, config) in enumerate(bundle.experiment.fields.items()):
        modality = config.modality()(config, bundle.states[name], Roots())
        try:
            recipe = modality.recipe()
        except ConfigError as error:
            raise ConfigError(f"field {name!r}: {error}") from None
        if not has_lengths and recipe["padded"]:
            recipe["lengths"] = [recipe["lengths"][1]] * 2
        facts = {"name": name, "sources": list(config.sources), "on_error": bundle.experiment.on_error(name), **recipe}
        blank = {value: _blank(array) for value, array in modality.blank().items()}
        fields.append({**facts, "blank": blank, "inputs": [vars(one) for one in _inputs(at, name, modality, facts)]})
    return fields


def _blank(array: np.ndarray) -> dict[str, Any]:
    """Return an array of equal numbers as plain data; the fill None = NaN."""
    fill = array.flat[0].item() if array.size else 0
    return {"shape": list(array.shape), "dtype": str(array.dtype), "fill": None if fill != fill else fill}


def _inputs(at: int, name: str, modality: Modality, facts: Mapping[str, Any]) -> list[Input]:
    """Return the inputs of a field: the values that its modality collates, and which rows have it."""
    blank = modality.blank()
    shortest, longest = facts["lengths"] if facts["padded"] else (0, 0)
    values = modality.collate([blank, blank], (longest,) if longest else ())
    varies = {*facts["padded"], "mask"} if shortest < longest else set()
    inputs = []
    for value, tensor in values.items():
        shape = tuple(None if axis == 0 and value in varies else size for axis, size in enumerate(tensor.shape[1:]))
        inputs.append(Input(f"field{at}_{value}", name, value, str(tensor.dtype).removeprefix("torch."), shape, longest))
    return [*inputs, Input(f"field{at}_{PRESENT}", name, PRESENT, "bool", (), 0)]


def inputs_of(fields: Sequence[Mapping[str, Any]]) -> list[Input]:
    """Return the inputs of all fields in order."""
    return [Input(**one) for facts in fields for one in facts["inputs"]]


def example_of(fields: Sequence[Mapping[str, Any]], rows: int = 3) -> list[np.ndarray]:
    """Return inputs of some rows whose cells are blank, padded to twice the smallest length, or the largest one, where lengths vary."""
    arrays = []
    for facts in fields:
        for one in facts["inputs"]:
            shape = [size if size is not None else min(2 * facts["lengths"][0], one["longest"]) for size in one["shape"]]
            arrays.append(np.ones((rows, *shape), one["dtype"]))
    return arrays


def tasks_of(bundle: Bundle) -> list[dict[str, Any]]:
    """Return the facts of each target: its column, its kind, the number of its scores, and its classes; None for a number."""
    return [
        {"name": name, "column": task.config.column, "kind": task.config.kind, "output": f"task{at}_scores",
         "outputs": 1 if task.classes is None else len(task.classes), "classes": task.classes, "lists": task.answers_are_lists,
         "unit": task.unit}
        for at, (name, task) in enumerate(bundle.tasks.items())
    ]  # fmt: skip


def write_files(folder: Path, facts: dict[str, Any]) -> None:
    """Write everything of an exported model but the model itself: ``model.json``, tokenizers, ``runtime.py`` and the readers.

    :param facts: the format, the name of the model's file, the fields and the tasks
    """
    for at, field in enumerate(facts["fields"]):
        if isinstance(field.get("tokenizer"), dict):
            name = f"tokenizer{at}.json"
            (folder / name).write_text(json.dumps(field["tokenizer"], ensure_ascii=False), encoding="utf-8")
            field["tokenizer"] = name
    body = json.dumps({"polymodal": __version__, **facts}, ensure_ascii=False, indent=1, allow_nan=False)
    (folder / FACTS).write_text(body + "\n", encoding="utf-8")
    shutil.copyfile(_SOURCE / "exporting" / RUNTIME, folder / RUNTIME)
    for name in READERS:
        target = folder / "readers" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(_SOURCE / name, target)
    for room in {Path(name).parent for name in READERS}:
        (folder / "readers" / room / "__init__.py").touch()
