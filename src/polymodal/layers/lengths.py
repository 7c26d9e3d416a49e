"""Encodes texts of different lengths with little padding."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from ..flow import Features

_SHORTER = 0.75
"""A text of at most this share of the length of the longest one in a group begins another group."""
_FEWEST = 4
"""The minimum number of texts in a group: the cost of a smaller one is not that of its tokens."""


def by_length(encode: Callable[[Mapping[str, Tensor]], Features], values: Mapping[str, Tensor]) -> Features:
    """Encode texts in groups of similar length, each padded only to its longest text.

    The result is that of ``encode`` for all texts together, except for rounding and for masked tokens. The groups depend on all texts of
    the batch, so that this is not used in prediction, whose results must not depend on the other rows to the last bit.

    :param encode: a function from texts (U, L) to their features (U, L, D), or to one token for each text (U, 1, D)
    :param values: ``ids`` (U, L), 0 = padding, and other values of the texts, (U, ...)
    """
    ids_UL = values["ids"]
    places_L = torch.arange(1, ids_UL.shape[1] + 1, device=ids_UL.device)
    lengths_U = torch.where(ids_UL > 0, places_L, 0).amax(1).clamp(min=1)
    sorted_U, order_U = lengths_U.sort(descending=True, stable=True)
    lengths = sorted_U.tolist()
    starts = _starts(lengths)
    parts = []
    for start, end in zip(starts, [*starts[1:], len(lengths)], strict=True):
        length, group = lengths[start], order_U[start:end]
        parts.append(encode({name: value[group][:, :length] if value.dim() == 2 else value[group] for name, value in values.items()}))
    longest = max(part.tokens_BLD.shape[1] for part in parts)
    tokens = [functional.pad(part.tokens_BLD, (0, 0, 0, longest - part.tokens_BLD.shape[1])) for part in parts]
    masks = [functional.pad(part.mask_BL, (0, longest - part.mask_BL.shape[1])) for part in parts]
    back_U = order_U.argsort()
    return Features(torch.cat(tokens)[back_U], torch.cat(masks)[back_U])


def _starts(lengths: Sequence[int]) -> list[int]:
    """Return the positions at which groups start.

    :param lengths: the lengths of all texts, the longest first
    """
    starts = [0]
    for at, length in enumerate(lengths):
        large_enough = at - starts[-1] >= _FEWEST and len(lengths) - at >= _FEWEST
        if large_enough and length <= _SHORTER * lengths[starts[-1]]:
            starts.append(at)
    return starts
