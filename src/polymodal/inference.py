"""The prediction loop: from samples to logits. All predictions use it.

Floating-point results depend on tensor shapes. Predictions are therefore computed in blocks of fixed shape: an encoder receives ``BLOCK``
cells of one padded shape, and the fusion receives ``BLOCK`` rows of one combination of shapes. Short blocks are padded with copies of
their first element. The prediction for a row is then identical to the last bit, no matter which rows are predicted with it. A cell that
occurs in several rows is encoded once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .data.loader import field_of
from .data.store import Store
from .flow import Features, Field, Output, Sample
from .modalities import Modality
from .model import MultiModalModel

BLOCK = 32
"""The number of cells or rows in a block. Bit-identical predictions of a bundle depend on it: another size agrees only within rounding."""
WINDOW = 512
"""The number of rows whose samples and features are in memory at a time."""


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


class _Cells:
    """The features of a field's distinct samples, stored in one group for each geometry."""

    def __init__(self, model: MultiModalModel, name: str, modality: Modality, samples: Sequence[Sample], device: torch.device) -> None:
        samples = [*samples, modality.blank()]  # the last sample represents rows that lack the field
        self.group_U = np.zeros(len(samples), np.int64)
        self.place_U = np.zeros(len(samples), np.int64)
        self.features: list[Features] = []
        for group, members in enumerate(grouped(modality, samples)):
            self.group_U[members], self.place_U[members] = group, np.arange(len(members))
            done = [model.encode(name, field.to(device)) for _, field in block_of(modality, samples, members)]
            self.features.append(joined(done))

    def rows(self, group: int, at_B: np.ndarray, present_B: np.ndarray, device: torch.device) -> tuple[Features, Field]:
        """Return the features of a group, and the ``Field`` that maps rows to them."""
        index_B = torch.from_numpy(self.place_U[at_B]).to(device)
        return self.features[group], Field({}, torch.from_numpy(present_B).to(device), index_B)


def joined(parts: Sequence[Features]) -> Features:
    """Concatenate features along their first axis."""
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


def block_of(modality: Modality, samples: Sequence[Sample], members: Sequence[int]) -> Iterator[tuple[Sequence[int], Field]]:
    """Yield samples of one geometry in blocks of exactly ``BLOCK``.

    A short block is padded with copies of the first sample; the caller discards their outputs.

    :param members: the positions of the samples to yield
    :returns: for each block, the positions (without padding) and the collated field (with padding)
    """
    for start in range(0, len(members), BLOCK):
        part = members[start : start + BLOCK]
        filled = [samples[at] for at in part] + [samples[members[0]]] * (BLOCK - len(part))
        yield part, field_of(modality, filled, np.arange(BLOCK))


class Encoded:
    """Cells encoded once by a model, from which the outputs of any rows made of these cells are computed.

    :param model: a model in eval mode
    :param samples: the distinct samples of each field
    :param device: the device of the model; None = the CPU
    """

    @torch.inference_mode()
    def __init__(
        self, model: MultiModalModel, modalities: Mapping[str, Modality], samples: Mapping[str, Sequence[Sample]],
        device: torch.device | None = None,
    ) -> None:  # fmt: skip
        self.model, self.device = model, device or torch.device("cpu")
        self.cells = {name: _Cells(model, name, modalities[name], samples[name], self.device) for name in model.names}

    @torch.inference_mode()
    def cells_of(self, name: str, modality: Modality, samples: Sequence[Sample]) -> _Cells:
        """Encode other cells of one field, to be passed to ``given``."""
        return _Cells(self.model, name, modality, samples, self.device)

    def given(self, cells: Mapping[str, _Cells]) -> Encoded:
        """Return a copy in which the cells of some fields are replaced. Nothing is encoded again."""
        other = copy(self)
        other.cells = {**self.cells, **cells}
        return other

    @torch.inference_mode()
    def answer(self, index: Mapping[str, np.ndarray], represent: bool = False) -> Answer:
        """Compute the model's outputs for rows.

        :param index: by field, the position of each row's sample (N,); -1 = the row lacks the field
        :param represent: whether to return the representation h
        """
        return _answer(self.model, self.cells, index, len(index[self.model.names[0]]), self.device, represent)


def answer(
    model: MultiModalModel,
    modalities: Mapping[str, Modality],
    window: Window,
    hidden: Sequence[frozenset[str]] = (frozenset(),),
    device: torch.device | None = None,
    represent: bool = False,
) -> list[Answer]:
    """Compute a model's outputs for the rows of a window. Cells are encoded once. The model's training mode is restored afterwards.

    :param hidden: sets of fields to hide from all rows
    :param device: the device of the model; None = the CPU
    :param represent: whether to return the representation h
    :returns: one ``Answer`` for each set in ``hidden``
    """
    was_training = model.training
    if was_training:  # a trained model stays in eval mode, so that several threads may use it
        model.eval()
    try:
        encoded = Encoded(model, modalities, window.samples, device)
        return [encoded.answer(window.without(fields), represent) for fields in hidden]
    finally:
        if was_training:
            model.train()


def _answer(
    model: MultiModalModel,
    encoded: Mapping[str, _Cells],
    index: Mapping[str, np.ndarray],
    rows: int,
    device: torch.device,
    represent: bool,
) -> Answer:
    groups_NF = np.stack([field.group_U[index[name]] for name, field in encoded.items()], 1)
    parts: list[tuple[np.ndarray, Output]] = []
    keys, key_N = np.unique(groups_NF, axis=0, return_inverse=True)
    key_N = key_N.reshape(-1)
    for at_key, key in enumerate(keys):
        members = np.flatnonzero(key_N == at_key)
        for start in range(0, len(members), BLOCK):
            block = members[start : start + BLOCK]
            filled = np.concatenate([block, np.full(BLOCK - len(block), block[0])])
            features, present = {}, {}
            for (name, field), group in zip(encoded.items(), key, strict=True):
                group_features, rows_field = field.rows(int(group), index[name][filled], index[name][filled] >= 0, device)
                features[name] = model.admit(name, group_features, rows_field)
                present[name] = rows_field.present_B
            output = model.answer(features, present)
            assert isinstance(output, Output)
            parts.append((block, output))

    def gather(pick: object) -> np.ndarray:
        first = pick(parts[0][1])  # type: ignore[operator]
        out = np.empty((rows, first.shape[1]), np.float32)
        for block, output in parts:
            out[block] = pick(output)[: len(block)].float().cpu().numpy()  # type: ignore[operator]
        return out

    def of(task: str, voter: str | None = None) -> np.ndarray:
        def pick(output: Output) -> Tensor:
            return output.logits[task] if voter is None else output.votes[task][voter]

        return gather(pick)

    first = parts[0][1]
    return Answer(
        {task: of(task) for task in first.logits},
        {task: {voter: of(task, voter) for voter in votes} for task, votes in first.votes.items()},
        gather(lambda output: output.fused_BD) if represent else None,
    )


@dataclass(frozen=True)
class Collected:
    """The outputs of many windows, in the order of ``rows`` (0-based positions in the table, ascending)."""

    rows: np.ndarray
    answers: Sequence[Answer]

    def plain(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return the outputs as tensors and plain data for a checkpoint, without h."""
        first = self.answers[0]
        tensors = {"rows": torch.from_numpy(self.rows)}
        for at, answer in enumerate(self.answers):
            for of, (task, logits) in enumerate(answer.logits.items()):
                tensors[f"answer.{at}.{of}"] = torch.from_numpy(logits)
                for by, vote in enumerate(answer.votes.get(task, {}).values()):
                    tensors[f"answer.{at}.{of}.{by}"] = torch.from_numpy(vote)
        return tensors, {"count": len(self.answers), "tasks": {task: list(first.votes.get(task, {})) for task in first.logits}}

    @classmethod
    def of_plain(cls, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> Collected:
        """Restore the outputs from the result of ``plain``. ``tensors`` may contain other tensors.

        :raises KeyError: a tensor or a fact is missing
        """
        answers = []
        for at in range(facts["count"]):
            logits = {task: tensors[f"answer.{at}.{of}"].numpy() for of, task in enumerate(facts["tasks"])}
            votes = {
                task: {voter: tensors[f"answer.{at}.{of}.{by}"].numpy() for by, voter in enumerate(voters)}
                for of, (task, voters) in enumerate(facts["tasks"].items()) if voters
            }  # fmt: skip
            answers.append(Answer(logits, votes, None))
        return cls(tensors["rows"].numpy(), answers)


def collect(
    model: MultiModalModel,
    modalities: Mapping[str, Modality],
    parts: Iterable[Window],
    hidden: Sequence[frozenset[str]] = (frozenset(),),
    device: torch.device | None = None,
    represent: bool = False,
) -> Collected:
    """Compute a model's outputs for all windows and sort them by row.

    :param hidden: sets of fields to hide from all rows; the result has one ``Answer`` for each
    :param device: the device of the model; None = the CPU
    :param represent: whether to return the representation h
    """
    rows, every = [], []
    for window in parts:
        rows.append(window.rows)
        every.append(answer(model, modalities, window, hidden, device, represent))
    order = np.argsort(np.concatenate(rows), kind="stable")

    def joined(pieces: list[np.ndarray]) -> np.ndarray:
        return np.concatenate(pieces)[order]

    answers = []
    for at in range(len(hidden)):
        outputs = [window[at] for window in every]
        answers.append(
            Answer(
                {task: joined([one.logits[task] for one in outputs]) for task in outputs[0].logits},
                {t: {v: joined([one.votes[t][v] for one in outputs]) for v in votes} for t, votes in outputs[0].votes.items()},
                joined([one.fused_ND for one in outputs]) if represent else None,  # type: ignore[misc]
            )
        )
    return Collected(np.concatenate(rows)[order], answers)
