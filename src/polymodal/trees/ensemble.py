"""Trained trees as tensors.

Shapes: ``B`` rows, ``K`` numbers of a row, ``M`` nodes of all trees, ``T`` trees, ``C`` outputs of a task.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .doubles import InDoubles

_TYPES = {
    "feature_M": torch.int32, "threshold_M": torch.float64, "left_M": torch.int32, "nan_left_M": torch.bool, "value_M": torch.float32,
    "root_T": torch.int32, "output_T": torch.int32,
}  # fmt: skip
_DEEPEST = 256


class Trees(InDoubles):
    """The trees of one task. A row descends from the root of each tree to a leaf; an output is the sum of the values of its leaves.

    A node sends a row to its left child ``left_M`` if the row's number ``feature_M`` is at most ``threshold_M``, otherwise to its right
    child, which follows the left one; a missing number (NaN) goes to the left where ``nan_left_M`` is true. A leaf is its own left child,
    and its threshold is infinite. ``root_T`` and ``output_T`` are the root and the output of each tree.

    All rows descend in all trees a step at a time. Deep trees come first, so that each step takes the trees that are not yet at a leaf as
    one slice. Numbers are float32; a number is greater than a float64 exactly if it is greater than the largest float32 that is not above.

    :param tables: one tensor for each of these names
    :param width: K, the number of numbers of a row
    :param outputs: C
    :raises ValueError: the tensors do not describe trees
    """

    feature_M: Tensor
    threshold_M: Tensor
    left_M: Tensor
    nan_left_M: Tensor
    value_M: Tensor
    root_T: Tensor
    output_T: Tensor
    limit_M: Tensor
    deep_T: Tensor
    place_T: Tensor

    def __init__(self, tables: Mapping[str, Tensor], width: int, outputs: int) -> None:
        super().__init__()
        self.outputs = outputs
        if {name: table.dtype for name, table in tables.items()} != _TYPES or any(table.dim() != 1 for table in tables.values()):
            raise ValueError(f"trees of {', '.join(sorted(tables)) or 'nothing'}; expected {', '.join(_TYPES)}")
        for suffix in ("_M", "_T"):
            lengths = {len(table) for name, table in tables.items() if name.endswith(suffix)}
            if len(lengths) != 1 or 0 in lengths:
                raise ValueError(f"trees whose tables differ in length: {sorted(lengths)}")
        nodes = len(tables["left_M"])
        for name, below in {"left_M": nodes, "root_T": nodes, "feature_M": width, "output_T": outputs}.items():
            if bool(((tables[name] < 0) | (tables[name] >= below)).any()):
                raise ValueError(f"trees with {name} outside 0 to {below - 1:,}")
        at_M = torch.arange(nodes)
        leaf_M = tables["left_M"] == at_M
        if not bool((leaf_M | ((tables["left_M"] > at_M) & (tables["left_M"] + 1 < nodes))).all()):
            raise ValueError("trees with a node whose children do not follow it")
        if not bool(
            torch.where(leaf_M, (tables["threshold_M"] == torch.inf) & tables["nan_left_M"], tables["threshold_M"].isfinite()).all()
        ):
            raise ValueError("trees with thresholds that are no numbers")
        if not bool(torch.isfinite(tables["value_M"]).all()):
            raise ValueError("trees with values that are not finite")
        for name in _TYPES:
            self.register_buffer(name, tables[name])
        depth_T = _depths(tables["left_M"].numpy(), tables["root_T"].numpy())
        order_T = np.argsort(-depth_T, kind="stable")
        self.depth = int(depth_T.max())
        self.moving = [int((depth_T > step).sum()) for step in range(self.depth)]
        derived = {
            "limit_M": torch.from_numpy(_rounded_down(tables["threshold_M"].numpy())),
            "deep_T": tables["root_T"][torch.from_numpy(order_T)], "place_T": torch.from_numpy(np.argsort(order_T)),
        }  # fmt: skip
        for name, table in derived.items():
            self.register_buffer(name, table, persistent=False)

    def forward(self, numbers_BK: Tensor) -> Tensor:
        """Return the outputs (B, C) of rows of numbers, NaN = missing."""
        rows = len(numbers_BK)
        some_missing = bool(numbers_BK.isnan().any())
        numbers = numbers_BK.float().t().contiguous().view(-1)  # the number k of the row b is at k * rows + b
        kind = torch.int32 if numbers_BK.numel() < 2**31 else torch.int64
        first_M, row_TB = self.feature_M.to(kind) * rows, torch.arange(rows, dtype=kind, device=numbers.device).repeat(len(self.root_T))
        at_TB = self.deep_T.repeat_interleave(rows)
        for trees in self.moving:
            at = at_TB[: trees * rows]
            values = numbers.index_select(0, first_M.index_select(0, at) + row_TB[: trees * rows])
            right = values > self.limit_M.index_select(0, at)  # false for a missing number
            if some_missing:
                right = right | (values.isnan() & ~self.nan_left_M.index_select(0, at))
            torch.add(self.left_M.index_select(0, at), right, out=at)
        at_TB = at_TB.view(len(self.root_T), rows).index_select(0, self.place_T)
        values_BT = self.value_M.index_select(0, at_TB.t().reshape(-1)).view(rows, len(self.root_T)).double()
        if self.outputs == 1:
            return values_BT.sum(1, keepdim=True).float()
        summed_BC = torch.zeros(rows, self.outputs, dtype=torch.float64, device=numbers_BK.device)
        return summed_BC.index_add_(1, self.output_T.long(), values_BT).float()


def _rounded_down(values: np.ndarray) -> np.ndarray:
    """Return the largest float32 numbers that do not exceed float64 numbers."""
    with np.errstate(over="ignore"):
        rounded = values.astype(np.float32)
    return np.where(rounded > values, np.nextafter(rounded, np.float32(-np.inf)), rounded).astype(np.float32)


def _depths(left_M: np.ndarray, root_T: np.ndarray) -> np.ndarray:
    """Return the largest number of steps from the root of each tree to a leaf."""
    inner = np.flatnonzero(left_M != np.arange(len(left_M)))
    left, height_M = left_M[inner], np.zeros(len(left_M), np.int64)
    for _ in range(_DEEPEST + 1):
        higher = 1 + np.maximum(height_M[left], height_M[left + 1])
        if np.array_equal(higher, height_M[inner]):
            return np.asarray(height_M[root_T])
        height_M[inner] = higher
    raise ValueError(f"trees deeper than {_DEEPEST:,} nodes")


def tables_of(boosters: Sequence[tuple[Sequence[Mapping[str, Any]], Sequence[int], float]]) -> dict[str, Tensor]:
    """Return the tables of ``Trees`` for the weighted sum of several boosters.

    :param boosters: the ``tree_info`` of each booster's ``dump_model()``; its outputs, where tree i belongs to output ``i % len(outputs)``;
        and the factor on the values of its trees
    """
    nodes: list[_Node] = []
    roots: list[int] = []
    of: list[int] = []
    for trees, outputs, share in boosters:
        for at, tree in enumerate(trees):
            roots.append(len(nodes))
            of.append(outputs[at % len(outputs)])
            _add(nodes, tree["tree_structure"], share)
    columns = zip(*nodes, strict=True)
    names = [name for name in _TYPES if name.endswith("_M")]
    tables = {name: torch.tensor(column, dtype=_TYPES[name]) for name, column in zip(names, columns, strict=True)}
    return tables | {"root_T": torch.tensor(roots, dtype=torch.int32), "output_T": torch.tensor(of, dtype=torch.int32)}


_Node = tuple[int, float, int, bool, float]
"""A feature, a threshold, a left child, whether missing numbers go to it, and a value."""


def _add(nodes: list[_Node], root: Mapping[str, Any], share: float) -> None:
    """Append the nodes of one tree, the children of a node side by side after it; the values of leaves are multiplied by ``share``."""
    waiting = [(root, len(nodes))]
    nodes.append((0, 0.0, 0, True, 0.0))
    while waiting:
        node, at = waiting.pop(0)
        if "split_feature" not in node:
            nodes[at] = (0, float("inf"), at, True, float(node["leaf_value"]) * share)
            continue
        threshold, left = float(node["threshold"]), len(nodes)
        # Trees that met no missing number in training treat it as 0.
        nan_left = bool(node["default_left"]) if node["missing_type"] == "NaN" else threshold >= 0
        nodes[at] = (int(node["split_feature"]), threshold, left, nan_left, 0.0)
        nodes += [(0, 0.0, 0, True, 0.0)] * 2
        waiting += [(node["left_child"], left), (node["right_child"], left + 1)]
