"""A network that was trained elsewhere: the facts that describe it, and the tokens it gives.

Facts are plain JSON and travel in a field's state, so a bundle builds the network again without the folder that it came from.
Shapes: ``U`` distinct cells, ``L`` tokens, ``D`` the backbone's own width.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.module import register_module_module_registration_hook

from ..flow import Features, Form

Facts = dict[str, Any]
"""``library``, ``model`` (as it was asked for), ``width`` (D), ``pool``, ``cost`` of a cell in multiply-adds, ``sha256`` of the weights,
and what the library needs."""


@dataclass(frozen=True)
class BackboneOptions:
    """What a config asks of a backbone. ``size`` in pixels, ``max_tokens`` of one text; None = the model's own."""

    model: str
    form: Form
    pool: str = "auto"
    weights: Literal["usual", "random"] = "usual"
    revision: str | None = None
    download: bool = False
    max_tokens: int | None = None
    size: int | None = None


POOLS = ("mean", "first", "first_and_mean", "pooler", "pooler_and_mean", "tokens")
_LARGEST, _DEEPEST, _NODES = 2**24, 512, 20_000
_MOST_MODULES, _MOST_LABELS = 20_000, 2**16
_MOST_BESIDE = 2**26
"""Numbers that a network may make beside those that a bundle holds of it: of another tower, and of tables that are computed."""
_CODE = re.compile(r"auto_map|attn_implementation|experts_implementation|quantization|pretrained_backbone|backbone|timm|trust")


class Backbone(nn.Module, ABC):
    """``Mapping[str, Tensor] -> Features`` of its own width. Batch norms stay as they were trained: nothing mixes cells."""

    width: int
    pool: str

    def forward(self, values: Mapping[str, Tensor]) -> Features:
        """The named tensors of a field -> (U, L, D) and a mask; L = 1 unless ``pool`` is "tokens"."""
        tokens, pooled = self.encode(values)
        return pooled_by(self.pool, tokens, pooled)

    @abstractmethod
    def encode(self, values: Mapping[str, Tensor]) -> tuple[Features, Tensor | None]:
        """All tokens, and the vector (U, D) that the network itself makes of them, if it does."""

    @abstractmethod
    def load(self, download: bool) -> None:
        """Take the weights from where the facts say (none where they say "random"); ``ConfigError`` where they are not there, or are other
        ones by now."""

    @abstractmethod
    def depths(self) -> Iterator[tuple[nn.Parameter, int]]:
        """Each parameter and how many blocks lie between it and the end: 0 for the last one."""

    def train(self, mode: bool = True) -> Backbone:
        """Training mode for all but batch norms."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, _BatchNorm):
                module.eval()
        return self


def pooled_by(pool: str, tokens: Features, pooled: Tensor | None) -> Features:
    """One vector a cell, by name of the way; "tokens" keeps all."""
    if pool == "tokens":
        return tokens
    mask_BL1 = tokens.mask_BL.unsqueeze(-1)
    mean_BD = torch.where(mask_BL1, tokens.tokens_BLD, torch.zeros_like(tokens.tokens_BLD)).sum(1) / mask_BL1.sum(1).clamp(min=1)
    parts = {"mean": [mean_BD], "first": [tokens.tokens_BLD[:, 0]], "first_and_mean": [tokens.tokens_BLD[:, 0], mean_BD]}
    if pooled is not None:
        parts |= {"pooler": [pooled], "pooler_and_mean": [pooled, mean_BD]}
    return Features.vector(torch.cat(parts[pool], 1))


def cost_of(network: nn.Module, tokens: float) -> float:
    """About how many multiply-adds a cell of so many tokens takes: each weight once a token, but for tables of embeddings."""
    tables = {id(module.weight) for module in network.modules() if isinstance(module, nn.Embedding)}
    return tokens * sum(parameter.numel() for parameter in network.parameters() if id(parameter) not in tables)


def width_of(pool: str, width: int) -> int:
    """The width of what ``pool`` leaves."""
    return 2 * width if pool.endswith("_and_mean") else width


def plain(config: Mapping[str, Any]) -> dict[str, Any]:
    """A library's own config without what would load code, weights or kernels from elsewhere, or says who made it."""
    dropped = ("_name_or_path", "transformers_version", "architectures", "torch_dtype", "dtype")
    return {
        key: plain(value) if isinstance(value, Mapping) else value
        for key, value in config.items()
        if key not in dropped and not _CODE.search(key)
    }


def check_plain(config: Any) -> None:
    """``ValueError`` for a config that ``plain`` cannot have made, or whose numbers no network has."""
    left, waiting = _NODES, [config]
    while waiting:
        node = waiting.pop()
        left -= 1
        if left < 0:
            raise ValueError("a backbone of too many settings")
        if isinstance(node, Mapping):
            for key, value in node.items():
                if not isinstance(key, str) or _CODE.search(key):
                    raise ValueError(f"a backbone with the setting {key!r}")
                if ("layers" in key or "depth" in key) and type(value) is int and value > _DEEPEST:
                    raise ValueError(f"a backbone of {key} = {value:,}")
                if key == "model_type" and "timm" in str(value):
                    raise ValueError(f"a backbone of the type {value!r}, which may fetch what it is made of")
                if key == "num_labels" and (type(value) is not int or not 0 <= value <= _MOST_LABELS):
                    raise ValueError(f"a backbone of {str(value)[:40]} labels")
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node
        elif type(node) is int and abs(node) > _LARGEST:
            raise ValueError(f"a backbone with a setting of {node:,}")


@contextmanager
def bounded_parts() -> Iterator[None]:
    """``ValueError`` where a network is built of more modules than any has, whatever the setting is called that asks for them."""
    count = 0

    def counted(*_: Any) -> None:
        nonlocal count
        count += 1
        if count > _MOST_MODULES:
            raise ValueError(f"a backbone of more than {_MOST_MODULES:,} parts")

    hook = register_module_module_registration_hook(counted)
    try:
        yield
    finally:
        hook.remove()


def check_beside(whole: nn.Module, part: nn.Module) -> None:
    """``ValueError`` where building ``whole`` takes much that is not among the weights of ``part``, which are compared with a file's."""
    own = sum(value.numel() for value in part.state_dict().values())
    made = sum(value.numel() for value in (*whole.parameters(), *whole.buffers()))
    if made - own > 8 * own + _MOST_BESIDE:
        raise ValueError(f"a backbone of {own:,} weights that makes {made - own:,} numbers beside them")
