"""Numbers, categories, booleans, dates and durations: any number of columns as one field.

``fit`` determines the type of each column and how its cells are written, from the training cells or from the config. Missing values are not
filled in. A category that does not occur in training is read as "other". A word that occurs repeatedly among numbers or dates is a missing
value. Any other cell of the wrong type is a fault of its column only: the row keeps the rest of the field.
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
from ..language import Sentence
from .arrays import HUGE
from .column_corruption import of_columns
from .column_values import DATE_PARTS, NO_VALUE, Column
from .drift import ColumnDrift
from .files import Roots
from .modality import FieldConfig, Modality, PartFault, Parts, Recognition, percent
from .objects import called
from .signal_corruption import Corruption

_MAX_CATEGORIES = 1_000
_NO_VALUE = (*NO_VALUE, Unreadable)
"""Types of cells that are neither a number, nor a date, nor the name of a category."""


class TabularConfig(FieldConfig):
    """Columns of numbers, categories, booleans and dates."""

    kind: Literal["tabular"] = "tabular"
    columns: list[str] = Setting(min_length=1)
    """The columns of this field, in order."""
    types: dict[str, ColumnType] = {}
    """The types of columns whose inferred type is wrong: number, category or date."""
    decimal: Decimal | dict[str, Decimal] | None = None
    """The decimal sign of numbers, "." or ",", for all columns or by column; null = inferred from the cells of each column."""
    date_format: str | dict[str, str] | None = None
    """The format of dates, for all columns or by column: dmy, mdy, ymd, or a format such as "%d/%m/%Y %H:%M"; null = inferred from the
    cells of each column."""

    @model_validator(mode="before")
    @classmethod
    def _list_of_one(cls, data: Any) -> Any:
        """Accept ``column`` for a list of one column, so that the kind of a field can be changed to tabular."""
        if isinstance(data, Mapping) and "columns" not in data and isinstance(data.get("column"), str):
            return {**{key: value for key, value in data.items() if key != "column"}, "columns": [data["column"]]}
        return data

    @field_validator("date_format")
    @classmethod
    def _known_formats(cls, formats: Any) -> Any:
        for order in formats.values() if isinstance(formats, Mapping) else [formats]:
            if order is not None:
                check_order(order)
        return formats

    def settings_of(self, column: str) -> tuple[ColumnType | None, Decimal | None, str | None]:
        """Return the settings of a column: its type, its decimal sign and its date format; None = not set."""
        decimal = self.decimal.get(column) if isinstance(self.decimal, Mapping) else self.decimal
        order = self.date_format.get(column) if isinstance(self.date_format, Mapping) else self.date_format
        return self.types.get(column), decimal, order

    def is_guess(self, column: str) -> bool:
        """Whether the type of a column was inferred from its cells."""
        return column in self.columns and column not in self.types

    @property
    def sources(self) -> tuple[str, ...]:
        """The columns of the field, in order."""
        return tuple(self.columns)

    @classmethod
    def modality(cls) -> type[Modality]:
        """Return the class of this modality, ``Tabular``."""
        return Tabular


class Tabular(Modality):
    """Read rows of numbers, categories and dates."""

    kind = "tabular"
    sent_as = "columns"
    joins_columns = True
    column_types = ("number", "category", "date")
    forms = ("columns",)
    may_be_id = True

    @classmethod
    def recognise(cls, cells: Sequence[Cell], roots: Roots) -> Recognition:
        """Recognise numbers and dates with high confidence, and categories with a confidence that is higher if few values occur often."""
        writing = _writing(cells)
        kind = writing.type
        valued = [cell for cell in cells if not isinstance(cell, _NO_VALUE)]
        if len(valued) < 0.9 * len(cells):
            return Recognition(0.0)
        if kind != "category":
            why = Sentence(f"why.{kind}s", share=percent(writing.share))
            return Recognition(0.95 if writing.share > 0.98 else 0.8, {"type": kind, "writing": writing}, why)
        values = [category(cell) for cell in valued if not is_missing_word(cell)]
        different = len(set(values))
        share = different / max(len(values), 1)
        confidence = 0.7 if share <= 0.2 else 0.55 if share <= 0.5 else 0.4
        return Recognition(confidence, {"type": kind, "writing": writing}, Sentence("why.values", different=different, cells=len(values)))

    @classmethod
    def fit(cls, config: TabularConfig, cells: Iterable[Cell], form: Form, needs: Mapping[str, Any], roots: Roots) -> State:
        """Learn the state: ``columns``, each with its type and, for numbers and dates, its mean, standard deviation and quantiles, or, for
        categories, its values (those that occur at least twice), and ``rare``, the share of the cells that have another value.

        :raises ConfigError: a setting names a column that is not in the field
        """
        cls.check_form(form)
        for setting in ("types", "decimal", "date_format"):
            by_column = getattr(config, setting)
            unknown = sorted(set(by_column) - set(config.columns)) if isinstance(by_column, Mapping) else []
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
        """Check that the columns are those of the config, and that each has the facts that its type requires."""
        self.check_form(self.state["form"])
        columns = self.state["columns"]
        if [column["name"] for column in columns] != list(self.config.columns):
            raise ValueError("facts of other columns")
        for column in columns:
            if column["type"] == "category":
                rare = column.get("rare", 0.0)
                valid = all(isinstance(value, str) for value in column["values"]) and type(rare) in (int, float) and 0 <= rare <= 1
            else:
                facts = [*(column[name] for name in ("mean", "std", "scale", "low", "high")), *column["edges"]]
                valid = column["type"] in ("number", "date") and all(type(fact) in (int, float) and math.isfinite(fact) for fact in facts)
                valid = valid and column["std"] > 0
                if "writing" in column:
                    check_facts(column["writing"])
            if not valid:
                raise ValueError(f"column {column['name']!r}: facts that do not fit a {column['type']}")

    def is_missing(self, cell: Cell) -> bool:
        """Whether every column is empty, or a word that means missing."""
        return all(column.is_missing(part) for column, part in zip(self._columns, self._parts(cell), strict=True))

    def read(self, cell: Cell) -> Sample:
        """Return ``numbers`` float32 (K,), standardised, NaN = missing, and ``categories`` int32 (M,), 0 = missing, 1 = other. A number has
        one place, and a date has ``DATE_PARTS``.

        :raises PartFault: cells of some columns cannot be read; it contains the sample without them
        """
        numbers: list[float] = []
        categories: list[int] = []
        faults: dict[str, str] = {}
        for column, part in zip(self._columns, self._parts(cell), strict=True):
            if column.type == "category":
                code = None if isinstance(part, Unreadable) else column.code(part)
                if code is None:
                    faults[column.name] = f"found {called(part)}; expected the name of a category"
                categories.append(code or 0)
                continue
            values = column.values(part)
            if values is None:
                faults[column.name] = no_value(column.writing, part)
            numbers += values or column.missing
        sample = {"numbers": np.array(numbers, np.float32), "categories": np.array(categories, np.int32)}
        if faults:
            is_empty = bool(np.isnan(sample["numbers"]).all() and not sample["categories"].any())
            raise PartFault(faults, None if is_empty else sample)
        return sample

    def _parts(self, cell: Cell) -> tuple[Cell, ...]:
        """Return the values of a cell, one for each column."""
        return cell if len(self.config.sources) > 1 else (cell,)  # a cell of one column may be a tuple itself

    @cached_property
    def writings(self) -> list[Writing]:
        """The formats of the cells, one for each column."""
        return [Writing.of_facts(column["type"], column.get("writing")) for column in self.state["columns"]]

    @cached_property
    def _columns(self) -> list[Column]:
        """The columns, for reading."""
        return [Column(facts, writing) for facts, writing in zip(self.state["columns"], self.writings, strict=True)]

    def blank(self) -> Sample:
        """Return a sample in which every column is missing."""
        kinds = [column["type"] for column in self.state["columns"]]
        width = kinds.count("number") + DATE_PARTS * kinds.count("date")
        return {"numbers": np.full(width, np.nan, np.float32), "categories": np.zeros(kinds.count("category"), np.int32)}

    def recipe(self) -> dict[str, Any]:
        """Return the operation "columns", with the facts of each column."""
        return {"operation": "columns", "padded": [], "columns": self.state["columns"]}

    def drift(self) -> ColumnDrift:
        """Return counts of numbers in another range, and of new categories."""
        return ColumnDrift(self.state["columns"])

    def corruptions(self) -> Mapping[str, Corruption]:
        """Return the corruptions of a cell; "noise" is available if there are numbers or dates."""
        return of_columns(self.state["columns"], self.writings)

    def parts(self, cell: Cell, sample: Sample) -> Parts:
        """Return the columns of the cell as parts. Missing ones are left out."""
        names: list[str] = []
        without: list[Sample | None] = []
        at = {"numbers": 0, "categories": 0}
        for column, part in zip(self.state["columns"], self._parts(cell), strict=True):
            kind = "categories" if column["type"] == "category" else "numbers"
            place = slice(at[kind], at[kind] + (DATE_PARTS if column["type"] == "date" else 1))
            at[kind] = place.stop
            missing = self.blank()[kind][place]
            if np.array_equal(sample[kind][place], missing, equal_nan=kind == "numbers"):
                continue
            rest = {**sample, kind: sample[kind].copy()}
            rest[kind][place] = missing
            names.append(f"{column['name']} = {_short(part, kind == 'categories')}")
            without.append(rest if (rest["categories"] != 0).any() or not np.isnan(rest["numbers"]).all() else None)
        return Parts(names, without)

    def show(self, cell: Cell) -> str:
        """Return ``name = value`` for each column."""
        parts = cell if isinstance(cell, tuple) else (cell,)
        shown = (f"{name} = {part}" for name, part in zip(self.config.columns, parts, strict=True))
        return super().show(", ".join(shown))

    def describe(self) -> str:
        """Return the number of columns of each type, and formats of cells that differ from the default, in words."""
        counts = Counter(column["type"] for column in self.state["columns"])
        parts = [Sentence(f"describe.column.{kind}", count=count) for kind, count in sorted(counts.items())]
        written = [
            Sentence("describe.with", column=column["name"], formats=Sentence.joined(formats, "enumeration"))
            for column in self.state["columns"]
            if (formats := _written(column))
        ]
        return Sentence.joined([Sentence.joined(parts, "enumeration"), *written])


def no_value(writing: Writing, cell: Cell) -> str:
    """Return the message of a fault: what was found, and what is expected in a column of numbers or of dates."""
    return f"found {_short(cell)}; expected {'a finite number' if writing.type == 'number' else f'a date {_as_dates_are(writing.order)}'}"


def _writing(cells: Iterable[Cell], type: ColumnType | None = None, decimal: Decimal | None = None, order: str | None = None) -> Writing:
    """Return ``writing_of`` the cells that can be a value. The other cells are faults, and are ignored."""
    return writing_of([cell for cell in cells if not isinstance(cell, _NO_VALUE)], type, decimal, order)


def _fit_column(name: str, cells: list[Cell], config: TabularConfig, bins: int) -> dict[str, Any]:
    """Learn the facts of a column."""
    writing = _writing(cells, *config.settings_of(name))
    kind = writing.type
    if kind == "category":
        counts = Counter(category(cell) for cell in cells if not is_missing_word(cell) and not isinstance(cell, _NO_VALUE))
        values = sorted((value for value, count in counts.items() if count >= 2), key=lambda value: (-counts[value], value))
        values = sorted(values[:_MAX_CATEGORIES])
        rare = 1 - sum(counts[value] for value in values) / max(counts.total(), 1)
        return {"name": name, "type": kind, "values": values, "rare": float(f"{rare:.6g}")}
    values_N = np.array([value for cell in cells if (value := writing.value(cell)) is not None], np.float64)
    if not len(values_N):
        values_N = np.zeros(1)
    values_N = values_N.clip(-HUGE, HUGE)  # the standard deviation of larger numbers is not finite
    mean, std = float(values_N.mean()), float(values_N.std())
    std = std if std > 1e-12 * float(abs(values_N).max()) else 1.0
    edges = np.unique(np.quantile((values_N - mean) / std, np.linspace(0, 1, bins + 1)))
    return {"name": name, "type": kind, "writing": writing.facts(), "mean": mean, "std": std, "scale": float(abs(values_N).mean()),
            "low": float(values_N.min()), "high": float(values_N.max()),
            "edges": [float(f"{edge:.9g}") for edge in np.clip(edges, -10, 10)]}  # fmt: skip


def _written(column: Mapping[str, Any]) -> list[str]:
    """Return the format of the cells of a column in words, as far as it differs from the default."""
    facts = column.get("writing", {})
    parts: list[str] = []
    if facts.get("decimal") == ",":
        parts.append(Sentence("describe.comma"))
    if facts.get("unit"):
        parts.append(Sentence("describe.unit", unit=facts["unit"]))
    if facts.get("order", "ymd") != "ymd":
        parts.append(Sentence("describe.dates", form=_as_dates_are(facts["order"])))
    if facts.get("words"):
        parts.append(Sentence("describe.missing", words=", ".join(map(repr, facts["words"][:3]))))
    return parts


def _as_dates_are(order: str) -> str:
    """Return an example of a date of a column, or its format, in words."""
    example = {"ymd": "2024-05-31", "dmy": "31/05/2024", "mdy": "05/31/2024", "yymd": "24-05-31"}.get(order)
    return Sentence("describe.format", form=order) if example is None else Sentence("describe.such_as", example=example)


def _short(cell: Cell, quoted: bool = True) -> str:
    """Return a cell as text of at most 40 characters.

    :param quoted: whether a text has quotation marks, as that of a category has
    """
    text = (
        repr(cell[:50])
        if isinstance(cell, bytes) or (quoted and isinstance(cell, str))
        else called(cell)
        if isinstance(cell, _NO_VALUE)
        else text_of(cell)
    )
    return text if len(text) <= 40 else text[:37] + "..."
