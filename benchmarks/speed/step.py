"""The training step compared with a minimal loop in PyTorch of the same model, and end-to-end training with the same steps in memory."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import torch
from speed.tables import pictures_and_text
from speed.timing import Figure, figure, interleaved
from torch.nn import functional

from polymodal.allocator import keep_freed_memory
from polymodal.data.loader import Loader
from polymodal.data.sources import open_source
from polymodal.data.store import Store
from polymodal.encoders import BagConfig, ConvnetConfig
from polymodal.modalities import Image, ImageConfig, Roots, Text, TextConfig
from polymodal.model import ModelConfig, MultiModalModel, build
from polymodal.tasks import BinaryConfig
from polymodal.training.config import TrainingConfig
from polymodal.training.observers import Observer
from polymodal.training.progress import Validated
from polymodal.training.trainer import Trainer


def measure(quick: bool = False) -> list[Figure]:
    """Return the ratios of times of an epoch."""
    rows, repeats = (128, 1) if quick else (960, 7)
    keep_freed_memory()  # as every training does; the loop by hand gains as much
    table = pictures_and_text(rows)
    with tempfile.TemporaryDirectory() as name:
        source = open_source(table)
        config, text_config = ImageConfig(column="picture"), TextConfig(column="text")
        text_encoder = BagConfig()
        modalities = {
            "picture": Image(config, Image.fit(config, table["picture"][:50], "pixels", {}, Roots()), Roots()),
            "text": Text(text_config, Text.fit(text_config, table["text"], "ngrams", text_encoder.needs("ngrams"), Roots()), Roots()),
        }
        store = Store(Path(name) / "cells", modalities)
        store.fill(source, lambda _: None)
        task_config = BinaryConfig(column="y")
        task = task_config.task()(task_config, task_config.task().fit(task_config, table["y"], "y"))
        target = np.stack([task.encode(cell) for cell in table["y"]])
        loader = Loader(store, np.arange(rows), {"y": target}, None, batch_size=32)
        states = {name: modality.state for name, modality in modalities.items()}

        def model() -> MultiModalModel:
            torch.manual_seed(0)
            return build(ModelConfig(encoders={"picture": ConvnetConfig(), "text": text_encoder}), states, {"y": task})

        trainer = Trainer(
            "speed", model(), {"y": task}, loader, lambda: Validated({}), TrainingConfig(auxiliary=0.0), epochs=1_000, seed=0,
            device=torch.device("cpu"), precision=torch.float32, observer=Observer(),
        )  # fmt: skip
        steps = list(loader.epoch(1))
        plain = model().train()
        optimiser = torch.optim.AdamW(plain.parameters(), lr=1e-3, fused=True)

        def by_hand() -> None:
            for step in steps:
                part = step.parts[0]
                output = plain(part.fields["picture"], part.fields["text"])
                loss = functional.binary_cross_entropy_with_logits(output.logits["y"], part.targets["y"])
                loss.backward()
                torch.nn.utils.clip_grad_norm_(plain.parameters(), 1.0)
                optimiser.step()
                optimiser.zero_grad(set_to_none=True)

        def in_memory() -> None:
            for step in steps:
                trainer.train_step(step, 1)

        def from_store() -> None:
            for step in loader.epoch(2):
                trainer.train_step(step, 2)

        times = interleaved({"by hand": by_hand, "in memory": in_memory, "from the store": from_store}, repeats)
        store.close()
    return [
        figure("a minimal loop of the same model / the training step", times, "by hand", "in memory", least=0.97),
        figure("steps in memory / an epoch with reading and augmentation", times, "in memory", "from the store", least=0.95),
    ]
