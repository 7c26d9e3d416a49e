"""The whole of a model as one program: all members, their votes, trees and calibration, and the scores of every task.

The program begins where cells have become samples: its inputs are the tensors of each field and whether each row has the field. Its outputs
are the scores of each task. It is exported once by ``torch.export``, and every format is made from this program.

Shapes: ``B`` rows, ``C`` outputs of a task.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from ..bundle import Bundle
from ..flow import Features, Field, Output
from ..model import MultiModalModel
from .portable import portable

PRESENT = "present"
"""The name of the input that states which rows have a field."""


@dataclass(frozen=True)
class Input:
    """An input of the program: a value of a field, or ``PRESENT``."""

    name: str
    """Its name in the exchange format."""
    field: str
    value: str
    dtype: str
    shape: tuple[int | None, ...]
    """Its shape without the rows; None = any length."""
    longest: int
    """The largest number of elements along an axis of any length; 0 = there is no such axis."""


class Program(nn.Module):
    """The model of a bundle as a function from the tensors of one batch of rows to the scores of each task.

    :param bundle: the model, on the CPU
    :param inputs: the inputs in order
    :param wide: the type of sums that should be more exact than float32
    """

    def __init__(self, bundle: Bundle, inputs: Sequence[Input], wide: torch.dtype = torch.float64) -> None:
        super().__init__()
        self.places = [(one.field, one.value) for one in inputs]
        self.members = nn.ModuleList(portable(member, wide) for member in bundle.members)
        self.backbones = nn.ModuleDict(
            {str(at): portable(bundle.backbones[name], wide) for at, name in enumerate(bundle.states) if name in bundle.backbones}
        )
        self.numbers = {name: str(at) for at, name in enumerate(bundle.states)}
        self.tasks = bundle.tasks

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Return the scores of each task: probabilities (B, C), or numbers in the unit of the target (B, 1)."""
        values: dict[str, dict[str, Tensor]] = {}
        for (field, value), tensor in zip(self.places, tensors, strict=True):
            values.setdefault(field, {})[value] = tensor
        fields = {name: self._field(name, own) for name, own in values.items()}
        present = {name: field.present_B for name, field in fields.items()}
        outputs = [_output(member, fields, present) for member in self.members]
        return tuple(task.scores(_mean([output.logits[name] for output in outputs])) for name, task in self.tasks.items())

    def _field(self, name: str, values: dict[str, Tensor]) -> Field:
        """Return a field of the batch, after its frozen backbone if it has one."""
        present_B = values.pop(PRESENT)
        if self.numbers[name] in self.backbones:
            features: Features = self.backbones[self.numbers[name]](values)
            values = {"features": features.tokens_BLD, "real": features.mask_BL}
        return Field(values, present_B)


def _output(member: nn.Module, fields: Mapping[str, Field], present: Mapping[str, Tensor]) -> Output:
    """Return the output of one member."""
    assert isinstance(member, MultiModalModel)
    output = member.answer({name: member.admit(name, member.encode(name, field), field) for name, field in fields.items()}, present)
    assert isinstance(output, Output)
    return output


def _mean(logits: Sequence[Tensor]) -> Tensor:
    """Return the mean of the members' logits (B, C)."""
    return logits[0] if len(logits) == 1 else torch.stack(list(logits)).mean(0)


def exported(
    program: Program, inputs: Sequence[Input], example: Sequence[np.ndarray], most_rows: int | None = None, varies: bool = True
) -> ExportedProgram:
    """Return the program as a graph of tensor operations.

    :param example: a batch of at least two rows, if their number varies
    :param most_rows: the largest number of rows; None = any number
    :param varies: whether the number of rows and the lengths vary
    :raises Exception: an operation of the model cannot be exported
    """
    rows = Dim.DYNAMIC(min=1, max=most_rows) if most_rows else Dim.DYNAMIC
    shapes = tuple(
        {0: rows} | {at: Dim.DYNAMIC(max=one.longest) for at, size in enumerate(one.shape, 1) if size is None} for one in inputs
    )  # fmt: skip
    tensors = tuple(torch.from_numpy(np.ascontiguousarray(array)) for array in example)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = torch.export.export(program.eval(), tensors, dynamic_shapes=(shapes,) if varies else None, strict=False)
    for node in made.graph.nodes:  # the order of values in memory is a matter of the format
        if "memory_format" in node.kwargs:
            node.kwargs = {**node.kwargs, "memory_format": torch.contiguous_format}
    return made
