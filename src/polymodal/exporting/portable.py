"""Modules of a trained model in a form that every exchange format can represent: without branches that depend on values, without sorted
search, and without whole numbers of more than 32 bits.

Each replacement computes the same function of float32 inputs; sums may be rounded differently.

Shapes: ``B`` rows, ``U`` distinct cells, ``L`` n-grams of a cell, ``K`` numbers of a row, ``M`` nodes or known texts, ``T`` trees, ``C``
outputs of a task.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import copy
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from ..flow import Field
from ..trees.boosted import BoostedTrees
from ..trees.ensemble import Trees
from ..trees.repeats import Repeats
from ..trees.start import WIDEST, Start
from ..trees.summaries import OfNgrams

Kind = TypeVar("Kind", bound=nn.Module)
_DIGIT_BITS, _DIGITS = 8, 8
"""A hash of 64 bits consists of eight digits of eight bits, whose sums over a text fit into 32 bits."""


class WeightedSum(nn.Module):
    """The weighted sum of rows of a table, as ``nn.EmbeddingBag`` with ``padding_idx=0`` computes it."""

    table: Tensor

    def __init__(self, table: Tensor) -> None:
        super().__init__()
        self.register_buffer("table", table.detach().clone())

    def forward(self, ids_UL: Tensor, per_sample_weights: Tensor) -> Tensor:
        """Return the sum of the rows of each cell (U, D).

        :param ids_UL: the numbers of the rows; 0 = none
        :param per_sample_weights: the factor of each row (U, L)
        """
        weights_UL = per_sample_weights * (ids_UL > 0)
        return torch.bmm(weights_UL.unsqueeze(1), self.table[ids_UL]).squeeze(1)


class PortableTrees(nn.Module):
    """The trees of one task, as ``Trees``.

    A float32 number is larger than a float64 threshold if and only if it is larger than the largest float32 number that does not exceed the
    threshold, so that thresholds of float32 send every row to the same leaf. The trees of an output are consecutive; outputs with fewer
    trees have additional ones of a single leaf whose value is 0.
    """

    threshold_M: Tensor
    feature_M: Tensor
    left_M: Tensor
    nan_right_M: Tensor
    value_M: Tensor
    root_T: Tensor

    def __init__(self, trees: Trees, wide: torch.dtype) -> None:
        super().__init__()
        self.depth, self.outputs, self.wide = trees.depth, trees.outputs, wide
        nodes = len(trees.left_M)
        empty = {"feature_M": 0, "left_M": nodes, "limit_M": torch.inf, "value_M": 0.0}
        padded = {name: torch.cat([getattr(trees, name), getattr(trees, name).new_tensor([value])]) for name, value in empty.items()}
        for name in ("feature_M", "left_M"):
            self.register_buffer(name, padded[name].long())
        self.register_buffer("threshold_M", padded["limit_M"])
        self.register_buffer("value_M", padded["value_M"])
        self.register_buffer("nan_right_M", torch.cat([~trees.nan_left_M, trees.nan_left_M.new_zeros(1)]).long())
        roots = [trees.root_T[trees.output_T == output].long() for output in range(trees.outputs)]
        self.register_buffer("root_T", nn.utils.rnn.pad_sequence(roots, batch_first=True, padding_value=nodes).flatten())

    def forward(self, numbers_BK: Tensor) -> Tensor:
        """Return the outputs (B, C) of rows of numbers, NaN = missing."""
        missing_BK = numbers_BK.isnan()
        known_BK = torch.where(missing_BK, torch.zeros_like(numbers_BK), numbers_BK)
        at_BT = self.root_T.unsqueeze(0) + torch.zeros_like(numbers_BK[:, :1]).long()
        for _ in range(self.depth):
            feature_BT = self.feature_M[at_BT]
            right_BT = (known_BK.gather(1, feature_BT) > self.threshold_M[at_BT]).long()
            at_BT = self.left_M[at_BT] + torch.where(missing_BK.gather(1, feature_BT), self.nan_right_M[at_BT], right_BT)
        values_BT = self.value_M[at_BT].to(self.wide)
        return values_BT.view(-1, self.outputs, values_BT.shape[1] // self.outputs).sum(2).float()


class PortableStart(nn.Module):
    """The linear prediction to which trees are added, as ``Start``."""

    center_K: Tensor
    scale_K: Tensor
    weights_KC: Tensor
    bias_C: Tensor

    def __init__(self, start: Start, wide: torch.dtype) -> None:
        super().__init__()
        for name, value in start.named_buffers():
            self.register_buffer(name, value.detach().to(wide))

    def forward(self, numbers_BK: Tensor) -> Tensor:
        """Return the outputs (B, C) of rows of numbers, NaN = missing."""
        known_BK = torch.where(numbers_BK.isnan(), self.center_K.to(numbers_BK.dtype), numbers_BK).to(self.center_K.dtype)
        values_BK = ((known_BK - self.center_K) / self.scale_K).clamp(-WIDEST, WIDEST)
        values_BK = torch.where(numbers_BK.isnan(), torch.zeros_like(values_BK), values_BK)
        return (values_BK @ self.weights_KC + self.bias_C).float()


class PortableRepeats(nn.Module):
    """The mean targets of texts that recur, as ``Repeats``. Hashes are compared digit by digit instead of by binary search."""

    digits_ID: Tensor
    known_MD: Tensor
    means_MC: Tensor

    def __init__(self, repeats: Repeats) -> None:
        super().__init__()
        self.register_buffer("digits_ID", _digits(repeats.codes_D))
        self.register_buffer("known_MD", _digits(repeats.hashes_M))
        self.register_buffer("means_MC", repeats.means_MC.clone())

    def forward(self, ids_UL: Tensor) -> Tensor:
        """Return the means of each cell (U, C); NaN = unknown.

        :param ids_UL: the numbers of the n-grams of each cell, 0 = none
        """
        sums_UD = self.digits_ID[ids_UL].sum(1, dtype=torch.int32)
        carry_U = torch.zeros_like(sums_UD[:, 0])
        same_UM = torch.ones_like(sums_UD[:, :1] >= 0)
        for digit in range(_DIGITS):
            total_U = sums_UD[:, digit] + carry_U
            carry_U = total_U // 2**_DIGIT_BITS
            same_UM = same_UM & ((total_U - carry_U * 2**_DIGIT_BITS).unsqueeze(1) == self.known_MD[:, digit].unsqueeze(0))
        found_U1 = same_UM.any(1, keepdim=True)
        at_U = same_UM.to(torch.int32).argmax(1)
        return torch.where(found_U1, self.means_MC[at_U], torch.full_like(self.means_MC[:1], torch.nan))


class PortableNgrams(nn.Module):
    """The summary of the n-grams of a text, as ``OfNgrams``."""

    def __init__(self, summary: OfNgrams) -> None:
        super().__init__()
        self.sum = WeightedSum(summary.matrix)
        self.repeats = None if summary.repeats is None else PortableRepeats(summary.repeats)

    def forward(self, field: Field) -> Tensor:
        """Return the numbers (U, K)."""
        ids = field.values["ids"]
        numbers = self.sum(ids, field.values["weights"])
        parts = [numbers, (ids > 0).sum(1, keepdim=True).to(numbers.dtype)]
        return torch.cat(parts if self.repeats is None else [*parts, self.repeats(ids)], 1)


class PortableVoter(nn.Module):
    """The vote of boosted trees on each task, as ``BoostedTrees``: both sets of trees are computed for every row."""

    complete_TK: Tensor | None

    def __init__(self, voter: BoostedTrees, wide: torch.dtype) -> None:
        super().__init__()
        self.fields, self.widths = voter.fields, voter.widths
        self.summaries = nn.ModuleList(portable(summary, wide) for summary in voter.summaries)
        self.trees = nn.ModuleList(PortableTrees(trees, wide) for trees in _of(voter.trees, Trees))
        self.robust = nn.ModuleList(PortableTrees(trees, wide) for trees in _of(voter.robust, Trees))
        self.register_buffer("complete_TK", voter.complete_TK)
        starts = zip(voter.starts, _of(voter.starts.values(), Start), strict=True)
        self.starts = nn.ModuleDict({name: PortableStart(start, wide) for name, start in starts})

    summarise = BoostedTrees.summarise

    def forward(self, numbers: Mapping[str, Tensor], present: Mapping[str, Tensor]) -> list[Tensor]:
        """Return the logits of each task (B, C).

        :param numbers: by field, the numbers of each row
        :param present: by field, which rows have it (B,)
        """
        parts = [torch.where(present[name].unsqueeze(1), numbers[name], torch.nan) for name in self.fields]
        numbers_BK = torch.cat(parts, 1)
        votes = [trees(numbers_BK) for trees in self.trees]
        for at, complete_K in enumerate([] if self.complete_TK is None else self.complete_TK):
            lacking_B1 = (numbers_BK.isnan() & complete_K).any(1, keepdim=True)
            votes[at] = torch.where(lacking_B1, self.robust[at](numbers_BK), votes[at])
        return [vote + self.starts[str(at)](numbers_BK) if str(at) in self.starts else vote for at, vote in enumerate(votes)]


_REPLACEMENTS: Mapping[type[nn.Module], Callable[[Any, torch.dtype], nn.Module]] = {
    BoostedTrees: PortableVoter,
    OfNgrams: lambda module, wide: PortableNgrams(module),
    nn.EmbeddingBag: lambda module, wide: WeightedSum(module.weight),
}
"""The replacement of each class of modules, given the module and the type of sums that should be more exact than float32."""


def portable(module: nn.Module, wide: torch.dtype = torch.float64) -> nn.Module:
    """Return a copy of a module in which every module of a class in ``_REPLACEMENTS`` is replaced, and every tensor has the usual order of
    its values in memory.

    :param wide: the type in which sums of trees are computed: float64 as in the model, or float32 for formats without it
    """
    replace = _REPLACEMENTS.get(type(module))
    if replace is not None:
        return replace(module, wide)
    made = copy(module)
    made._modules = {name: None if child is None else portable(child, wide) for name, child in module._modules.items()}
    made._parameters = {name: None if one is None else nn.Parameter(_plain(one), False) for name, one in module._parameters.items()}
    made._buffers = {name: None if one is None else _plain(one) for name, one in module._buffers.items()}
    return made


def _of(modules: Iterable[nn.Module], kind: type[Kind]) -> Iterator[Kind]:
    """Yield the modules, all of which are of one class."""
    for module in modules:
        assert isinstance(module, kind)
        yield module


def _plain(tensor: Tensor) -> Tensor:
    """Return a copy of a tensor with the usual order of its values in memory."""
    return tensor.detach().clone(memory_format=torch.contiguous_format)


def _digits(hashes_N: Tensor) -> Tensor:
    """Return whole numbers of 64 bits as digits (N, D), int32, the lowest first."""
    unsigned_N = hashes_N.numpy().view(np.uint64)
    digits = [(unsigned_N >> np.uint64(_DIGIT_BITS * at)) & np.uint64(2**_DIGIT_BITS - 1) for at in range(_DIGITS)]
    return torch.from_numpy(np.stack(digits, 1).astype(np.int32))
