"""Numbers, categories, booleans, dates and durations: any count of columns as one field.

``fit`` decides the type of a column and how its cells are written, from the training cells or from the config. Missing values are facts of
their own, never filled in here; a category not seen in training is "other". A word that comes back among numbers or dates is a missing
value; any other cell of the wrong type is a fault of that column only: the row keeps the rest of the field.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, Literal

import numpy as np
from pydantic import Field as Setting
from pydantic import field_validator, model_validator

from ..cells import ColumnType, Decimal, Writing, category, check_facts, check_order, is_missing_word, text_of, writing_of
from ..errors import ConfigError, nearest
from ..flow import Cell, Form, Sample, State, Unreadable
from .column_corruption import of_columns
from .drift import DATE_PARTS, HUGE, ColumnDrift
from .files import Roots
from .modality import FieldConfig, Modality, PartFault, Parts, Recognition
from .objects import called
from .signal_corruption import Corruption

_MAX_CATEGORIES = 1_000
_NO_VALUE = (bytes, list, dict, tuple, np.ndarray, Unreadable)
"""What is neither a number nor a date nor the name of a category."""


class TabularConfig(FieldConfig):
    """Columns of numbers, categories, booleans and dates."""

    kind: Literal["tabular"] = "tabular"
    columns: list[str] = Setting(min_length=1)
    """The columns of this field, in order."""
    types: dict[str, ColumnType] = {}
    """The type of a column where the one found is not right: number, category or date."""
    decimal: Decimal | dict[str, Decimal] | None = None
    """The decimal sign of numbers, "." or ",", of all columns or by column; null = what the column's cells show together."""
    date_format: str | dict[str, str] | None = None
    """How dates are written, in all columns or by column: dmy, mdy, ymd, or a format such as "%d/%m/%Y %H:%M"; null = what the column's
    cells show together."""

    @model_validator(mode="before")
    @classmethod
    def _list_of_one(cls, data: Any) -> Any:
        """A field that was of a kind with one ``column`` keeps it."""
        if isinstance(data, Mapping) and "columns" not in data and isinstance(data.get("column"), str):
            return {**{key: value for key, value in data.items() if key != "column"}, "columns": [data["column"]]}
        return data

    @field_validator("date_format")
    @classmethod
    def _known_formats(cls, said: Any) -> Any:
        for order in said.values() if isinstance(said, Mapping) else [said]:
            if order is not None:
                check_order(order)
        return said

    def said_of(self, column: str) -> tuple[ColumnType | None, Decimal | None, str | None]:
        """What the config says of a column: its type, its decimal sign and how its dates are written; None = nothing."""
        decimal = self.decimal.get(column) if isinstance(self.decimal, Mapping) else self.decimal
        order = self.date_format.get(column) if isinstance(self.date_format, Mapping) else self.date_format
        return self.types.get(column), decimal, order

    def is_guess(self, column: str) -> bool:
        """Whether the type of a column was found by looking at its cells."""
        return column in self.columns and column not in self.types

    @property
    def sources(self) -> tuple[str, ...]:
        """The columns, in order."""
        return tuple(self.columns)

    @classmethod
    def modality(cls) -> type[Modality]:
        """Return the class of this modality, ``Tabular``."""
        return Tabular


class Tabular(Modality):
    """Reads rows of numbers, categories and dates."""

    kind = "tabular"
    joins_columns = True
    column_types = ("number", "category", "date")
    forms = ("columns",)
    may_be_id = True

    @classmethod
    def recognise(cls, cells: Sequence[Cell], roots: Roots) -> Recognition:
        """Sure of numbers and dates; of text, where few values come back often."""
        found = _writing(cells)
        kind = found.type
        held = [cell for cell in cells if not isinstance(cell, _NO_VALUE)]
        if len(held) < 0.9 * len(cells):
            return Recognition(0.0)
        if kind != "category":
            why = f"{found.share:.0%} of the cells are {kind}s"
            return Recognition(0.95 if found.share > 0.98 else 0.8, {"type": kind, "writing": found}, why)
        values = [category(cell) for cell in held if not is_missing_word(cell)]
        different = len(set(values))
        share = different / max(len(values), 1)
        confidence = 0.7 if share <= 0.2 else 0.55 if share <= 0.5 else 0.4
        return Recognition(confidence, {"type": kind, "writing": found}, f"{different} different values in {len(values)} cells")

    @classmethod
    def fit(cls, config: TabularConfig, cells: Iterable[Cell], form: Form, needs: Mapping[str, Any], roots: Roots) -> State:
        """State: ``columns``, each with its type and, for numbers and dates, centre, spread and quantiles; for categories
        the vocabulary (from two rows up)."""
        cls.check_form(form)
        for setting in ("types", "decimal", "date_format"):
            said = getattr(config, setting)
            unknown = sorted(set(said) - set(config.columns)) if isinstance(said, Mapping) else []
            if unknown:
                near = nearest(unknown[0], config.columns) or "; expected one of them"
                raise ConfigError(f"{setting}: {unknown[0]!r} is not among the field's columns{near}")
        rows = [cell if isinstance(cell, tuple) else (cell,) for cell in cells]
        bins = int(needs.get("bins", 16))
        return {
            "form": form,
            "columns": [_fit_column(name, [row[at] for row in rows], config, bins) for at, name in enumerate(config.columns)],
        }

    def check(self) -> None:
        """The config's columns, each of a type with the facts that it needs."""
        self.check_form(self.state["form"])
        columns = self.state["columns"]
        if [column["name"] for column in columns] != list(self.config.columns):
            raise ValueError("facts of other columns")
        for column in columns:
            if column["type"] == "category":
                right = all(isinstance(value, str) for value in column["values"])
            else:
                facts = [*(column[name] for name in ("mean", "std", "scale", "low", "high")), *column["edges"]]
                right = column["type"] in ("number", "date") and all(type(fact) in (int, float) and math.isfinite(fact) for fact in facts)
                right = right and column["std"] > 0
                if "writing" in column:
                    check_facts(column["writing"])
            if not right:
                raise ValueError(f"column {column['name']!r}: facts that are none of a {column['type']}")

    def is_missing(self, cell: Cell) -> bool:
        """Whether every column is empty."""
        for part, writing in zip(self._parts(cell), self.writings, strict=True):
            if not is_missing_word(part) and not (writing.words and writing.is_word(part)):
                return False
        return True

    def read(self, cell: Cell) -> Sample:
        """``numbers`` float32 (K,), standardised, NaN = missing; ``categories`` int32 (M,), 0 = missing, 1 = other."""
        parts = self._parts(cell)
        numbers: list[float] = []
        categories: list[int] = []
        faults: dict[str, str] = {}
        for column, writing, part in zip(self.state["columns"], self.writings, parts, strict=True):
            if column["type"] == "category":
                if isinstance(part, _NO_VALUE):
                    faults[column["name"]] = f"found {called(part)}; expected the name of a category"
                    categories.append(0)
                    continue
                categories.append(0 if is_missing_word(part) else self._codes(column).get(category(part), 1))
                continue
            values = [math.nan] * (DATE_PARTS if column["type"] == "date" else 1)
            if not is_missing_word(part):
                value = writing.value(part)
                if value is None:
                    if not writing.is_word(part):
                        faults[column["name"]] = no_value(writing, part)
                else:
                    centred = max(-10.0, min(10.0, (value - column["mean"]) / column["std"]))
                    values = [centred] if column["type"] == "number" else [centred, *_calendar(value)]
            numbers += values
        sample = {"numbers": np.array(numbers, np.float32), "categories": np.array(categories, np.int32)}
        if faults:
            nothing = bool(np.isnan(sample["numbers"]).all() and not sample["categories"].any())
            raise PartFault(faults, None if nothing else sample)
        return sample

    def _parts(self, cell: Cell) -> tuple[Cell, ...]:
        return cell if len(self.config.sources) > 1 else (cell,)  # a cell of one column may be a tuple itself

    @cached_property
    def writings(self) -> list[Writing]:
        """How the cells of each column are written."""
        return [Writing.of_facts(column["type"], column.get("writing")) for column in self.state["columns"]]

    def _codes(self, column: dict[str, Any]) -> dict[str, int]:
        codes = self.__dict__.setdefault("_tables", {})
        name = column["name"]
        if name not in codes:
            codes[name] = {}
            for code, value in enumerate(column["values"], start=2):
                codes[name].setdefault(category(value), code)  # states of old bundles hold "true", which is now "True"
                codes[name].setdefault(value, code)
        return codes[name]  # type: ignore[no-any-return]

    def blank(self) -> Sample:
        """Return a sample in which every column is missing."""
        kinds = [column["type"] for column in self.state["columns"]]
        width = kinds.count("number") + DATE_PARTS * kinds.count("date")
        return {"numbers": np.full(width, np.nan, np.float32), "categories": np.zeros(kinds.count("category"), np.int32)}

    def drift(self) -> ColumnDrift:
        """Watches for numbers of another range, and for categories that are new."""
        return ColumnDrift(self.state["columns"])

    def corruptions(self) -> Mapping[str, Corruption]:
        """Of the cell; noise where there are numbers or dates."""
        return of_columns(self.state["columns"], self.writings)

    def parts(self, cell: Cell, sample: Sample) -> Parts:
        """Its columns, those aside that are missing already."""
        names: list[str] = []
        without: list[Sample | None] = []
        at = {"numbers": 0, "categories": 0}
        for column, part in zip(self.state["columns"], self._parts(cell), strict=True):
            kind = "categories" if column["type"] == "category" else "numbers"
            place = slice(at[kind], at[kind] + (DATE_PARTS if column["type"] == "date" else 1))
            at[kind] = place.stop
            nothing = self.blank()[kind][place]
            if np.array_equal(sample[kind][place], nothing, equal_nan=kind == "numbers"):
                continue
            rest = {**sample, kind: sample[kind].copy()}
            rest[kind][place] = nothing
            names.append(f"{column['name']} = {_short(part)}")
            without.append(rest if (rest["categories"] != 0).any() or not np.isnan(rest["numbers"]).all() else None)
        return Parts(names, without)

    def show(self, cell: Cell) -> str:
        """``name = value``, column by column."""
        parts = cell if isinstance(cell, tuple) else (cell,)
        shown = (f"{name} = {part}" for name, part in zip(self.config.columns, parts, strict=True))
        return super().show(", ".join(shown))

    def describe(self) -> str:
        """How many columns of each type, and how their cells are written where that is not the plain way."""
        counts = Counter(column["type"] for column in self.state["columns"])
        plural = {"number": "numbers", "category": "categories", "date": "dates"}
        said = ", ".join(f"{count} {kind if count == 1 else plural[kind]}" for kind, count in sorted(counts.items()))
        written = [f"{column['name']!r} with {text}" for column in self.state["columns"] if (text := _written(column))]
        return "; ".join([said, *written])


def no_value(writing: Writing, cell: Cell) -> str:
    """Return the message of a fault: what was found, and what is expected in a column of numbers or of dates."""
    return f"found {_short(cell)}; expected {'a finite number' if writing.type == 'number' else f'a date {_as_dates_are(writing.order)}'}"


def _writing(cells: Iterable[Cell], type: ColumnType | None = None, decimal: Decimal | None = None, order: str | None = None) -> Writing:
    """``writing_of`` the cells that can hold a value: the others are faults, and say nothing of how the column is written."""
    return writing_of([cell for cell in cells if not isinstance(cell, _NO_VALUE)], type, decimal, order)


def _fit_column(name: str, cells: list[Cell], config: TabularConfig, bins: int) -> dict[str, Any]:
    writing = _writing(cells, *config.said_of(name))
    kind = writing.type
    if kind == "category":
        counts = Counter(category(cell) for cell in cells if not is_missing_word(cell) and not isinstance(cell, _NO_VALUE))
        values = sorted((value for value, count in counts.items() if count >= 2), key=lambda value: (-counts[value], value))
        return {"name": name, "type": kind, "values": sorted(values[:_MAX_CATEGORIES])}
    values_N = np.array([value for cell in cells if (value := writing.value(cell)) is not None], np.float64)
    if not len(values_N):
        values_N = np.zeros(1)
    values_N = values_N.clip(-HUGE, HUGE)  # the spread of larger ones is no number
    mean, std = float(values_N.mean()), float(values_N.std())
    std = std if std > 1e-12 * float(abs(values_N).max()) else 1.0
    edges = np.unique(np.quantile((values_N - mean) / std, np.linspace(0, 1, bins + 1)))
    return {"name": name, "type": kind, "writing": writing.facts(), "mean": mean, "std": std, "scale": float(abs(values_N).mean()),
            "low": float(values_N.min()), "high": float(values_N.max()),
            "edges": [float(f"{edge:.9g}") for edge in np.clip(edges, -10, 10)]}  # fmt: skip


def _calendar(days: float) -> list[float]:
    """Where in the year, the week and the day a date stands, as points on circles (the day's is its sine only)."""
    year, week, day = 2 * math.pi * days / 365.2425, 2 * math.pi * days / 7, 2 * math.pi * (days % 1)
    return [math.sin(year), math.cos(year), math.sin(week), math.cos(week), math.sin(day)]


def _written(column: Mapping[str, Any]) -> str:
    """How the cells of a column are written, where that is not the plain way."""
    facts = column.get("writing", {})
    said = []
    if facts.get("decimal") == ",":
        said.append("a decimal comma")
    if facts.get("unit"):
        said.append(f"the unit {facts['unit']!r}")
    if facts.get("order", "ymd") != "ymd":
        said.append(f"dates {_as_dates_are(facts['order'])}")
    if facts.get("words"):
        said.append(f"{', '.join(map(repr, facts['words'][:3]))} as missing")
    return ", ".join(said)


def _as_dates_are(order: str) -> str:
    """What a date of a column looks like."""
    return {"ymd": "such as 2024-05-31", "dmy": "such as 31/05/2024", "mdy": "such as 05/31/2024", "yymd": "such as 24-05-31"}.get(
        order, f"as {order} writes it"
    )


def _short(cell: Cell) -> str:
    text = repr(cell[:50]) if isinstance(cell, (str, bytes)) else called(cell) if isinstance(cell, _NO_VALUE) else text_of(cell)
    return text if len(text) <= 40 else text[:37] + "..."
