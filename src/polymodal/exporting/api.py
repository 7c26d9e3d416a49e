"""Export a trained model into a folder that answers rows without torch and without polymodal."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from torch.export import ExportedProgram

from ..errors import ConfigError, UserError, nearest, spelled
from ..language import Sentence
from ..predictor import Predictor
from ..predictor.loading import as_predictor
from ..request import Folders
from ..storage import OutputFolder, not_written
from ..tasks.metrics import Metrics
from . import layout, parity
from .formats import FORMATS, Format
from .int8 import quantise
from .program import Input, Program, exported
from .rows import rows_of
from .runtime import Model

FormatName = Literal["onnx", "openvino", "executorch", "tensorflow"]


@dataclass(frozen=True)
class Export:
    """The result of ``export``.

    ``rows`` describes the rows on which the model was compared with its predictor. ``difference`` is the largest difference by target.
    With ``int8``, ``difference_int8`` is that of the quantised model, and ``metrics`` contains the metrics ``before`` and ``after``.
    """

    folder: Path
    rows: str
    difference: Mapping[str, float]
    difference_int8: Mapping[str, float] = field(default_factory=dict)
    metrics: Mapping[str, Mapping[str, Metrics]] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The folder, the differences, and the metrics before and after quantisation, in English."""
        return "\n".join(self.lines)

    @property
    def lines(self) -> list[str]:
        """The lines that the command prints."""
        first, *others = self.sentences
        return [first, *(f"  {line}" for line in others)]

    @property
    def sentences(self) -> list[Sentence]:
        """The folder, the differences, and the metrics before and after quantisation, as sentences in any language."""
        sentences = [Sentence("export.wrote", folder=str(self.folder), rows=self.rows)]
        for name, difference in self.difference.items():
            has_int8 = name in self.difference_int8
            rounded = Sentence("export.rounded", difference=self.difference_int8[name]) if has_int8 else ""
            sentences.append(Sentence("export.difference", target=name, difference=difference, rounded=rounded))
        for when, metrics in self.metrics.items():
            for name, values in metrics.items():
                known = ", ".join(f"{metric} {value:.4f}" for metric, value in values.items() if value is not None)
                sentences.append(Sentence(f"export.{when}", target=name, metrics=known))
        return sentences


def export(
    model: Predictor | str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    format: FormatName = "onnx",
    table: Any = None,
    root: Folders = (),
    int8: bool = False,
    overwrite: bool = False,
    trust: bool = False,
) -> Export:
    """Export a model, and compare its answers with those of the model.

    The folder contains the model in one program, ``model.json`` (its fields, inputs and targets), and ``runtime.py``, which answers rows
    with numpy, Pillow, tokenizers and the library of the format alone.

    :param model: a predictor, or the folder of a run or a bundle
    :param out: the folder to write
    :param format: the exchange format
    :param table: the rows to compare on; None = the training table if it still exists, or else rows that are made up
    :param root: folders in which to look for the files of cells
    :param int8: whether the weights of linear layers are quantised to 8 bits; requires the format onnx
    :param overwrite: whether an exported model in ``out`` is replaced
    :param trust: whether to allow external components, whose code is executed
    :raises MissingDependency: a package that writes the format is not installed
    :raises ConfigError: a part of the model cannot be exported, or the exported model gives other answers
    :raises UserError: the folder exists, or cannot be written
    """
    if format not in FORMATS:
        raise ConfigError(f"format: found {format!r}; expected one of {', '.join(FORMATS)}{nearest(str(format), FORMATS)}")
    if int8 and format != "onnx":
        raise ConfigError(f"int8: found format {format!r}; expected 'onnx', whose runtime computes with 8 bits; leave int8 out")
    place = OutputFolder(Path(out), "an exported model", "-o FOLDER", layout.FACTS)
    if (reason := place.refusal(overwrite)) is not None:
        raise UserError(reason)
    writer = FORMATS[format]
    writer.check()
    predictor = as_predictor(model, trust=trust, device="cpu")
    bundle = predictor.bundle
    fields, tasks = layout.fields_of(bundle, writer.has_lengths), layout.tasks_of(bundle)
    rows = rows_of(predictor, table, root, fields)
    if int8 and not any(task.config.column in row for task in bundle.tasks.values() for row in rows.cells[: rows.given]):
        fix = f"give one: {spelled('--table TABLE', 'table=...')}"
        raise ConfigError(f"int8: found no rows with targets to measure on; expected a table with targets; {fix}")
    expected, faults = parity.answers_of(predictor, rows)
    inputs = layout.inputs_of(fields)
    try:
        program = _program(writer, Program(bundle, inputs, writer.wide), inputs, fields)
    except Exception as error:  # torch.export raises errors of many types
        raise ConfigError(f"the model cannot be exported by torch.export ({' '.join(str(error).split())[:300]})") from error
    path = Path(out)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    try:
        name = writer.write(program, [one.name for one in inputs], [task["output"] for task in tasks], temporary)
        layout.write_files(temporary, {"format": format, "model": name, "rows": writer.rows, "fields": fields, "tasks": tasks})
        found = parity.exported_answers(Model(str(temporary)), rows)
        away = parity.differences(bundle.tasks, expected, found)
        parity.check(bundle.tasks, away, faults)
        result = {"difference": {task: float(away_N.max(initial=0)) for task, away_N in away.items()}}
        metrics: dict[str, Mapping[str, Metrics]] = {}
        if int8:
            quantise(temporary / name)
            rounded = parity.exported_answers(Model(str(temporary)), rows)
            away = parity.differences(bundle.tasks, expected, rounded)
            result["difference_int8"] = {task: float(away_N.max(initial=0)) for task, away_N in away.items()}
            metrics = {"before": parity.metrics_of(bundle.tasks, rows, found), "after": parity.metrics_of(bundle.tasks, rows, rounded)}
        _put(temporary, path)
    except OSError as error:
        raise UserError(not_written(path, error, f"folder ({spelled('-o FOLDER', 'out=...')})")) from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return Export(path, rows.source, metrics=metrics, **result)


def _program(writer: Format, program: Program, inputs: Sequence[Input], fields: Sequence[Mapping[str, Any]]) -> ExportedProgram:
    """Return the exported program of a format."""
    example = layout.example_of(fields, 3 if writer.has_lengths else writer.rows or 1)
    return exported(program, inputs, example, writer.rows, writer.has_lengths)


def _put(temporary: Path, path: Path) -> None:
    """Rename a finished folder to its name; an earlier export there is deleted afterwards."""
    temporary.chmod(0o755)
    old = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.")) if path.exists() else None
    if old is not None:
        path.rename(old / "old")
    temporary.rename(path)
    if old is not None:
        shutil.rmtree(old, ignore_errors=True)
