"""The weights of a model: its parts (the network, its boosted trees, and its further networks), and their half precision in files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

_LARGE = 2**16
"""The number of values from which a tensor may be stored in half precision."""
_LARGEST = 6e4
"""Above this absolute value, half precision has no numbers."""


def halved(value: Tensor) -> Tensor:
    """Return a float32 tensor with its values rounded to half precision, to 11 binary digits; unchanged if a value is too large for it."""
    return value.half().float() if value.dtype == torch.float32 and bool((value.abs() < _LARGEST).all()) else value


def kept(model: nn.Module) -> dict[str, Tensor]:
    """Return a copy of the weights of a trained model, on the CPU. Large tables of embeddings are rounded to half precision, in which they
    are stored: the attribute ``halved`` of a module contains the names of such parameters."""
    tables = {f"{at}.{name}".lstrip(".") for at, module in model.named_modules() for name in getattr(module, "halved", ())}
    copies = {name: value.detach().cpu().clone(memory_format=torch.contiguous_format) for name, value in model.state_dict().items()}
    return {name: halved(value) if name in tables else value for name, value in copies.items()}


def stored(value: Tensor) -> Tensor:
    """Return a tensor as a file contains it: in half precision if it is large and nothing is lost."""
    is_large = value.dtype == torch.float32 and value.numel() >= _LARGE
    return half if is_large and torch.equal((half := value.half()).float(), value) else value


def restored(value: Tensor) -> Tensor:
    """Return a tensor of a file as a model contains it: in float32 if it was stored in half precision."""
    return value.float() if value.dtype == torch.float16 else value


def below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors whose names begin with ``prefix``, with the prefix removed from the names."""
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


@dataclass(frozen=True)
class Parts:
    """The weights of a model in parts, each by the names that it has by itself.

    :param network: those of the network, with the vote weights
    :param trees: those of its boosted trees; empty = none
    :param further: those of each further network
    """

    network: Mapping[str, Tensor]
    trees: Mapping[str, Tensor]
    further: Sequence[Mapping[str, Tensor]]

    @classmethod
    def of(cls, weights: Mapping[str, Tensor]) -> Parts:
        """Return the parts of a ``state_dict``.

        :raises ValueError: the further networks are not numbered from 0 on
        """
        network, trees, further = {}, {}, dict[str, dict[str, Tensor]]()
        for name, value in weights.items():
            head, _, rest = name.partition(".")
            if head == "trees":
                trees[rest] = value
            elif head == "further":
                number, _, rest = rest.partition(".")
                further.setdefault(number, {})[rest] = value
            else:
                network[name] = value
        if set(further) != set(map(str, range(len(further)))):
            raise ValueError(f"further networks {', '.join(further)}; expected 0 to {len(further) - 1}")
        return cls(network, trees, [further[str(number)] for number in range(len(further))])
