"""Tasks that are fitted to a list of cells."""

from __future__ import annotations

from typing import Any

from polymodal.tasks import (
    Answers,
    AnswersConfig,
    Binary,
    BinaryConfig,
    Multiclass,
    MulticlassConfig,
    Multilabel,
    MultilabelConfig,
    Regression,
    RegressionConfig,
)

PLACE = "t.csv, column 'y'"


def answers(cells: list[Any], **settings: Any) -> Answers:
    config = AnswersConfig(column="y", **settings)
    return Answers(config, Answers.fit(config, cells, PLACE))


def binary(cells: list[Any], **settings: Any) -> Binary:
    config = BinaryConfig(column="y", **settings)
    return Binary(config, Binary.fit(config, cells, PLACE))


def multiclass(cells: list[Any], **settings: Any) -> Multiclass:
    config = MulticlassConfig(column="y", **settings)
    return Multiclass(config, Multiclass.fit(config, cells, PLACE))


def multilabel(cells: list[Any], **settings: Any) -> Multilabel:
    config = MultilabelConfig(column="y", **settings)
    return Multilabel(config, Multilabel.fit(config, cells, PLACE))


def regression(cells: list[Any], **settings: Any) -> Regression:
    config = RegressionConfig(column="y", **settings)
    return Regression(config, Regression.fit(config, cells, PLACE))
