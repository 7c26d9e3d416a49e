"""Small networks are computed by one thread, whatever the number of threads of torch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import polymodal as pm
from polymodal.model import MultiModalModel
from polymodal.threads import threads_for, using


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def model_of(width: int) -> MultiModalModel:
    return MultiModalModel(nn.Linear(8, width), nn.Linear(8, width), fusion="concat", outputs=1, width=width)


def test_a_small_network_is_computed_by_one_thread_and_a_large_one_by_all() -> None:
    for model in (model_of(32), model_of(2_048)):
        model(torch.zeros(1, 8), torch.zeros(1, 8))  # infers the widths
        dense = sum(one.numel() for one in model.parameters())
        assert threads_for(model, 0.0) == (1 if dense < 1e6 else 2)
        assert threads_for(model, 1e6) == 2


def test_the_cost_of_cells_and_a_large_batch_count() -> None:
    model = nn.ModuleDict({"head": nn.Linear(999, 1, bias=False)})
    assert threads_for(model, 998_000.0) == 1
    assert threads_for(model, 999_001.0) == 2
    assert threads_for(model, 400_000.0, rows=128) == threads_for(model, 400_000.0, rows=32) == 1
    assert threads_for(model, 400_000.0, rows=512) == 2


def test_embeddings_and_what_is_attached_later_do_not_count() -> None:
    looked_up = nn.ModuleDict({"bag": nn.EmbeddingBag(100_000, 32), "ids": nn.Embedding(100_000, 32), "head": nn.Linear(32, 2)})
    assert threads_for(looked_up, 0.0) == 1
    attached = nn.ModuleDict(
        {"head": nn.Linear(32, 2), "further": nn.ModuleList([nn.Linear(2_000, 2_000)]), "trees": nn.Linear(2_000, 2_000)}
    )
    assert threads_for(attached, 0.0) == 1
    assert threads_for(nn.ModuleDict({"other": nn.Linear(2_000, 2_000)}), 0.0) == 2


def test_the_number_of_threads_is_restored_even_after_an_error() -> None:
    with using(1):
        assert torch.get_num_threads() == 1
        with using(1):
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2
    with pytest.raises(KeyError), using(1):
        raise KeyError
    assert torch.get_num_threads() == 2


def test_a_run_of_columns_and_texts_has_the_same_bits_on_one_thread_and_on_two(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"x": rng.normal(size=120), "name": [f"word{at} of {at % 7}" for at in rng.integers(0, 40, 120)]})
    table["y"] = np.where(table["x"] + rng.normal(0, 0.3, 120) > 0, "yes", "no")
    table.to_csv(tmp_path / "table.csv", index=False)
    files = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        model = pm.train(tmp_path / "table.csv", "training.epochs=2", "data.split.folds=2", target="y", out=tmp_path / f"run_{threads}")
        assert torch.get_num_threads() == threads
        bundle = tmp_path / f"run_{threads}" / "bundle"
        weights = {path.name: path.read_bytes() for path in sorted(bundle.rglob("*.safetensors"))}
        files.append((weights, model.predict_proba(table).tolist()))
    assert files[0][0]
    assert files[0] == files[1]
