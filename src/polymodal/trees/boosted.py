"""Boosted trees as a voter of a model: summaries of its fields, and the trees of each task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from ..flow import Field, Form, State
from ..weights import below
from .ensemble import Trees
from .start import Start
from .summaries import SUMMARIES, Summary


class BoostedTrees(nn.Module):
    """The vote of boosted trees on each task, from the cells of the fields that have a summary.

    Shapes: ``B`` rows, ``U`` distinct cells, ``K`` numbers of all summaries, ``C`` outputs.

    :param summaries: the summary of each field, by name
    :param trees: the trees of each task, in the order of the model's tasks
    :param places: the position of each of these fields among the model's fields
    :param robust: trees of each task that vote on a row instead if it lacks a number which every training row has, and whether every
        training row of a task has each number (tasks, K); None = the other trees vote on these rows too
    :param starts: the linear prediction to which trees are added, by the position of its task
    """

    complete_TK: Tensor | None

    def __init__(
        self, summaries: Mapping[str, Summary], trees: Sequence[Trees], places: Sequence[int],
        robust: tuple[Sequence[Trees], Tensor] | None = None, starts: Mapping[int, Start] | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.fields = list(summaries)
        self.register_buffer("places", torch.tensor(places, dtype=torch.int64))
        self.summaries = nn.ModuleList(summaries.values())
        self.trees = nn.ModuleList(trees)
        self.robust = nn.ModuleList([] if robust is None else robust[0])
        self.register_buffer("complete_TK", None if robust is None else robust[1])
        self.starts = nn.ModuleDict({str(task): start for task, start in (starts or {}).items()})
        self.widths = {name: summary.width for name, summary in summaries.items()}

    def summarise(self, name: str, field: Field) -> Tensor | None:
        """Return the numbers of a field's distinct cells (U, K); None if the field has no summary."""
        if name not in self.widths:
            return None
        numbers_UK: Tensor = self.summaries[self.fields.index(name)](field)
        return numbers_UK

    def forward(self, numbers: Mapping[str, Tensor], present: Mapping[str, Tensor]) -> list[Tensor]:
        """Return the logits of each task (B, C).

        :param numbers: by field, the numbers of each row
        :param present: by field, which rows have it (B,)
        """
        parts = [torch.where(present[name].unsqueeze(1), numbers[name], torch.nan) for name in self.fields]
        device = parts[0].device
        numbers_BK = torch.cat(parts, 1).to(next(self.trees.buffers()).device)
        votes = [trees(numbers_BK) for trees in self.trees]
        for at, complete_K in enumerate([] if self.complete_TK is None else self.complete_TK):
            lacking_B = (numbers_BK.isnan() & complete_K.to(numbers_BK.device)).any(1)
            if bool(lacking_B.any()):
                votes[at] = torch.where(lacking_B.unsqueeze(1), self.robust[at](numbers_BK), votes[at])
        votes = [vote + self.starts[str(at)](numbers_BK) if str(at) in self.starts else vote for at, vote in enumerate(votes)]
        return [vote.to(device) for vote in votes]

    @classmethod
    def restore(
        cls, tensors: Mapping[str, Tensor], names: Sequence[str], forms: Mapping[str, Form], states: Mapping[str, State],
        outputs: Sequence[int],
    ) -> BoostedTrees:  # fmt: skip
        """Return the voter with these weights.

        :param tensors: its ``state_dict``
        :param names: the names of the model's fields
        :param forms: the form of each field
        :param states: the fitted state of each field
        :param outputs: the number of outputs of each task
        :raises ValueError: the weights are not those of trees of these fields and tasks
        """
        places = tensors.get("places", torch.zeros(0, dtype=torch.int64)).tolist()
        if not places or any(not 0 <= place < len(names) for place in places) or sorted(set(places)) != places:
            raise ValueError(f"trees of the fields {places}")
        summaries = {}
        for at, place in enumerate(places):
            name = names[place]
            if forms[name] not in SUMMARIES:
                raise ValueError(f"trees of the field {name!r}, whose cells have no summary")
            summaries[name] = SUMMARIES[forms[name]].restore(states[name], below(tensors, f"summaries.{at}."))
        width = sum(summary.width for summary in summaries.values())
        trees = [Trees(below(tensors, f"trees.{at}."), width, count) for at, count in enumerate(outputs)]
        robust = None
        if "complete_TK" in tensors:
            complete_TK = tensors["complete_TK"]
            if complete_TK.dtype != torch.bool or tuple(complete_TK.shape) != (len(outputs), width):
                shape, expected = tuple(complete_TK.shape), (len(outputs), width)
                raise ValueError(f"trees for incomplete rows with complete_TK of shape {shape}; expected truth values of shape {expected}")
            robust = [Trees(below(tensors, f"robust.{at}."), width, count) for at, count in enumerate(outputs)], complete_TK
        starts = {}
        for at, count in enumerate(outputs):
            if of_start := below(tensors, f"starts.{at}."):
                starts[at] = Start.restore(of_start, width, count)
        made = cls(summaries, trees, places, robust, starts)
        if others := sorted(tensors.keys() - made.state_dict().keys()):
            raise ValueError(f"trees with other tensors, such as {others[0]}")
        return made
