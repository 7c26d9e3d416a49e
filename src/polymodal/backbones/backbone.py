"""The base class of backbones (pretrained networks), and the checks of the facts that describe them.

Facts are plain JSON data in the state of a field, so that a network of a bundle is built without the folder that it was read from.

Shapes: ``U`` distinct cells, ``B`` the same, ``L`` tokens, ``D`` the backbone's own width.
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
"""``library``, ``model`` (its name in the config), ``width`` (D), ``pool``, ``cost`` of a cell in multiply-adds, ``sha256`` of the weights,
and facts that the library requires."""


@dataclass(frozen=True)
class BackboneOptions:
    """The settings of a backbone in a config. ``size`` is in pixels, and ``max_tokens`` is the limit for one text; None = the model's
    own."""

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
_MOST_ADDITIONAL = 2**26
"""The number of values that a network may allocate in addition to those stored in a bundle: of another tower, and of computed tables."""
_CODE = re.compile(r"auto_map|attn_implementation|experts_implementation|quantization|pretrained_backbone|backbone|timm|trust")


class Backbone(nn.Module, ABC):
    """The base class of backbones: ``Mapping[str, Tensor] -> Features`` of its own width.

    Batch normalisation always uses the pretrained statistics, so that no cell depends on the others of its batch.
    """

    width: int
    pool: str

    def forward(self, values: Mapping[str, Tensor]) -> Features:
        """Return the pooled tokens (U, L, D) of the tensors of a field; L = 1 unless ``pool`` is "tokens"."""
        tokens, pooled = self.encode(values)
        return pooled_by(self.pool, tokens, pooled)

    @abstractmethod
    def encode(self, values: Mapping[str, Tensor]) -> tuple[Features, Tensor | None]:
        """Return all tokens, and the vector (U, D) of the network's own pooling; None if it has none."""

    @abstractmethod
    def load(self, download: bool) -> None:
        """Load the pretrained weights; nothing is loaded if the facts state random weights.

        :param download: whether files may be downloaded
        :raises ConfigError: the weights cannot be found, or are no longer those that the facts describe
        """

    @abstractmethod
    def depths(self) -> Iterator[tuple[nn.Parameter, int]]:
        """Yield each parameter with the number of blocks between it and the output; 0 for the last block."""

    def train(self, mode: bool = True) -> Backbone:
        """Set the training mode of all modules except batch normalisation."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, _BatchNorm):
                module.eval()
        return self


def pooled_by(pool: str, tokens: Features, pooled: Tensor | None) -> Features:
    """Pool the tokens of each cell to one vector; "tokens" returns them unchanged.

    :param pool: one of ``POOLS``
    :param tokens: all tokens (B, L, D)
    :param pooled: the vector (B, D) of the network's own pooling; None if it has none
    """
    if pool == "tokens":
        return tokens
    mask_BL1 = tokens.mask_BL.unsqueeze(-1)
    mean_BD = torch.where(mask_BL1, tokens.tokens_BLD, torch.zeros_like(tokens.tokens_BLD)).sum(1) / mask_BL1.sum(1).clamp(min=1)
    parts = {"mean": [mean_BD], "first": [tokens.tokens_BLD[:, 0]], "first_and_mean": [tokens.tokens_BLD[:, 0], mean_BD]}
    if pooled is not None:
        parts |= {"pooler": [pooled], "pooler_and_mean": [pooled, mean_BD]}
    return Features.vector(torch.cat(parts[pool], 1))


def cost_of(network: nn.Module, tokens: float) -> float:
    """Return the approximate number of multiply-adds for a cell: the number of weights, without embeddings, times the number of tokens."""
    tables = {id(module.weight) for module in network.modules() if isinstance(module, nn.Embedding)}
    return tokens * sum(parameter.numel() for parameter in network.parameters() if id(parameter) not in tables)


def width_of(pool: str, width: int) -> int:
    """Return the width of the pooled vector, given the width of the network's tokens."""
    return 2 * width if pool.endswith("_and_mean") else width


def plain(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a library's config without settings that load code, weights or kernels from other places, or that state its origin."""
    dropped = ("_name_or_path", "transformers_version", "architectures", "torch_dtype", "dtype")
    return {
        key: plain(value) if isinstance(value, Mapping) else value
        for key, value in config.items()
        if key not in dropped and not _CODE.search(key)
    }


def check_plain(config: Any) -> None:
    """Check the config of a library.

    :raises ValueError: ``plain`` cannot have made it, or its numbers are larger than those of any network
    """
    left, waiting = _NODES, [config]
    while waiting:
        node = waiting.pop()
        left -= 1
        if left < 0:
            raise ValueError("a backbone with too many settings")
        if isinstance(node, Mapping):
            for key, value in node.items():
                if not isinstance(key, str) or _CODE.search(key):
                    raise ValueError(f"a backbone with the setting {key!r}")
                if ("layers" in key or "depth" in key) and type(value) is int and value > _DEEPEST:
                    raise ValueError(f"a backbone with {key} = {value:,}; expected at most {_DEEPEST:,}")
                if key == "model_type" and "timm" in str(value):
                    raise ValueError(f"a backbone of the type {value!r}, which may download its parts")
                if key == "num_labels" and (type(value) is not int or not 0 <= value <= _MOST_LABELS):
                    raise ValueError(f"a backbone of {str(value)[:40]} labels; expected at most {_MOST_LABELS:,}")
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node
        elif type(node) is int and abs(node) > _LARGEST:
            raise ValueError(f"a backbone with a setting of {node:,}")


@contextmanager
def bounded_parts() -> Iterator[None]:
    """Limit the number of modules of a network that is built in the context, whatever setting determines it.

    :raises ValueError: there are more modules than in any known network
    """
    count = 0

    def counted(*_: Any) -> None:
        nonlocal count
        count += 1
        if count > _MOST_MODULES:
            raise ValueError(f"a backbone of more than {_MOST_MODULES:,} modules")

    hook = register_module_module_registration_hook(counted)
    try:
        yield
    finally:
        hook.remove()


def check_allocation(whole: nn.Module, part: nn.Module) -> None:
    """Check that building ``whole`` does not allocate much more than the weights of ``part``, whose size is compared with that of a file.

    :raises ValueError: it allocates too many values
    """
    own = sum(value.numel() for value in part.state_dict().values())
    allocated = sum(value.numel() for value in (*whole.parameters(), *whole.buffers()))
    if allocated - own > 8 * own + _MOST_ADDITIONAL:
        raise ValueError(f"a backbone of {own:,} weights that allocates {allocated - own:,} other values")
