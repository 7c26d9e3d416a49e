"""What a user requests of ``train``, ``check``, ``compare``, ``inspect`` and ``init``: a table, overrides, and settings.

Each setting is declared once, as a key of a ``TypedDict`` below: its type, and a ``Setting`` with its flag, its help text and its place in
``run.yaml``. The signatures and docstrings of the functions (``accepts``) and the flags of the commands follow from the declaration. A
setting that only fills a place in ``run.yaml`` needs nothing else.

This module imports nothing heavy, so that ``--help`` stays quick.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, ParamSpec, TypedDict, TypeVar, get_args, get_type_hints


class Setting(NamedTuple):
    """How a setting is written: its ``flag`` on the command line, ``help`` for people, and its ``path`` in ``run.yaml``, "" if it does not
    simply fill one place there. ``metavar`` names the value in help texts. ``repeated`` flags may be given several times. ``choices``
    are all values, empty if any value is possible. ``least`` is the least value of a whole number, None if the value is no whole number.
    ``argument`` describes the argument of a Python function where the help text of the flag does not fit. ``others`` is a prefix of
    values that fill another place in ``run.yaml`` than ``path``, and that place.
    """

    flag: str
    help: str
    path: str = ""
    metavar: str | None = None
    repeated: bool = False
    choices: tuple[str, ...] = ()
    least: int | None = None
    argument: str = ""
    others: tuple[str, str] | None = None

    def place(self, value: Any) -> str:
        """Return the place in ``run.yaml`` that a value fills."""
        return self.others[1] if self.others is not None and str(value).startswith(self.others[0]) else self.path


Names = str | Sequence[str]
"""One column name or several; ``listed`` converts it to a list."""
Folders = str | Path | Sequence[str | Path]
"""One folder or several; ``listed`` converts it to a list."""


def listed(given: str | Path | Iterable[str | Path]) -> list[str]:
    """Return one or several names or paths as a list of strings. A single string counts as one name, not as a sequence of characters."""
    return [str(given)] if isinstance(given, (str, Path)) else [str(one) for one in given]


OnError = Literal["error", "skip", "blank"]
"""What to do with a cell that cannot be read: raise an error, skip the row, or leave the field of the row blank."""
MMFPreset = Literal[
    "mmf/concat_bow", "mmf/concat_bert", "mmf/late_fusion", "mmf/unimodal_text", "mmf/unimodal_image", "mmf/mmbt", "mmf/visual_bert",
    "mmf/vilt", "mmf/lxmert", "mmf/mmf_transformer",
]  # fmt: skip
"""The models of MMF by their names there."""
Preset = Literal["fast", "good", "best", MMFPreset]
"""How much is trained without a time limit (one model for a first look, the default, or more folds and networks), or a model of MMF."""
TrackerName = Literal["mlflow", "wandb", "tensorboard"]
"""An experiment tracker to which a run is written besides its folder."""
P = ParamSpec("P")
R = TypeVar("R")


class TableSettings(TypedDict, total=False):
    """The settings of everything that reads a training table."""

    target: Annotated[
        Any,
        Setting(
            "--target",
            "The column to predict; may be given several times (tasks).",
            metavar="COL",
            repeated=True,
            argument="the column to predict, or a list of columns; each as text, or as an object that prints as its name",
        ),
    ]
    columns: Annotated[
        Mapping[str, str] | None,
        Setting(
            "--column",
            "Treat a column as image, pictures, video, text, audio, series, vector, points, tabular, number, category or date.",
            metavar="NAME=MODALITY",
            repeated=True,
            argument="the modality or type, by column: image, text, audio, tabular, number, category, date or another kind of field",
        ),
    ]
    ignore: Annotated[
        Names,
        Setting(
            "--ignore",
            "A column that is not a feature; may be given several times (fields).",
            metavar="COL",
            repeated=True,
            argument="one or several columns that are not features",
        ),
    ]
    group: Annotated[
        str | None,
        Setting("--group", "Keep rows with the same value in this column in the same part of a split (data.split.group).", metavar="COL"),
    ]
    split: Annotated[str | None, Setting("--split", "A column whose cells are train, valid or test (data.split.column).", metavar="COL")]
    root: Annotated[
        Folders,
        Setting(
            "--root",
            "A further folder in which to look for the files of cells (data.root).",
            metavar="DIR",
            repeated=True,
            argument="one or several further folders in which to look for the files of cells, besides the folder of the table (data.root)",
        ),
    ]
    seed: Annotated[int | None, Setting("--seed", "The seed: the same seed gives the same bits (seed).", "seed", least=0)]
    time_limit: Annotated[
        str | float | None,
        Setting(
            "--time-limit",
            "Time limit of the whole command, such as 5m; seconds if there is no unit (training.time_limit).",
            "training.time_limit",
            metavar="TIME",
            argument="the time limit of the whole call in seconds, or as 90s, 5m, 1h30m; None = no limit (training.time_limit)",
        ),
    ]
    encoding: Annotated[
        str | None,
        Setting(
            "--encoding",
            "Encoding of TABLE, such as gb18030; default: detected (data.encoding).",
            "data.encoding",
            metavar="NAME",
            argument="the encoding of the training table, a CSV or JSON file, such as gb18030; None = detected (data.encoding)",
        ),
    ]


class ComparisonSettings(TableSettings, total=False):
    """The settings of a comparison."""

    on_error: Annotated[
        OnError | None,
        Setting("--on-error", "What to do with a cell that cannot be read (data.on_error).", "data.on_error", choices=get_args(OnError)),
    ]


class TrainingSettings(ComparisonSettings, total=False):
    """The settings of a training, or of its check."""

    preset: Annotated[
        Preset | None,
        Setting(
            "--preset",
            "How much is trained: fast, good (the default) or best (training.preset); or a model of MMF: mmf/NAME (model.preset).",
            "training.preset",
            choices=get_args(Preset),
            others=("mmf/", "model.preset"),
            argument="how much is trained: fast, good or best (training.preset); or a model of MMF: mmf/NAME (model.preset); None = good",
        ),
    ]
    track: Annotated[
        TrackerName | Sequence[TrackerName] | None,
        Setting(
            "--track",
            "Write the run to mlflow, wandb or tensorboard as well; may be given several times (training.track).",
            "training.track",
            repeated=True,
            choices=get_args(TrackerName),
            argument="one or several trackers to which the run is written as well: mlflow, wandb, tensorboard (training.track)",
        ),
    ]
    valid: Annotated[
        Any,
        Setting(
            "--valid",
            "A separate table for validation (data.valid): a third of its rows selects the epoch, the others are reported on.",
            metavar="TABLE",
        ),
    ]
    test: Annotated[Any, Setting("--test", "A table on which the model is measured once, at the end (data.test).", metavar="TABLE")]


def declared(kind: type) -> dict[str, Setting]:
    """Return the settings that a ``TypedDict`` of this module declares, by name."""
    hints = get_type_hints(kind, include_extras=True)
    return {name: next(part for part in get_args(hint) if isinstance(part, Setting)) for name, hint in hints.items()}


@dataclass(frozen=True)
class Request:
    """What a user requests: a table, overrides (``path=value``) that take precedence over everything else, and settings.

    ``table`` is a path, a dataframe, an Arrow table, rows as dicts, columns as a dict of lists, a ``run.yaml``, or an ``Experiment``.
    Behind the path of a workbook or a zip archive, ``#`` and the name of a sheet or a member may follow. ``settings`` contains only what
    was given.
    """

    table: Any
    overrides: tuple[str, ...] = ()
    settings: TrainingSettings = field(default_factory=lambda: TrainingSettings())

    @classmethod
    def of(cls, table: Any, overrides: Sequence[str], settings: Mapping[str, Any]) -> Request:
        """Return the request that corresponds to the arguments of a function.

        :param settings: the settings by name; None, an empty text and an empty list mean that a setting is not given
        """
        given = {name: value for name, value in settings.items() if not is_nothing(value)}
        return cls(table, tuple(overrides), TrainingSettings(**given))  # type: ignore[typeddict-item]

    def lines(self) -> list[str]:
        """Return the settings that fill one place of ``run.yaml``, as overrides."""
        known = declared(TrainingSettings)
        return [
            f"{known[name].place(value)}={json.dumps(value, ensure_ascii=False)}"
            for name, value in self.settings.items()
            if known[name].path
        ]


def is_nothing(value: Any) -> bool:
    """Return whether a value means that a setting is not given: None, an empty text, or an empty list, tuple or dict."""
    return value is None or (isinstance(value, (str, list, tuple, dict, set, frozenset)) and not value)


def accepts(kind: type) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return a decorator for a function that takes ``**settings`` of a ``TypedDict``: its signature and docstring list the settings.

    :param kind: the settings; they take the place of ``**settings``, and the help texts of their flags describe them
    """
    hints, settings = get_type_hints(kind), declared(kind)

    def document(function: Callable[P, R]) -> Callable[P, R]:
        signature = inspect.signature(function)
        own = [parameter for parameter in signature.parameters.values() if parameter.kind is not parameter.VAR_KEYWORD]
        place = next((at for at, parameter in enumerate(own) if parameter.kind is parameter.KEYWORD_ONLY), len(own))
        shared = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=hints[name]) for name in settings]
        function.__signature__ = signature.replace(parameters=[*own[:place], *shared, *own[place:]])  # type: ignore[attr-defined]
        lines = [f"    :param {name}: {setting.argument or _as_argument(setting.help)}" for name, setting in settings.items()]
        head, mark, rest = (function.__doc__ or "").partition("    :settings:\n")
        if mark:
            function.__doc__ = head + "\n".join(lines) + "\n" + rest
        return function

    return document


def _as_argument(text: str) -> str:
    """Return the help text of a flag as the description of an argument."""
    return text[0].lower() + text[1:].rstrip(".")
