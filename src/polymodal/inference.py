"""The prediction loop: from samples to logits. All predictions use it.

Floating-point results depend on tensor shapes. Predictions are therefore computed in blocks of fixed shape: an encoder receives ``BLOCK``
cells of one padded shape, and the fusion receives ``BLOCK`` rows of one combination of shapes. Short blocks are padded with copies of
their first element. The prediction for a row is then identical to the last bit, no matter which rows are predicted with it. A cell that
occurs in several rows is encoded once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from .data.loader import field_of
from .data.store import Store
from .flow import Features, Field, Output, Sample
from .modalities import Modality
from .model import MultiModalModel
from .threads import threads_for, using

BLOCK = 32
"""The number of cells or rows in a block. Bit-identical predictions of a bundle depend on it: another size agrees only within rounding."""
WINDOW = 512
"""The number of rows whose samples and features are in memory at a time."""
Each = Callable[[Callable[[MultiModalModel], list["Answer"]], Sequence[MultiModalModel]], Iterable[list["Answer"]]]
"""Calls a function with each model, and returns the results in order."""
_KEPT_BYTES = 32 * 2**20
"""The largest size of the samples of a field in a window whose tensors are kept for all models of an ensemble."""


@dataclass(frozen=True)
class Window:
    """Some rows of a table with their samples.

    ``rows`` are 0-based positions in the table (N,). ``samples`` are the distinct samples of each field. ``index`` (N,) by field is
    the position in ``samples`` of each row's sample; -1 = the row lacks the field.
    """

    rows: np.ndarray
    samples: Mapping[str, Sequence[Sample]]
    index: Mapping[str, np.ndarray]

    def without(self, hidden: frozenset[str]) -> dict[str, np.ndarray]:
        """Return ``index`` with the fields in ``hidden`` missing in every row."""
        return {name: np.full_like(index, -1) if name in hidden else index for name, index in self.index.items()}


@dataclass(frozen=True)
class Answer:
    """The outputs of one model for some rows.

    ``logits`` by task (N, C). ``votes`` by task, then by voter (N, C). ``fused_ND`` is the representation h (N, D), or None if it
    was not requested.
    """

    logits: Mapping[str, np.ndarray]
    votes: Mapping[str, Mapping[str, np.ndarray]]
    fused_ND: np.ndarray | None


def windows(store: Store, rows: np.ndarray, fields: Sequence[str] | None = None) -> Iterator[Window]:
    """Yield the rows of a store in windows of at most ``WINDOW`` rows.

    Rows are sorted by the cells of the most expensive field, so that rows that share such a cell fall into the same window.

    :param rows: 0-based positions in the table
    :param fields: the fields to include; None = all
    """
    fields = list(fields if fields is not None else store.modalities)
    costly = max(fields, key=lambda name: store.modalities[name].cost())
    rows = rows[np.argsort(store.index[costly][rows], kind="stable")]
    for start in range(0, len(rows), WINDOW):
        part = rows[start : start + WINDOW]
        samples, index = {}, {}
        for name in fields:
            numbers, index[name] = store.distinct(name, part)
            samples[name] = [store.sample(name, int(number)) for number in numbers]
        yield Window(part, samples, index)


class Cells:
    """The distinct cells of a field as tensors, in blocks of cells of one geometry. The models of an ensemble share them.

    :param modality: the modality of the field
    :param samples: the distinct samples (U)
    :param device: the device of the tensors
    :param exact: whether short blocks are padded (see ``answers``)
    :param blank: whether there is one more cell, the last, which represents rows that lack the field
    """

    def __init__(
        self, modality: Modality, samples: Sequence[Sample], device: torch.device, exact: bool = True, blank: bool = True
    ) -> None:  # fmt: skip
        self.device, self.exact = device, exact
        self._modality = modality
        self._samples = [*samples, modality.blank()] if blank else list(samples)
        self._members = grouped(modality, self._samples)
        self._made: dict[int, list[Field]] = {}
        self.cost = modality.cost_of_training()
        """The approximate number of multiply-adds to encode a cell."""
        self.keeps = sum(array.nbytes for sample in self._samples for array in sample.values()) <= _KEPT_BYTES
        """Whether the tensors of the cells are kept after their first use."""
        self.groups = len(self._members)
        self.group_U, self.place_U = np.zeros(len(self._samples), np.int64), np.zeros(len(self._samples), np.int64)
        for group, members in enumerate(self._members):
            self.group_U[members], self.place_U[members] = group, np.arange(len(members))

    def blocks(self, group: int) -> Iterable[Field]:
        """Return the blocks of a group, made again for each model if the cells are large."""
        if group in self._made:
            return self._made[group]
        made = (field.to(self.device) for _, field in block_of(self._modality, self._samples, self._members[group], self.exact))
        if not self.keeps:
            return made
        self._made[group] = list(made)
        return self._made[group]


class RowBlocks:
    """Rows in blocks of one combination of geometries. The models of an ensemble share them.

    :param cells: the cells of each field, on one device; rows are padded where cells are
    :param index: by field, the position of each row's cell (N,); -1 = the row lacks the field
    """

    def __init__(self, cells: Mapping[str, Cells], index: Mapping[str, np.ndarray]) -> None:
        device, exact = next((field.device, field.exact) for field in cells.values())
        self.rows = len(index[next(iter(cells))])
        self.blocks: list[tuple[np.ndarray, dict[str, tuple[int, Field]]]] = []
        """The positions of the rows of each block, without padding, and by field the group of their cells and the ``Field`` of the rows."""
        key_N = np.zeros(self.rows, np.int64)
        for name, field in cells.items():
            key_N = np.unique(key_N * field.groups + field.group_U[index[name]], return_inverse=True)[1]
        for key in range(int(key_N.max()) + 1 if self.rows else 0):
            members = np.flatnonzero(key_N == key)
            for start in range(0, len(members), BLOCK):
                block = members[start : start + BLOCK]
                filled = np.concatenate([block, np.full(BLOCK - len(block), block[0])]) if exact else block
                fields = {}
                for name, field in cells.items():
                    at_B = index[name][filled]
                    place_B = torch.from_numpy(field.place_U[at_B]).to(device)
                    fields[name] = int(field.group_U[at_B[0]]), Field({}, torch.from_numpy(at_B >= 0).to(device), place_B)
                self.blocks.append((block, fields))


def joined(parts: Sequence[Features]) -> Features:
    """Concatenate features along their first axis."""
    if len(parts) == 1:
        return parts[0]
    numbers = [part.numbers_BK for part in parts if part.numbers_BK is not None]
    return Features(
        torch.cat([part.tokens_BLD for part in parts]),
        torch.cat([part.mask_BL for part in parts]),
        torch.cat(numbers) if numbers else None,
        tuple(joined(of_one) for of_one in zip(*(part.further for part in parts), strict=True)),
    )


def grouped(modality: Modality, samples: Sequence[Sample]) -> list[list[int]]:
    """Group the positions of samples by geometry. Groups are in the order of their first sample."""
    by_geometry: dict[tuple[int, ...], list[int]] = {}
    for at, sample in enumerate(samples):
        by_geometry.setdefault(modality.geometry(sample), []).append(at)
    return list(by_geometry.values())


def block_of(
    modality: Modality, samples: Sequence[Sample], members: Sequence[int], exact: bool = True
) -> Iterator[tuple[Sequence[int], Field]]:
    """Yield samples of one geometry in blocks of exactly ``BLOCK``.

    A short block is padded with copies of the first sample; the caller discards their outputs.

    :param members: the positions of the samples to yield
    :param exact: whether short blocks are padded (see ``answers``)
    :returns: for each block, the positions (without padding) and the collated field (with padding)
    """
    for start in range(0, len(members), BLOCK):
        part = members[start : start + BLOCK]
        filled = [samples[at] for at in part]
        if exact:
            filled += [samples[members[0]]] * (BLOCK - len(part))
        yield part, field_of(modality, filled, np.arange(len(filled)))


def device_of(model: nn.Module) -> torch.device:
    """Return the device on which a model computes."""
    return next(model.parameters()).device


@dataclass(frozen=True)
class EncodedCells:
    """The cells of a field, and the features of each group of them by one model."""

    cells: Cells
    features: Sequence[Features]


class Encoded:
    """Cells encoded once by a model, from which the outputs of any rows made of these cells are computed.

    :param model: a model in eval mode
    :param cells: the cells of each field of the model, on its device
    """

    def __init__(self, model: MultiModalModel, cells: Mapping[str, Cells]) -> None:
        self.model = model
        self._threads = threads_for(model, sum(cells[name].cost for name in model.names))
        self.encoded = {name: self.encode(name, cells[name]) for name in model.names}

    @torch.inference_mode()
    def encode(self, name: str, cells: Cells) -> EncodedCells:
        """Encode cells of one field, which may be passed to ``given``."""
        with using(self._threads):
            groups = [joined([self.model.encode(name, field) for field in cells.blocks(at)]) for at in range(cells.groups)]
        return EncodedCells(cells, groups)

    def given(self, encoded: Mapping[str, EncodedCells]) -> Encoded:
        """Return a copy in which the cells of some fields are replaced. Nothing is encoded again."""
        other = copy(self)
        other.encoded = {**self.encoded, **encoded}
        return other

    def blocks_of(self, index: Mapping[str, np.ndarray]) -> RowBlocks:
        """Return rows in blocks, for ``answer`` of this model and of others with the same cells.

        :param index: by field, the position of each row's cell (N,); -1 = the row lacks the field
        """
        return RowBlocks({name: encoded.cells for name, encoded in self.encoded.items()}, index)

    @torch.inference_mode()
    def answer(self, rows: RowBlocks, represent: bool = False) -> Answer:
        """Compute the model's outputs for rows.

        :param represent: whether to return the representation h
        """
        with using(self._threads):
            parts = [(block, self._of_block(fields)) for block, fields in rows.blocks]

        def gather(pick: Callable[[Output], Tensor]) -> np.ndarray:
            out = np.empty((rows.rows, pick(parts[0][1]).shape[1]), np.float32)
            for block, output in parts:
                out[block] = pick(output)[: len(block)].float().cpu().numpy()
            return out

        def of(task: str, voter: str | None = None) -> np.ndarray:
            return gather(lambda output: output.logits[task] if voter is None else output.votes[task][voter])

        first = parts[0][1]
        return Answer(
            {task: of(task) for task in first.logits},
            {task: {voter: of(task, voter) for voter in votes} for task, votes in first.votes.items()},
            gather(lambda output: output.fused_BD) if represent else None,
        )

    def _of_block(self, fields: Mapping[str, tuple[int, Field]]) -> Output:
        """Return the output for a block of rows: by field, the group of their cells and the ``Field`` of the rows."""
        features = {name: self.model.admit(name, self.encoded[name].features[group], field) for name, (group, field) in fields.items()}
        output = self.model.answer(features, {name: field.present_B for name, (_, field) in fields.items()})
        assert isinstance(output, Output)
        return output


def logits_of(members: Sequence[Encoded], index: Mapping[str, np.ndarray]) -> list[Mapping[str, np.ndarray]]:
    """Return the logits (N, C) of each member by task.

    :param members: models of an ensemble with the same cells
    :param index: by field, the position of each row's cell (N,); -1 = the row lacks the field
    """
    rows = members[0].blocks_of(index)
    return [member.answer(rows).logits for member in members]


@dataclass(frozen=True)
class Blocks:
    """The rows of a window in blocks: their cells by field, and the rows for each set of hidden fields. Models on one device share them."""

    cells: Mapping[str, Cells]
    rows: Sequence[RowBlocks]

    @classmethod
    def of(
        cls, modalities: Mapping[str, Modality], window: Window, names: Sequence[str], device: torch.device,
        hidden: Sequence[frozenset[str]] = (frozenset(),), exact: bool = True,
    ) -> Blocks:  # fmt: skip
        """Divide a window into blocks.

        :param names: the fields
        :param hidden: sets of fields to hide from all rows
        :param exact: whether blocks of fewer than ``BLOCK`` cells or rows are padded
        """
        places = [window.without(fields) for fields in hidden]
        cells = {
            name: Cells(modalities[name], window.samples[name], device, exact, blank=any((index[name] < 0).any() for index in places))
            for name in names
        }
        return cls(cells, [RowBlocks(cells, index) for index in places])

    @property
    def is_kept(self) -> bool:
        """Whether the tensors of all cells are kept after their first use."""
        return all(cells.keeps for cells in self.cells.values())

    def answers(self, model: MultiModalModel, represent: bool = False) -> list[Answer]:
        """Return the outputs of a model for each set of hidden fields. Its training mode is restored afterwards."""
        was_training = model.training
        if was_training:  # a trained model stays in eval mode, so that several threads may use it
            model.eval()
        try:
            encoded = Encoded(model, self.cells)
            return [encoded.answer(blocks, represent) for blocks in self.rows]
        finally:
            if was_training:
                model.train()


def answers(
    models: Sequence[MultiModalModel],
    modalities: Mapping[str, Modality],
    window: Window,
    hidden: Sequence[frozenset[str]] = (frozenset(),),
    represent: bool = False,
    exact: bool = True,
    each: Each = map,
) -> list[list[Answer]]:
    """Compute the outputs of the models of an ensemble for the rows of a window.

    Each model encodes a cell once.

    :param models: models with the same fields, on one device
    :param hidden: sets of fields to hide from all rows
    :param represent: whether to return the representation h
    :param exact: whether blocks of fewer than ``BLOCK`` cells or rows are padded. If not, few rows are answered faster, and the answers
        differ by rounding errors that depend on the rows of the window
    :param each: ``map``, or that of a pool of threads
    :returns: by model, one ``Answer`` for each set in ``hidden``
    """
    blocks = Blocks.of(modalities, window, models[0].names, device_of(models[0]), hidden, exact)
    return list(each(lambda model: blocks.answers(model, represent), models))
