"""Pictures of the architecture, made from the code: the imports between rooms, and the path from a row to a prediction.

python docs/architecture_pictures.py    # writes docs/images/architecture-imports.svg and docs/images/architecture-path.svg
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "polymodal"
IMAGES = ROOT / "docs" / "images"

_STYLE = """<style>
.page { fill: #ffffff } .band { fill: #f0f2f5 } .box { fill: #eef3fc; stroke: #3366cc } .end { fill: #f0f2f5; stroke: #77808a }
.text { fill: #1f2328 } .soft { fill: #59636e } .line { stroke: #77808a; fill: none } .tip { fill: #77808a }
.grid { stroke: #d8dde3 } .self { fill: #d0d7de } .direct { fill: #3366cc } .implied { fill: #b3c6ec }
.code { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; font-size: 12px }
@media (prefers-color-scheme: dark) {
.page { fill: #16191d } .band { fill: #20252b } .box { fill: #1c2a44; stroke: #6c9bf0 } .end { fill: #20252b; stroke: #8b949e }
.text { fill: #e6edf3 } .soft { fill: #9aa4af } .line { stroke: #8b949e } .tip { fill: #8b949e }
.grid { stroke: #363d46 } .self { fill: #414953 } .direct { fill: #6c9bf0 } .implied { fill: #34507f }
}
</style>"""


# What the code states


def floors() -> list[list[str]]:
    """Return the rooms of each floor in alphabetical order, the lowest floor first, as ``tests/test_architecture.py`` lists them."""
    tree = ast.parse((ROOT / "tests" / "test_architecture.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "FLOORS":
            return [sorted(rooms) for rooms in ast.literal_eval(node.value)]
    raise LookupError("tests/test_architecture.py: there is no list FLOORS; expected one set of rooms for each floor")


def rooms() -> list[str]:
    """Return the names of the modules and folders directly below ``src/polymodal``."""
    entries = [path for path in SOURCE.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()]
    return sorted(path.stem for path in entries if path.stem not in ("__init__", "__main__"))


def imports() -> dict[str, set[str]]:
    """Return the rooms that each room imports from, anywhere in its files."""
    every: dict[str, set[str]] = {room: set() for room in rooms()}
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE).parts
        room = parts[0].removesuffix(".py")
        if room not in every:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level == len(parts):  # from the root of the package
                named = [node.module.split(".")[0]] if node.module else [alias.name for alias in node.names]
                every[room] |= {name for name in named if name in every and name != room}
    return every


def reached(room: str, every: Mapping[str, set[str]]) -> set[str]:
    """Return the rooms that a room depends on, directly or through other rooms."""
    done: set[str] = set()
    waiting = [room]
    while waiting:
        new = every[waiting.pop()] - done
        done |= new
        waiting += new
    return done


def not_implied(every: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """Return the transitive reduction: the imports of each room without those that follow from its other imports."""
    return {room: {to for to in others if not any(to in reached(via, every) for via in others)} for room, others in every.items()}


def is_defined(name: str) -> bool:
    """Return whether a dotted name such as ``flow.Field`` or ``modalities.modality.Modality.read`` is defined in the package.

    The first parts name a file, the others a class or function of the file and a method or attribute of the class.
    """
    parts = name.split(".")
    for count in range(len(parts) - 1, 0, -1):
        for file in (SOURCE.joinpath(*parts[:count]).with_suffix(".py"), SOURCE.joinpath(*parts[:count], "__init__.py")):
            if file.is_file():
                body: list[ast.stmt] = ast.parse(file.read_text(encoding="utf-8")).body
                for part in parts[count:]:
                    node = next((node for node in body if part in _names(node)), None)
                    if node is None:
                        return False
                    body = node.body if isinstance(node, ast.ClassDef) else []
                return True
    return False


def _names(node: ast.stmt) -> set[str]:
    """Return the names that a statement defines."""
    if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return {target.id for target in targets if isinstance(target, ast.Name)}


# The imports between rooms

_CELL, _LEFT, _TOP = 20, 160, 150


def imports_picture() -> str:
    """Return a matrix of the imports between rooms: a mark in a row and a column is an import of the column's room by the row's room."""
    by_floor = list(reversed(list(enumerate(floors(), 1))))
    order = [room for _, names in by_floor for room in names]
    every = imports()
    direct = not_implied(every)
    size = _CELL * len(order)
    width, height = _LEFT + size + 20, _TOP + size + 60
    parts = _opening(width, height, "Imports between the rooms of polymodal", "Every room imports only from rooms on lower floors.")
    parts.append(f'<text x="{_LEFT}" y="24" class="text" font-weight="600">Each room (row) and the rooms that it imports (columns)</text>')
    at = 0
    for floor, names in by_floor:
        top, thick = _TOP + at * _CELL, len(names) * _CELL
        if floor % 2:
            parts.append(f'<rect x="8" y="{top}" width="{width - 16}" height="{thick}" class="band"/>')
        parts.append(f'<text x="20" y="{top + thick / 2 + 4:g}" class="soft">{floor}</text>')
        at += len(names)
    for at, name in enumerate(order):
        middle = at * _CELL + _CELL // 2
        parts += [
            f'<path d="M{_LEFT + middle} {_TOP}v{size}" class="grid"/>',
            f'<text x="{_LEFT - 10}" y="{_TOP + middle + 4}" text-anchor="end" class="text">{name}</text>',
            f'<text transform="translate({_LEFT + middle + 4} {_TOP - 8}) rotate(-60)" class="text">{name}</text>',
        ]
    for row, room in enumerate(order):
        parts.append(f"<!-- {room} -->")
        parts.append(_mark(row, row, "self"))
        for column, other in enumerate(order):
            if other in every[room]:
                parts.append(_mark(row, column, "direct" if other in direct[room] else "implied"))
    below = _TOP + size + 30
    parts += [
        f'<text x="12" y="{_TOP - 8}" class="soft">floor</text>',
        f'<rect x="{_LEFT}" y="{below}" width="14" height="14" rx="2" class="direct"/>',
        f'<text x="{_LEFT + 22}" y="{below + 12}" class="text">import</text>',
        f'<rect x="{_LEFT + 100}" y="{below}" width="14" height="14" rx="2" class="implied"/>',
        f'<text x="{_LEFT + 122}" y="{below + 12}" class="text">import of a room that other imports of this row depend on as well</text>',
    ]
    return _closed(parts)


def _mark(row: int, column: int, kind: str) -> str:
    """Return the mark of a cell of the matrix."""
    return f'<rect x="{_LEFT + column * _CELL + 3}" y="{_TOP + row * _CELL + 3}" width="14" height="14" rx="2" class="{kind}"/>'


# The path from a row to a prediction


@dataclass(frozen=True)
class Stage:
    """A stage of the path: a noun, its type, its content in words, and the functions that make the next stage of it."""

    noun: str
    type: str
    content: str
    functions: tuple[tuple[str, str], ...] = ()


STAGES = (
    Stage(
        "row", "flow.Row", "a dict of cells, by column",
        (
            ("data.reading.cells.read_cell", "a sample, or faults"),
            ("modalities.modality.Modality.read", "one cell, with the state of the field"),
            ("data.store.Store", "training: keeps the samples on disk"),
        ),
    ),
    Stage(
        "sample", "flow.Sample", "arrays of one cell",
        (
            ("data.loader.Loader.batch", "training: some rows, augmented"),
            ("inference.block_of", "prediction: blocks of one shape"),
            ("modalities.modality.Modality.collate", "both: pads and stacks the arrays"),
        ),
    ),
    Stage(
        "batch", "flow.Batch", "by field, its U distinct cells",
        (("model.MultiModalModel.encode", "each field by itself"), ("encoders.encoder.Encoder.forward", "f: cells to tokens")),
    ),
    Stage(
        "features", "flow.Features", "tokens (U, L, D) and a mask",
        (
            ("model.MultiModalModel.admit", "cells to rows, (B, L, D)"),
            ("fusions.fusion.Fusion.forward", "g: all fields to one"),
        ),
    ),
    Stage(
        "fused", "flow.Features", "pooled to h, (B, D)",
        (("model.MultiModalModel.answer", "the heads of each task"), ("tasks.voting.Rule.pool", "votes to logits")),
    ),
    Stage("output", "flow.Output", "logits (B, C) and votes, by task"),
)  # fmt: skip
ENDS = (
    Stage(
        "loss", "torch.Tensor", "training",
        (("training.objective.Objective.loss", ""), ("tasks.voting.Rule.losses", ""), ("tasks.task.Task.losses", "")),
    ),
    Stage(
        "metrics", "tasks.metrics.Metrics", "evaluation",
        (("evaluation.measure.score", ""), ("evaluation.measure.measure", ""), ("tasks.task.Task.measure", "")),
    ),
    Stage(
        "prediction", "flow.Prediction", "prediction",
        (("predictor.answers.Predictor.predictions", ""), ("tasks.task.Task.scores", ""), ("tasks.task.Task.values", "")),
    ),
)  # fmt: skip
STATE = Stage(
    "state", "flow.State", "learned from training rows",
    (("modalities.modality.Modality.fit", ""), ("tasks.task.Task.fit", "")),
)  # fmt: skip
_WIDTH, _X, _WIDE, _TALL = 892, 24, 290, 58


def path_picture() -> str:
    """Return the stages from a row to a loss, to metrics and to a prediction, with the types and functions of the code."""
    gaps = [20 + 20 * len(stage.functions) for stage in STAGES[:-1]]
    height = 44 + _TALL * (len(STAGES) + 1) + sum(gaps) + 52 + 84
    parts = _opening(_WIDTH, height, "From a row to a prediction", "The stages of the data, with the types and functions of the code.")
    parts.append(f'<text x="{_X}" y="28" class="text" font-weight="600">From a row to a prediction</text>')
    y = 44
    parts += _end(610, y, 246, STATE)
    for stage, gap in zip(STAGES, [*gaps, 0], strict=True):
        parts += _box(_X, y, _WIDE, stage, "box")
        y += _TALL
        for line, (name, purpose) in enumerate(stage.functions):
            below = y + 25 + 20 * line
            parts.append(f'<text x="{_X + 48}" y="{below}" class="text code">{escape(name)}</text>')
            parts.append(f'<text x="{_X + 330}" y="{below}" class="soft">{escape(purpose)}</text>')
        if gap:
            parts.append(_arrow(_X + 26, y, gap))
        y += gap
    for at, end in enumerate(ENDS):
        x = _X + at * 284
        parts.append(f'<path d="M{_X + 26} {y}v20H{x + 26}" class="line"/>')
        parts.append(_arrow(x + 26, y + 20, 32))
        parts += _end(x, y + 52, 264, end)
    return _closed(parts)


def names_in_path() -> list[str]:
    """Return the dotted names of the package in the picture of the path."""
    names = [name for stage in (*STAGES, STATE, *ENDS) for name in (stage.type, *(name for name, _ in stage.functions))]
    return [name for name in names if not name.startswith("torch.")]


def _box(x: int, y: int, width: int, stage: Stage, kind: str) -> list[str]:
    """Return the box of a stage."""
    return [
        f'<rect x="{x}" y="{y}" width="{width}" height="{_TALL}" rx="6" class="{kind}"/>',
        f'<text x="{x + 14}" y="{y + 24}" class="text" font-weight="600">{escape(stage.noun)}</text>',
        f'<text x="{x + width - 14}" y="{y + 24}" text-anchor="end" class="text code">{escape(stage.type)}</text>',
        f'<text x="{x + 14}" y="{y + 45}" class="soft">{escape(stage.content)}</text>',
    ]


def _end(x: int, y: int, width: int, stage: Stage) -> list[str]:
    """Return the box of a stage that no other follows, with the functions that make it below the box."""
    parts = _box(x, y, width, stage, "end")
    for line, (name, _) in enumerate(stage.functions):
        parts.append(f'<text x="{x}" y="{y + _TALL + 25 + 20 * line}" class="text code">{escape(name)}</text>')
    return parts


def _arrow(x: int, y: int, length: int) -> str:
    """Return an arrow downwards."""
    return f'<path d="M{x} {y}v{length - 8}" class="line"/><path d="M{x - 5} {y + length - 9}h10l-5 9z" class="tip"/>'


def _opening(width: int, height: int, title: str, description: str) -> list[str]:
    """Return the first elements of a picture."""
    box = f'viewBox="0 0 {width} {height}" role="img" font-family="system-ui, sans-serif" font-size="13"'
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" {box}>',
        f"<title>{escape(title)}</title>",
        f"<desc>{escape(description)} Made by docs/architecture_pictures.py.</desc>",
        _STYLE,
        f'<rect width="{width}" height="{height}" rx="8" class="page"/>',
    ]


def _closed(parts: list[str]) -> str:
    """Return the text of a picture."""
    return "\n".join([*parts, "</svg>"]) + "\n"


PICTURES: Mapping[str, Callable[[], str]] = {"architecture-imports.svg": imports_picture, "architecture-path.svg": path_picture}

if __name__ == "__main__":
    for file, picture in PICTURES.items():
        (IMAGES / file).write_text(picture(), encoding="utf-8")
