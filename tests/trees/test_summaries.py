"""Summaries of cells: the numbers of each form, out of fold on training rows, and what the buffers of a bundle may be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch

from polymodal.data.loader import field_of
from polymodal.flow import Field
from polymodal.modalities import Modality, Roots
from polymodal.modalities.tabular import Tabular, TabularConfig
from polymodal.modalities.text import Text, TextConfig
from polymodal.modalities.vector import Vector, VectorConfig
from polymodal.trees.summaries import SUMMARIES, Cells, Summary

ROWS = 60


def cells(modality: Modality, values: Sequence[Any], target_N: np.ndarray, folds: int = 3) -> Cells:
    """The cells of rows in which ``None`` is missing, in folds by turns."""
    there = [value for value in values if value is not None]
    index = np.array([there.index(value) if value is not None else -1 for value in values])
    target = np.asarray(target_N, np.float32)
    return Cells(
        modality.state, [modality.read(value) for value in there], index, (target - target.mean())[:, None], np.arange(len(values)) % folds
    )


def predicted(modality: Modality, summary: Summary, values: Sequence[Any]) -> np.ndarray:
    samples = [modality.read(value) for value in values]
    assert len({modality.geometry(sample) for sample in samples}) == 1
    return np.asarray(summary(field_of(modality, samples, np.arange(len(samples)))).numpy())


def columns() -> tuple[Tabular, list[tuple]]:
    rows = [(float(row), "red" if row % 2 else "blue") for row in range(ROWS)]
    config = TabularConfig(columns=["size", "colour"])
    return Tabular(config, Tabular.fit(config, rows, "columns", {}, Roots()), Roots()), rows


def test_a_category_has_its_mean_target_shrunk_as_if_eight_more_rows_had_it() -> None:
    modality, rows = columns()
    target_N = np.array([1.0 if colour == "red" else 0.0 for _, colour in rows])
    summary, numbers_NK = SUMMARIES["columns"].fit(cells(modality, rows, target_N), np.random.default_rng(0))
    numbers = predicted(modality, summary, [(3.0, "red"), (4.0, "blue"), (4.0, "green"), (4.0, None)])
    assert numbers.shape == (4, summary.width) == (4, 3)
    assert numbers[:, 1].tolist()[:3] == pytest.approx([15 / 38, -15 / 38, 0.0])  # 30 rows, 0.5 from the mean, and 8 of the prior
    assert numbers[:, 2].tolist()[:3] == pytest.approx([0.5, 0.5, 0.0])
    assert np.isnan(numbers[3, 1:]).all()
    np.testing.assert_array_equal(numbers_NK[:, 0], [modality.read(row)["numbers"][0] for row in rows])
    assert sorted(set(numbers_NK[:, 1].tolist())) == pytest.approx([-10 / 28, 10 / 28])  # by the 20 rows of the other two folds


def test_the_numbers_of_a_training_row_do_not_depend_on_its_own_target(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polymodal.trees.summaries._PENALTIES", (2.0,))  # the choice of a penalty uses all rows
    modality, rows = columns()
    text = TextConfig(column="t")
    texts = [f"{'good' if row % 3 else 'bad'} thing number {row}" for row in range(ROWS)]
    of_text = Text(text, Text.fit(text, texts, "ngrams", {"buckets": 512, "max_ngrams": 64}, Roots()), Roots())
    target_N = np.arange(ROWS) % 7 / 7.0
    for kind, values, form in ((modality, rows, "columns"), (of_text, texts, "ngrams")):
        before = SUMMARIES[form].fit(cells(kind, values, target_N), np.random.default_rng(0))[1]
        other = cells(kind, values, target_N)
        other.target_NC[5] += 10.0
        after = SUMMARIES[form].fit(other, np.random.default_rng(0))[1]
        np.testing.assert_array_equal(before[5], after[5])
        assert not np.array_equal(before, after, equal_nan=True)


def test_a_text_has_components_a_linear_prediction_and_its_number_of_ngrams() -> None:
    config = TextConfig(column="t")
    texts: list[str | None] = [f"{'good' if row % 2 else 'bad'} word{row % 5}" for row in range(ROWS)]
    texts[7] = None
    modality = Text(
        config, Text.fit(config, [text for text in texts if text], "ngrams", {"buckets": 512, "max_ngrams": 64}, Roots()), Roots()
    )
    target_N = np.array([row % 2 for row in range(ROWS)], float)
    summary, numbers_NK = SUMMARIES["ngrams"].fit(cells(modality, texts, target_N), np.random.default_rng(0))
    assert numbers_NK.shape == (ROWS, summary.width)
    assert np.isnan(numbers_NK[7]).all()
    assert not np.isnan(np.delete(numbers_NK, 7, 0)).any()
    linear_N = numbers_NK[:, -2]
    assert np.nanmin(linear_N[target_N == 1]) > np.nanmax(linear_N[target_N == 0])
    fresh = predicted(modality, summary, ["good word9", "bad word9"])
    assert fresh[0, -2] > 0.2
    assert fresh[1, -2] < -0.2
    again = predicted(modality, summary, [texts[0], texts[1]])
    np.testing.assert_allclose(again[:, :-2], numbers_NK[:2, :-2], atol=1e-5)
    assert again[:, -1].tolist() == [len(modality.read(text)["ids"]) for text in texts[:2]]


def test_a_vector_is_taken_as_it_is() -> None:
    config = VectorConfig(column="v")
    rows = [[float(row), float(row % 3), 1.0] for row in range(ROWS)]
    modality = Vector(config, Vector.fit(config, rows, "vector", {}, Roots()), Roots())
    summary, numbers_NK = SUMMARIES["vector"].fit(cells(modality, rows, np.zeros(ROWS)), np.random.default_rng(0))
    np.testing.assert_array_equal(predicted(modality, summary, rows), numbers_NK)


def test_frozen_features_are_centred_and_reduced() -> None:
    rng = np.random.default_rng(3)
    features = rng.standard_normal((ROWS, 4, 6)).astype(np.float32) + 5
    target_N = features.mean(1)[:, 0]
    kind = SUMMARIES["features"]
    made = Cells(
        {}, [kind.compact({"features": one}) for one in features], np.arange(ROWS),
        (target_N - target_N.mean())[:, None].astype(np.float32), np.arange(ROWS) % 3,
    )  # fmt: skip
    summary, numbers_NK = kind.fit(made, np.random.default_rng(0))
    assert numbers_NK.shape == (ROWS, 7)  # as many components as features, and one prediction
    assert np.corrcoef(numbers_NK[:, -1], target_N)[0, 1] > 0.9
    field = Field(
        {"features": torch.from_numpy(features), "real": torch.ones(ROWS, 4, dtype=torch.bool)}, torch.ones(ROWS, dtype=torch.bool)
    )
    np.testing.assert_allclose(summary(field).numpy()[:, :-1], numbers_NK[:, :-1], atol=1e-4)


def test_buffers_of_another_field_are_refused() -> None:
    modality, _ = columns()
    with pytest.raises(ValueError, match="expected 4 rows"):
        SUMMARIES["columns"].restore(modality.state, {"table": torch.zeros(3, 2)})
    with pytest.raises(ValueError, match="expected table"):
        SUMMARIES["columns"].restore(modality.state, {})
    with pytest.raises(ValueError, match="expected 513 rows"):
        SUMMARIES["ngrams"].restore({"buckets": 512}, {"matrix": torch.zeros(3, 2)})
    with pytest.raises(ValueError, match="with buffers"):
        SUMMARIES["vector"].restore({"length": 3}, {"matrix": torch.zeros(3, 2)})
    with pytest.raises(ValueError, match="without its buffers"):
        SUMMARIES["features"].restore({}, {"mean": torch.zeros(3)})
