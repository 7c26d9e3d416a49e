"""Numbers, categories, booleans and dates: any count of columns as one field.

A column's type is decided once, by ``fit``: from its training cells, or from the config. Missing values are facts of their
own, never filled in here; a category not seen in training is "other". A cell of the wrong type (a word among numbers) is
a fault of that column only: the row keeps the rest of the field.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from pydantic import Field as Setting
from pydantic import model_validator

from ..cells import ColumnType, category, date, is_missing_word, number, text_of, type_of
from ..errors import ConfigError
from ..flow import Cell, Form, Sample, State
from .columns import of_columns
from .corruption import Corruption
from .drift import DATE_PARTS, HUGE, ColumnDrift
from .files import Roots
from .modality import FieldConfig, Modality, PartFault, Parts, Recognition

_MAX_CATEGORIES = 1_000


class TabularConfig(FieldConfig):
    """Columns of numbers, categories, booleans and dates."""

    kind: Literal["tabular"] = "tabular"
    columns: list[str] = Setting(min_length=1)
    """The columns of this field, in order."""
    types: dict[str, ColumnType] = {}
    """The type of a column where the one found is not right: number, category or date."""

    @model_validator(mode="before")
    @classmethod
    def _list_of_one(cls, data: Any) -> Any:
        """A field that was of a kind with one ``column`` keeps it."""
        if isinstance(data, Mapping) and "columns" not in data and isinstance(data.get("column"), str):
            return {**{key: value for key, value in data.items() if key != "column"}, "columns": [data["column"]]}
        return data

    @property
    def sources(self) -> tuple[str, ...]:
        """The columns, in order."""
        return tuple(self.columns)

    @classmethod
    def modality(cls) -> type[Modality]:
        """``Tabular``."""
        return Tabular


class Tabular(Modality):
    """Reads rows of numbers, categories and dates."""

    kind = "tabular"
    forms = ("columns",)
    may_be_id = True

    @classmethod
    def recognise(cls, cells: Sequence[Cell], roots: Roots) -> Recognition:
        """Sure of numbers and dates; of text, where few values come back often."""
        kind, share = type_of(cells)
        if kind in ("number", "date"):
            return Recognition(0.95 if share > 0.98 else 0.8, {"type": kind}, f"{share:.0%} of the cells are {kind}s")
        hashable = [str(cell) for cell in cells]
        distinct = len(set(hashable)) / max(len(hashable), 1)
        if any(isinstance(cell, (bytes, list, dict, tuple)) for cell in cells):
            return Recognition(0.0)
        confidence = 0.7 if distinct <= 0.2 else 0.55 if distinct <= 0.5 else 0.4
        return Recognition(confidence, {"type": kind}, f"{len(set(hashable))} different values in {len(hashable)} cells")

    @classmethod
    def fit(cls, config: TabularConfig, cells: Iterable[Cell], form: Form, needs: Mapping[str, Any], roots: Roots) -> State:
        """State: ``columns``, each with its type and, for numbers and dates, centre, spread and quantiles; for categories
        the vocabulary (from two rows up)."""
        cls.check_form(form)
        unknown = sorted(set(config.types) - set(config.columns))
        if unknown:
            raise ConfigError(f"types: {unknown[0]!r} is not among the field's columns")
        rows = [cell if isinstance(cell, tuple) else (cell,) for cell in cells]
        bins = int(needs.get("bins", 16))
        return {
            "form": form,
            "columns": [
                _fit_column(name, [row[at] for row in rows], config.types.get(name), bins) for at, name in enumerate(config.columns)
            ],
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
            if not right:
                raise ValueError(f"column {column['name']!r}: facts that are none of a {column['type']}")

    def is_missing(self, cell: Cell) -> bool:
        """Whether every column is empty."""
        parts = self._parts(cell)
        return all(is_missing_word(part) for part in parts)

    def read(self, cell: Cell) -> Sample:
        """``numbers`` float32 (K,), standardised, NaN = missing; ``categories`` int32 (M,), 0 = missing, 1 = other."""
        parts = self._parts(cell)
        numbers: list[float] = []
        categories: list[int] = []
        faults: dict[str, str] = {}
        for column, part in zip(self.state["columns"], parts, strict=True):
            if column["type"] == "category":
                categories.append(0 if is_missing_word(part) else self._codes(column).get(category(part), 1))
                continue
            values = [math.nan] * (DATE_PARTS if column["type"] == "date" else 1)
            if not is_missing_word(part):
                value = number(part) if column["type"] == "number" else date(part)
                if value is None:
                    expected = "a finite number" if column["type"] == "number" else "a date such as 2024-05-31"
                    faults[column["name"]] = f"found {_short(part)}; expected {expected}"
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

    def _codes(self, column: dict[str, Any]) -> dict[str, int]:
        codes = self.__dict__.setdefault("_tables", {})
        name = column["name"]
        if name not in codes:
            codes[name] = {value: code for code, value in enumerate(column["values"], start=2)}
        return codes[name]  # type: ignore[no-any-return]

    def blank(self) -> Sample:
        """Every column missing."""
        kinds = [column["type"] for column in self.state["columns"]]
        width = kinds.count("number") + DATE_PARTS * kinds.count("date")
        return {"numbers": np.full(width, np.nan, np.float32), "categories": np.zeros(kinds.count("category"), np.int32)}

    def drift(self) -> ColumnDrift:
        """Watches for numbers of another range, and for categories that are new."""
        return ColumnDrift(self.state["columns"])

    def corruptions(self) -> Mapping[str, Corruption]:
        """Of the cell; noise where there are numbers or dates."""
        return of_columns(self.state["columns"])

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
        """How many columns of each type."""
        counts = Counter(column["type"] for column in self.state["columns"])
        plural = {"number": "numbers", "category": "categories", "date": "dates"}
        return ", ".join(f"{count} {kind if count == 1 else plural[kind]}" for kind, count in sorted(counts.items()))


def _fit_column(name: str, cells: list[Cell], given: ColumnType | None, bins: int) -> dict[str, Any]:
    cells = [cell for cell in cells if not is_missing_word(cell)]
    kind = given or type_of(cells)[0]
    if kind == "category":
        counts = Counter(category(cell) for cell in cells)
        values = sorted((value for value, count in counts.items() if count >= 2), key=lambda value: (-counts[value], value))
        return {"name": name, "type": kind, "values": sorted(values[:_MAX_CATEGORIES])}
    read = number if kind == "number" else date
    values_N = np.array([value for cell in cells if (value := read(cell)) is not None], np.float64)
    if not len(values_N):
        values_N = np.zeros(1)
    values_N = values_N.clip(-HUGE, HUGE)  # the spread of larger ones is no number
    mean, std = float(values_N.mean()), float(values_N.std())
    std = std if std > 1e-12 * float(abs(values_N).max()) else 1.0
    edges = np.unique(np.quantile((values_N - mean) / std, np.linspace(0, 1, bins + 1)))
    return {"name": name, "type": kind, "mean": mean, "std": std, "scale": float(abs(values_N).mean()),
            "low": float(values_N.min()), "high": float(values_N.max()),
            "edges": [float(f"{edge:.9g}") for edge in np.clip(edges, -10, 10)]}  # fmt: skip


def _calendar(days: float) -> list[float]:
    """Where in the year, the week and the day a date stands, as points on circles (the day's is its sine only)."""
    year, week, day = 2 * math.pi * days / 365.2425, 2 * math.pi * days / 7, 2 * math.pi * (days % 1)
    return [math.sin(year), math.cos(year), math.sin(week), math.cos(week), math.sin(day)]


def _short(cell: Cell) -> str:
    text = repr(cell[:50]) if isinstance(cell, (str, bytes)) else text_of(cell)
    return text if len(text) <= 40 else text[:37] + "..."
