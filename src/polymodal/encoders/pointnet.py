"""A network over sets of points (PointNet, Qi et al. 2017, arXiv:1612.00593), trained from scratch.

What each point says is looked at twice: alone, and beside the largest of what all say. Departs from it in having no spatial transformer,
and in that each point also knows its place beside the middle of its own cloud, and the cloud how many points it had.

Shapes: ``U`` distinct clouds, ``N`` points, ``C`` numbers of a point, ``D`` hidden width.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field as Setting
from torch import Tensor, nn

from ..flow import Features, Field, Form, State
from .encoder import Encoder, EncoderConfig


class PointnetConfig(EncoderConfig):
    """A network over sets of points."""

    form: ClassVar[Form] = "points"
    kind: Literal["pointnet"] = "pointnet"
    hidden: int = Setting(64, ge=1, le=2**16)
    """Width inside. Cost grows with its square."""
    dropout: float = Setting(0.1, ge=0, lt=1)
    """Share of the features dropped in training."""

    def build(self, width: int, state: State) -> Encoder:
        """For ``state`` of a points field."""
        return Pointnet(self, width, state)


class Pointnet(Encoder):
    """``points`` (U, N, C), ``real`` (U, N), ``count`` (U, 1) -> one token."""

    def __init__(self, config: PointnetConfig, width: int, state: State) -> None:
        super().__init__()
        self.width = width
        hidden = config.hidden
        self.alone = nn.Sequential(nn.Linear(2 * state["channels"], hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU())
        self.own, self.others = nn.Linear(hidden, 2 * hidden), nn.Linear(2 * hidden, 2 * hidden, bias=False)
        self.among = nn.Sequential(nn.ReLU(), nn.Linear(2 * hidden, 2 * hidden), nn.ReLU())
        self.drop = nn.Dropout(config.dropout)
        self.project = nn.Linear(4 * hidden + 1, width)

    def forward(self, field: Field) -> Features:
        """-> (U, 1, width)."""
        points_UNC, real_UN1 = field.values["points"], field.values["real"].unsqueeze(-1).float()
        count_U1 = real_UN1.sum(1).clamp(min=1)
        middle_U1C = (points_UNC * real_UN1).sum(1, keepdim=True) / count_U1.unsqueeze(1)
        said_UND = self.alone(torch.cat([points_UNC, points_UNC - middle_U1C], 2)) * real_UN1
        whole_UK = _over_points(said_UND, count_U1)
        said_UND = self.among(self.own(said_UND) + self.others(whole_UK).unsqueeze(1)) * real_UN1
        vector = torch.cat([_over_points(said_UND, count_U1), field.values["count"]], 1)
        return Features.vector(self.project(self.drop(vector)))


def _over_points(said_UND: Tensor, count_U1: Tensor) -> Tensor:
    """The mean and the maximum over the real points, (U, 2 D); the others are zeros, and behind a ReLU nothing is smaller."""
    return torch.cat([said_UND.sum(1) / count_U1, said_UND.max(1).values], 1)
