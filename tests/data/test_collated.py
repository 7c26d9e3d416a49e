"""Batches of samples that are collated once are the batches that are collated from single samples, to the last bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from builders.texts import TOKENS, fitted
from polymodal.data import collated
from polymodal.data.loader import Loader
from polymodal.data.sources import open_source
from polymodal.data.store import Store
from polymodal.flow import Batch
from polymodal.frozen import Featured
from polymodal.modalities import Image, ImageConfig, Modality, Roots, Tabular, TabularConfig, Vector, VectorConfig

ROWS: list[dict[str, Any]] = [
    {
        "title": None if row % 7 == 3 else f"{['红色的苹果', 'a green river', 'RED'][row % 3]} {' '.join(map(str, range(row)))}",
        "price": "word" if row == 5 else "" if row == 6 else str(row * 1.5),
        "vector": [1.0, 2.0] if row == 4 else [float(row), 1.0, -2.0],
    }
    for row in range(60)
]


def modalities() -> dict[str, Modality]:
    columns, vector = TabularConfig(columns=["price"], types={"price": "number"}), VectorConfig(column="vector")
    prices = [(row["price"],) for row in ROWS if row["price"] not in ("word", "")]
    vectors = [row["vector"] for row in ROWS if len(row["vector"]) == 3]
    texts = [row["title"] for row in ROWS if row["title"]]
    return {
        "ngrams": fitted({"buckets": 4096, "max_ngrams": 500}, texts),
        "tokens": fitted(TOKENS, texts),
        "columns": Tabular(columns, Tabular.fit(columns, prices, "columns", {"bins": 4}, Roots()), Roots()),
        "vector": Vector(vector, Vector.fit(vector, vectors, "vector", {}, Roots()), Roots()),
    }


def filled(path: Path, given: dict[str, Modality]) -> Store:
    store = Store(path, given)
    store.fill(open_source(ROWS), lambda _: None)
    return store


def assert_same(one: Batch, other: Batch) -> None:
    assert list(one.fields) == list(other.fields)
    for name, field in one.fields.items():
        same = other.fields[name]
        assert field.values.keys() == same.values.keys()
        for part, value in field.values.items():
            assert value.dtype == same.values[part].dtype
            assert value.is_contiguous()
            assert torch.equal(value, same.values[part]), (name, part)
        assert torch.equal(field.present_B, same.present_B)
        assert (field.index_B is None) == (same.index_B is None)
        if field.index_B is not None and same.index_B is not None:
            assert torch.equal(field.index_B, same.index_B)


def test_a_batch_has_the_same_values_as_one_of_single_samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = filled(tmp_path / "cells", modalities())
    assert all(store.collated(name) is not None for name in store.modalities)
    loader = Loader(store, np.arange(60), {}, None, batch_size=7, ahead=0)
    fast = [step.parts[0] for step in loader.epoch(3)]
    monkeypatch.setattr(Store, "collated", lambda *_: None)
    slow = [step.parts[0] for step in loader.epoch(3)]
    assert len(fast) == len(slow) == 9
    assert len({batch.fields["ngrams"].values["ids"].shape[1] for batch in fast}) > 1, "batches of different lengths"
    for one, other in zip(fast, slow, strict=True):
        assert_same(one, other)
    empty = np.array([row for row in range(60) if row % 7 == 3])
    assert torch.equal(loader.batch(empty, 1).fields["ngrams"].present_B, torch.zeros(len(empty), dtype=torch.bool))
    store.close()


def test_features_of_a_backbone_replace_collated_samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = filled(tmp_path / "cells", {"title": fitted(TOKENS)})
    before = store.collated("title")
    featured = Featured(store.modalities["title"], 2)
    store.replace("title", featured, lambda samples: [{"features": np.full((len(one["ids"]), 2), 3.0, np.float32)} for one in samples], 8)
    assert store.collated("title") is not before
    loader = Loader(store, np.arange(60), {}, None, batch_size=16, ahead=0)
    fast = [step.parts[0] for step in loader.epoch(1)]
    assert {value.unique().tolist()[-1] for batch in fast for value in [batch.fields["title"].values["features"]]} == {3.0}
    monkeypatch.setattr(Store, "collated", lambda *_: None)
    for one, other in zip(fast, [step.parts[0] for step in loader.epoch(1)], strict=True):
        assert_same(one, other)
    store.close()


def test_large_fields_and_fields_that_are_augmented_are_not_collated_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collated, "MOST_BYTES", 60 * 8 * 64)
    store = filled(tmp_path / "cells", modalities())
    assert store.collated("ngrams") is None, "each of 60 texts would have as many n-grams as the longest"
    assert store.collated("columns") is not None
    store.close()
    state = {"size": 8, "channels": 3, "mean": [0.0], "std": [1.0], "form": "pixels"}
    image = Image(ImageConfig(column="photo", size=8), state, Roots())
    assert image.augments
    assert not any(modality.augments for modality in modalities().values())


def test_cells_that_are_stored_in_place_of_samples_are_not_collated(tmp_path: Path) -> None:
    given = modalities()
    store = Store(tmp_path / "cells", {"ngrams": given["ngrams"]}, max_bytes=100)
    store.fill(open_source(ROWS), lambda _: None)
    assert store.collated("ngrams") is None
    store.close()
