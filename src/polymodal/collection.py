"""The outputs of one model for many windows of rows, in the order of the rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .inference import Answer, Blocks, Window, device_of
from .modalities import Modality
from .model import MultiModalModel


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
    represent: bool = False,
) -> Collected:
    """Compute a model's outputs for all windows and sort them by row.

    :param hidden: sets of fields to hide from all rows; the result has one ``Answer`` for each
    :param represent: whether to return the representation h
    """
    device = device_of(model)
    made = ((window.rows, Blocks.of(modalities, window, model.names, device, hidden)) for window in parts)
    return collect_blocks(model, made, represent)


def collect_blocks(model: MultiModalModel, parts: Iterable[tuple[np.ndarray, Blocks]], represent: bool = False) -> Collected:
    """Compute a model's outputs for rows in blocks and sort them by row.

    :param parts: the rows of each window (0-based positions in the table) and their blocks
    :param represent: whether to return the representation h
    """
    rows: list[np.ndarray] = []
    every: list[list[Answer]] = []
    for rows_N, blocks in parts:
        rows.append(rows_N)
        every.append(blocks.answers(model, represent))
    order = np.argsort(np.concatenate(rows), kind="stable")

    def joined(pieces: list[np.ndarray]) -> np.ndarray:
        return np.concatenate(pieces)[order]

    made = []
    for outputs in zip(*every, strict=True):
        made.append(
            Answer(
                {task: joined([one.logits[task] for one in outputs]) for task in outputs[0].logits},
                {t: {v: joined([one.votes[t][v] for one in outputs]) for v in votes} for t, votes in outputs[0].votes.items()},
                joined([one.fused_ND for one in outputs]) if represent else None,
            )
        )
    return Collected(np.concatenate(rows)[order], made)
