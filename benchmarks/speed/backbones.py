"""Pretrained networks: an epoch with cached features compared with one that computes them, and the arithmetic of a training step compared
with a matrix product. The networks have random weights and the sizes of real ones; nothing is downloaded."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from speed.tables import pictures_and_text
from speed.timing import Epochs, Figure, figure, interleaved
from torch import nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

import polymodal as pm
from polymodal.encoders import TextTransformerConfig
from polymodal.flow import Field
from polymodal.training.events import Event, StepEvent
from polymodal.training.observers import Observer

_SIDE = 224


def saved_vit(folder: Path, layers: int = 12, width: int = 384) -> Path:
    """Save a vision transformer with random weights, of the size of ViT-S/16, and return its folder."""
    from transformers import ViTConfig, ViTImageProcessor, ViTModel

    torch.manual_seed(0)
    config = ViTConfig(
        hidden_size=width, num_hidden_layers=layers, num_attention_heads=width // 64, intermediate_size=4 * width, image_size=_SIDE
    )  # fmt: skip
    ViTModel(config).save_pretrained(folder)
    ViTImageProcessor(size={"height": _SIDE, "width": _SIDE}).save_pretrained(folder)
    return folder


class Began(Observer):
    """Remembers when the first step of training ended."""

    def __init__(self) -> None:
        self.at: float | None = None

    def observe(self, event: Event) -> None:
        """Note the time at which the first step ended."""
        if self.at is None and isinstance(event, StepEvent):
            self.at = time.perf_counter()


def cached_features(quick: bool) -> Figure:
    """Return the seconds of an epoch that computes the features of a frozen network, divided by those of one that reads them."""
    rows, repeats = (40, 1) if quick else (160, 3)
    with tempfile.TemporaryDirectory() as name:
        folder = saved_vit(Path(name) / "vit", *((2, 64) if quick else ()))
        times: dict[str, list[tuple[float, float | None]]] = {"computed": [], "cached": [], "run": []}
        for repeat in range(repeats):
            table = pictures_and_text(rows, seed=repeat)  # other pictures, whose features are in no cache
            settings = (
                "model.encoders.picture.kind=pretrained", f"model.encoders.picture.model={folder}", "training.epochs=6",
                "training.patience=6", "training.baselines=false", "data.split.kind=random", "data.features_gb=0",
            )  # fmt: skip
            seen, began, begin = Epochs(), Began(), time.perf_counter()
            pm.train(table, *settings, target="y", observers=[began, seen])
            run = time.perf_counter() - begin
            assert began.at is not None
            epoch = float(np.median(seen.seconds[1:] or seen.seconds))
            times["computed"].append((began.at - begin + epoch, None))
            times["cached"].append((epoch, None))
            times["run"].append((run, None))
    facts = {"whole run": float(np.median([one[0] for one in times["run"]]))}
    name = "frozen ViT-S/16: an epoch that computes features / an epoch with cached features"
    return figure(name, times, "computed", "cached", least=100.0, facts=facts)


class Both(nn.Module):
    """A ResNet-18 and a text transformer of six layers, whose features are concatenated."""

    def __init__(self) -> None:
        super().__init__()
        from transformers import ResNetConfig, ResNetModel

        config = ResNetConfig(layer_type="basic", hidden_sizes=[64, 128, 256, 512], depths=[2, 2, 2, 2])
        self.pictures = ResNetModel(config)
        self.texts: Any = TextTransformerConfig(depth=6, hidden=256).build(256, {"vocabulary": 8_000, "max_tokens": 64})
        self.head = nn.Linear(512 + 256, 1)

    def forward(self, pixels_BCHW: torch.Tensor, field: Field) -> torch.Tensor:
        """Return a logit for each row (B,).

        :param pixels_BCHW: pictures, float32 (B, 3, H, W) from 0 to 1
        :param field: texts, with ``ids`` int64 (B, L) of tokens, 0 = padding
        """
        picture_BD = self.pictures(pixels_BCHW).pooler_output.flatten(1)
        tokens = self.texts(field)
        return self.head(torch.cat([picture_BD, tokens.tokens_BLD.mean(1)], 1)).squeeze(1)


def arithmetic(quick: bool) -> Figure:
    """Return the rate of floating-point operations of a training step, divided by that of a matrix product."""
    batch, side, repeats = (4, 64, 1) if quick else (32, 128, 5)
    torch.manual_seed(0)
    model = Both().train()
    model = model.to(memory_format=torch.channels_last)
    pixels = torch.rand(batch, 3, side, side).contiguous(memory_format=torch.channels_last)
    field = Field({"ids": torch.randint(2, 8_000, (batch, 64))}, torch.ones(batch, dtype=torch.bool))
    target = torch.rand(batch).round()
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    size = 256 if quick else 2_048
    left, right = torch.rand(size, size), torch.rand(size, size)

    def step() -> None:
        functional.binary_cross_entropy_with_logits(model(pixels, field), target).backward()
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)

    counter = FlopCounterMode(display=False)
    with counter:
        step()
    operations = {"product": 2.0 * size**3 * 4, "step": float(counter.get_total_flops())}
    times = interleaved({"product": lambda: [left @ right for _ in range(4)], "step": step}, repeats)
    rates = {side: [(work / one[0], None) for one in times[side]] for side, work in operations.items()}
    per_second = {side: float(np.median([one[0] for one in of_side])) for side, of_side in rates.items()}
    seconds = {side: {"wall": float(np.median([one[0] for one in of_side])), "cpu": None} for side, of_side in times.items()}
    facts = {"operations of a step": operations["step"], "per second": per_second, "seconds": seconds}
    name = "ResNet-18 and a text transformer: operations per second of a step / of a matrix product"
    return figure(name, rates, "step", "product", least=0.6, facts=facts)


def measure(quick: bool = False) -> list[Figure]:
    """Return the ratio for frozen features, and that for the arithmetic of a step.

    :param quick: whether to use small networks once, which only shows that everything runs
    """
    return [cached_features(quick), arithmetic(quick)]
