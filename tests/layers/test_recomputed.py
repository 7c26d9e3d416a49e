"""Blocks that compute their activations again have gradients of the same bits, and keep less memory for the backward pass."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import polymodal as pm
from polymodal.flow import Features
from polymodal.layers.recomputed import Recomputed, recompute
from polymodal.layers.residual import Residual
from polymodal.layers.transformer import Transformer


def kept(model: nn.Module, loss: Callable[[nn.Module], Tensor]) -> tuple[int, list[Tensor]]:
    """Return the bytes that are kept for the backward pass, and the gradient."""
    total = 0

    def keep(tensor: Tensor) -> Tensor:
        nonlocal total
        total += tensor.nbytes
        return tensor

    model.zero_grad()
    torch.manual_seed(1)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        value = loss(model)
    value.backward()
    return total, [parameter.grad.clone() for parameter in model.parameters() if parameter.grad is not None]


def tokens(model: Any) -> Tensor:
    torch.manual_seed(2)
    features = Features(torch.randn(4, 10, 32), torch.arange(10).expand(4, 10) < torch.tensor([[10], [3], [1], [0]]))
    out: Tensor = model(features).tokens_BLD.square().sum()
    return out


def grids(model: Any) -> Tensor:
    torch.manual_seed(2)
    out: Tensor = model(torch.randn(2, 8, 16, 16)).square().sum()
    return out


def vit() -> nn.Module:
    from transformers import ViTConfig, ViTModel

    config = ViTConfig(
        hidden_size=16, num_hidden_layers=3, num_attention_heads=2, intermediate_size=32, image_size=32, hidden_dropout_prob=0.1
    )
    return ViTModel(config)  # type: ignore[no-any-return]


def pictures(model: Any) -> Tensor:
    torch.manual_seed(2)
    out: Tensor = model(torch.randn(2, 3, 32, 32)).last_hidden_state.square().sum()
    return out


@pytest.mark.parametrize(
    ("made", "loss", "blocks", "share"),
    [
        (lambda: Transformer(32, 4, 2, 0.1), tokens, 4, 0.1),
        (lambda: nn.Sequential(Residual(8, 8, 1), Residual(8, 16, 2)), grids, 2, 0.5),
        (vit, pictures, 1, 0.7),
    ],
    ids=["transformer", "convolutions", "transformers library"],
)
def test_the_gradient_has_the_same_bits_for_less_memory(
    made: Callable[[], nn.Module], loss: Callable[[nn.Module], Tensor], blocks: int, share: float
) -> None:
    torch.manual_seed(0)
    model = made().train()
    before, expected = kept(model, loss)
    assert recompute(model) == blocks
    after, gradient = kept(model, loss)
    assert after < share * before
    assert len(gradient) == len(expected)
    assert all(torch.equal(one, other) for one, other in zip(gradient, expected, strict=True))


def test_the_random_state_of_every_device_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """``checkpoint`` finds the devices by the tensors among its arguments, not by those inside of them."""
    seen: list[Any] = []

    def spy(function: Any, *arguments: Any, **named: Any) -> Any:
        seen.extend(arguments)
        return checkpoint(function, *arguments, **named)

    monkeypatch.setattr("polymodal.layers.recomputed.checkpoint", spy)
    model = Transformer(32, 2, 2, 0.1).train()
    recompute(model)
    tokens(model).backward()
    assert len(seen) == 4
    assert all(isinstance(one, Tensor) for one in seen)


def test_nothing_is_computed_again_in_predictions() -> None:
    class Counted(Recomputed):
        calls = 0

        def forward(self, x: Tensor) -> Tensor:
            self.calls += 1
            return x * x

    block = Counted()
    recompute(block)
    x = torch.ones(2, requires_grad=True)
    block.train()(x).sum().backward()
    assert block.calls == 2
    block.eval()(x).sum().backward()
    assert block.calls == 3
    with torch.no_grad():
        block.train()(x)
    assert block.calls == 4


def test_a_run_has_the_same_bits() -> None:
    rng = np.random.default_rng(0)
    rows = []
    for at in range(40):
        body = io.BytesIO()
        Image.fromarray(rng.integers(0, 255, (16, 16, 3), dtype=np.uint8)).save(body, "PNG")
        rows.append({"photo": body.getvalue(), "text": f"a {'red' if at % 2 else 'blue'} thing {at}", "y": "ab"[at % 2]})
    settings = ("training.epochs=2", "training.baselines=false", "data.split.kind=random", "model.encoders.text.kind=text_transformer",
                "model.fusion.kind=cross_attention")  # fmt: skip
    usual = pm.train(rows, *settings, target="y")
    less = pm.train(rows, *settings, "training.checkpoint_activations=true", target="y")
    np.testing.assert_array_equal(usual.predict_proba(rows), less.predict_proba(rows))
