"""Tables of known distribution, from which any number of fresh rows can be generated. ``honesty.py`` trains on them."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from real_tables import bundled
from sklearn.model_selection import train_test_split

FRESH = 2_000
"""Fresh rows of a table that is generated."""
OPTIMISM, COVERAGE = "optimism", "coverage"
SIZES = {OPTIMISM: (100, 200, 600, 2_000), COVERAGE: (200, 600, 2_500)}
"""Rows to train on, by the part of the benchmark that a table is made for."""
WORDS = [
    "amber", "birch", "cedar", "delta", "ember", "flint", "grove", "hazel", "ivory", "jade", "karst", "lilac", "maple", "north", "olive",
    "pearl", "quartz", "raven",
]  # fmt: skip

Columns = dict[str, Any]
Draw = Callable[[np.random.Generator, int], Columns]
"""Rows of a table from a generator: columns, the target ``y`` among them."""


@dataclass(frozen=True)
class Kind:
    """A distribution of tables. ``world`` samples the coefficients that all rows of a cell share, and returns a sampler of rows."""

    name: str
    world: Callable[[np.random.Generator], Draw] | None
    fields: Mapping[str, Mapping[str, Any]]
    regression: bool = False
    part: str = OPTIMISM
    """The part whose sizes the table is trained at; every part is computed from it."""

    @property
    def sizes(self) -> tuple[int, ...]:
        """The numbers of rows to train on; 0 = the 70 % of a real table."""
        return SIZES[self.part] if self.world is not None else (0,)


@dataclass(frozen=True)
class Cell:
    """One run: the name of a table, the rows to train on, and the seed of the rows and of the training."""

    kind: str
    rows: int
    seed: int


def tabular(*columns: str) -> dict[str, Any]:
    """Return the settings of a tabular field of these columns."""
    return {"kind": "tabular", "columns": list(columns)}


def names(count: int, first: int = 0) -> list[str]:
    """Return names of numeric columns."""
    return [f"x{at}" for at in range(first, first + count)]


def numeric(x_NK: np.ndarray) -> Columns:
    """Return numeric columns by name."""
    return {f"x{at}": x_NK[:, at].round(6) for at in range(x_NK.shape[1])}


def texts(rng: np.random.Generator, rows: int, weight_NW: np.ndarray | None = None) -> list[str]:
    """Return texts of three to six words, each sampled by the row's weights (uniformly if there are none)."""
    count_N = rng.integers(3, 7, rows)
    if weight_NW is None:
        return [" ".join(rng.choice(WORDS, count)) for count in count_N]
    return [" ".join(rng.choice(WORDS, count, p=weight_W)) for count, weight_W in zip(count_N, weight_NW, strict=True)]


def labelled(class_N: np.ndarray) -> np.ndarray:
    """Return the names of classes."""
    return np.array([f"class {label}" for label in range(int(class_N.max(initial=0)) + 1)])[class_N]


def coin(rng: np.random.Generator) -> Draw:
    """Return a sampler of labels that do not depend on the five fields: two of numbers, a category, and two short texts."""

    def draw(rng: np.random.Generator, rows: int) -> Columns:
        columns = numeric(rng.normal(size=(rows, 6))) | {"city": rng.choice(["east", "west", "south", "north"], rows)}
        return columns | {"note": texts(rng, rows), "title": texts(rng, rows), "y": labelled(rng.integers(0, 2, rows))}

    return draw


def signal(strength: float) -> Callable[[np.random.Generator], Draw]:
    """Return a distribution of two classes by a logistic model of six numbers and a category.

    :param strength: the standard deviation of the log-odds
    """

    def world(rng: np.random.Generator) -> Draw:
        slope_K, by_city = rng.normal(size=6), rng.normal(size=4)
        slope_K, by_city = slope_K / np.linalg.norm(slope_K), by_city - by_city.mean()

        def draw(rng: np.random.Generator, rows: int) -> Columns:
            x_NK, city_N = rng.normal(size=(rows, 6)), rng.integers(0, 4, rows)
            odds_N = strength * (x_NK @ slope_K + 0.5 * by_city[city_N])
            label_N = (rng.random(rows) < 1 / (1 + np.exp(-odds_N))).astype(int)
            return numeric(x_NK) | {"city": np.array(["east", "west", "south", "north"])[city_N], "y": labelled(label_N)}

        return draw

    return world


def linear(share: float, columns: int = 6, noise: Callable[[np.random.Generator, int], np.ndarray] | None = None) -> Any:
    """Return a distribution of a number by a linear model; ``share`` of its variance is explained if the noise is normal."""

    def world(rng: np.random.Generator) -> Draw:
        slope_K = rng.normal(size=columns)
        slope_K /= np.linalg.norm(slope_K)

        def draw(rng: np.random.Generator, rows: int) -> Columns:
            x_NK = rng.normal(size=(rows, columns))
            error_N = rng.normal(size=rows) if noise is None else noise(rng, rows)
            return numeric(x_NK) | {"y": (x_NK @ slope_K + math.sqrt((1 - share) / share) * error_N).round(6)}

        return draw

    return world


def regime(rng: np.random.Generator, rows: int) -> np.ndarray:
    """Return normal noise that is ten times as large in 5 % of the rows."""
    return rng.normal(size=rows) * np.where(rng.random(rows) < 0.05, 10.0, 1.0)


def heavy(freedom: int) -> Callable[[np.random.Generator, int], np.ndarray]:
    """Return a sampler of noise of Student's t distribution."""
    return lambda rng, rows: rng.standard_t(freedom, rows)


def regions(classes: int, noise: float, idle: int = 0) -> Callable[[np.random.Generator], Draw]:
    """Return a distribution of classes by the largest of linear scores of six numbers.

    :param noise: the share of labels that are replaced by another class
    :param idle: the number of columns that do not depend on the class
    """

    def world(rng: np.random.Generator) -> Draw:
        slope_KC = rng.normal(size=(6, classes))

        def draw(rng: np.random.Generator, rows: int) -> Columns:
            x_NK = rng.normal(size=(rows, 6 + idle))
            label_N = (x_NK[:, :6] @ slope_KC).argmax(1)
            other_N = (label_N + rng.integers(1, classes, rows)) % classes
            return numeric(x_NK) | {"y": labelled(np.where(rng.random(rows) < noise, other_N, label_N))}

        return draw

    return world


def wording(rng: np.random.Generator) -> Draw:
    """Return a sampler of short texts whose word frequencies differ between two classes, and three numbers, of which one differs."""
    tilt_W = rng.normal(size=len(WORDS))

    def draw(rng: np.random.Generator, rows: int) -> Columns:
        label_N = rng.integers(0, 2, rows)
        weight_NW = np.exp(0.35 * (2 * label_N[:, None] - 1) * tilt_W)
        columns = numeric(rng.normal(size=(rows, 3)) + 0.4 * np.outer(label_N, [1, 0, 0]))
        return columns | {"note": texts(rng, rows, weight_NW / weight_NW.sum(1, keepdims=True)), "y": labelled(label_N)}

    return draw


def shapes(rng: np.random.Generator) -> Draw:
    """Return a sampler of pictures of 16 x 16 noisy pixels with a faint bar, vertical or horizontal by class, and three numbers."""

    def draw(rng: np.random.Generator, rows: int) -> Columns:
        label_N = rng.integers(0, 2, rows)
        pictures = []
        for label in label_N:
            pixels = rng.normal(110, 30, (16, 16))
            bar = pixels.T if label else pixels
            at = rng.integers(0, 14)
            bar[at : at + 2] += 25
            pictures.append(pixels.clip(0, 255).astype(np.uint8))
        columns = numeric(rng.normal(size=(rows, 3)) + 0.4 * np.outer(label_N, [1, 0, 0]))
        return columns | {"picture": pictures, "y": labelled(label_N)}

    return draw


def kinds() -> dict[str, Kind]:
    """Return all tables by name."""
    halves = {"left": tabular(*names(3)), "right": tabular(*names(3, 3))}
    mixed = {"left": tabular(*names(3)), "right": tabular(*names(3, 3), "city")}
    five = {
        "left": tabular(*names(3)), "right": tabular(*names(3, 3)), "place": tabular("city"),
        "note": {"kind": "text", "column": "note"}, "title": {"kind": "text", "column": "title"},
    }  # fmt: skip
    numbers = {"numbers": tabular(*names(3))}
    tables = [
        Kind("coin", coin, five),
        Kind("weak", signal(0.7), mixed),
        Kind("strong", signal(4.0), mixed),
        Kind("weak_number", linear(0.1), halves, regression=True),
        Kind("strong_number", linear(0.8), halves, regression=True),
        Kind("text", wording, {"note": {"kind": "text", "column": "note"}, **numbers}),
        Kind("picture", shapes, {"picture": {"kind": "image", "column": "picture", "size": 16}, **numbers}),
    ]
    for classes in (2, 4, 10):
        for name, noise in (("clean", 0.0), ("noisy", 0.15)):
            tables.append(Kind(f"{name}_{classes}", regions(classes, noise), halves, part=COVERAGE))
    wide = {"left": tabular(*names(33)), "right": tabular(*names(33, 33))}
    tables += [
        Kind("heavy_2", linear(0.5, noise=heavy(2)), halves, True, COVERAGE),
        Kind("heavy_3", linear(0.5, noise=heavy(3)), halves, True, COVERAGE),
        Kind("regime", linear(0.8, noise=regime), halves, True, COVERAGE),
        Kind("linear", linear(0.5), halves, True, COVERAGE),
        Kind("disagree", regions(2, 0.15, idle=60), wide, part=COVERAGE),
        Kind("disagree_number", linear(0.5, 66), wide, True, COVERAGE),
    ]
    for name in ("breast_cancer", "diabetes", "wine", "digits"):
        tables.append(Kind(name, None, {}, name == "diabetes"))
    return {kind.name: kind for kind in tables}


def sampled(kind: Kind, cell: Cell) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Return the rows to train on, the fresh rows, and the fields."""
    if kind.world is None:
        (table,) = (table for table in bundled() if table.name == kind.name)
        frame = pd.DataFrame(table.rows)
        for column in frame.columns:
            if column != "y" or kind.regression:
                frame[column] = frame[column].astype(float)
        if not kind.regression:
            frame["y"] = "class " + frame["y"]
        if len(frame) > 600:
            frame = frame.sample(600, random_state=cell.seed)
        train, fresh = train_test_split(frame, test_size=0.3, random_state=cell.seed, stratify=None if kind.regression else frame["y"])
        return (
            train.reset_index(drop=True),
            fresh.reset_index(drop=True),
            {name: tabular(*columns) for name, columns in table.fields.items()},
        )
    source = [cell.seed, zlib.crc32(kind.name.encode())]
    draw = kind.world(np.random.default_rng(source))
    train = pd.DataFrame(draw(np.random.default_rng([*source, 1, cell.rows]), cell.rows))
    return train, pd.DataFrame(draw(np.random.default_rng([*source, 2]), FRESH)), dict(kind.fields)
