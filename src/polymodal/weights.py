"""The weights of a model by its parts: the network, its boosted trees, and its further networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor


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
