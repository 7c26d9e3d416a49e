"""Half precision in files: what is rounded, what is stored in it, and that nothing else changes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

import polymodal as pm
from polymodal.weights import halved, kept, restored, stored


class Table(nn.Module):
    halved = ("weight",)

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.linspace(-1, 1, 2**17).view(-1, 64))
        self.bias = nn.Parameter(torch.tensor([1 / 3]))


def test_tables_are_rounded_and_other_weights_are_not() -> None:
    table = Table()
    model = nn.Sequential(nn.Linear(3, 3), table)
    weights = kept(model)
    assert torch.equal(weights["1.weight"], table.weight.detach().half().float())
    assert not torch.equal(weights["1.weight"], table.weight)
    assert (weights["1.weight"] - table.weight).abs().max() <= 2**-12
    for name in ("0.weight", "0.bias", "1.bias"):
        assert torch.equal(weights[name], model.state_dict()[name])
        assert weights[name].data_ptr() != model.state_dict()[name].data_ptr(), "a copy"


def test_only_what_loses_nothing_is_stored_in_half_precision() -> None:
    values = torch.linspace(-1, 1, 2**16)
    assert stored(halved(values)).dtype == torch.float16
    assert torch.equal(restored(stored(halved(values))), halved(values))
    for value in (values, values[:100].half().float(), values.double(), torch.arange(2**16), torch.full((2**16,), 1e6)):
        assert stored(value) is value
        assert restored(value) is value
    large = values.clone()
    large[3] = 1e5
    assert halved(large) is large, "half precision has no such number"


def test_a_bundle_stores_tables_of_ngrams_in_half_precision_and_predicts_the_same(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    words = [f"word{at}" for at in range(300)]
    rows = [{"text": " ".join(rng.choice(words, 8)), "y": "ab"[at % 2]} for at in range(240)]
    model = pm.train(rows, "training.epochs=1", "training.baselines=false", "data.split.kind=random", target="y", out=tmp_path / "run")
    tensors = load_file(tmp_path / "run" / "bundle" / "weights.safetensors")
    halves = {name for name, value in tensors.items() if value.dtype == torch.float16}
    tables = {name for name in tensors if name.endswith(("embed.weight", "summaries.0.matrix"))}
    assert halves == tables
    assert any(name.endswith("embed.weight") for name in halves)
    assert any(name.endswith("matrix") for name in halves)
    loaded = pm.load(tmp_path / "run")
    np.testing.assert_array_equal(loaded.predict_proba(rows), model.predict_proba(rows))
    assert {value.dtype for value in loaded.bundle.members[0].state_dict().values()} >= {torch.float32}
    assert torch.float16 not in {value.dtype for value in loaded.bundle.members[0].state_dict().values()}
    assert list((tmp_path / "run" / "checkpoints").glob("*.safetensors")) == [], "a finished run has no checkpoints"


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_not_finite_are_not_rounded(value: float) -> None:
    tensor = torch.full((4,), value)
    assert halved(tensor) is tensor
