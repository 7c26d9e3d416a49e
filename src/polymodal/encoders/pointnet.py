"""A network over sets of points (PointNet, Qi et al. 2017, arXiv:1612.00593), trained from scratch.

The features of each point are computed twice: from the point alone, and together with the mean and the maximum over all points.
Differences from the paper: there is no spatial transformer; the input of each point includes its position relative to the mean of its
cloud; and the cloud's features include its number of points.

Shapes: ``U`` distinct clouds, ``N`` points, ``C`` numbers of a point, ``D`` hidden width, ``K`` twice that.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field as Setting
from torch import Tensor, nn

from ..flow import Features, Field, Form, State
from .encoder import Encoder, EncoderConfig


class PointnetConfig(EncoderConfig):
    """The settings of a network over sets of points."""

    form: ClassVar[Form] = "points"
    kind: Literal["pointnet"] = "pointnet"
    hidden: int = Setting(64, ge=1, le=2**16)
    """The hidden width. Cost grows with its square."""
    dropout: float = Setting(0.1, ge=0, lt=1)
    """The dropout rate of the features."""

    def build(self, width: int, state: State) -> Encoder:
        """Build the encoder for the state of a points field."""
        return Pointnet(self, width, state)


class Pointnet(Encoder):
    """A PointNet: ``points`` (U, N, C), ``real`` (U, N), ``count`` (U, 1) -> one token for each cloud."""

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
        """Return the tokens (U, 1, width)."""
        points_UNC, real_UN1 = field.values["points"], field.values["real"].unsqueeze(-1).float()
        count_U1 = real_UN1.sum(1).clamp(min=1)
        middle_U1C = (points_UNC * real_UN1).sum(1, keepdim=True) / count_U1.unsqueeze(1)
        alone_UND = self.alone(torch.cat([points_UNC, points_UNC - middle_U1C], 2)) * real_UN1
        cloud_UK = _over_points(alone_UND, count_U1)
        among_UNK = self.among(self.own(alone_UND) + self.others(cloud_UK).unsqueeze(1)) * real_UN1
        vector = torch.cat([_over_points(among_UNK, count_U1), field.values["count"]], 1)
        return Features.vector(self.project(self.drop(vector)))


def _over_points(features_UND: Tensor, count_U1: Tensor) -> Tensor:
    """Return the mean and the maximum over the real points, (U, 2 D). Padding is zero, which no output of a ReLU is below."""
    return torch.cat([features_UND.sum(1) / count_U1, features_UND.max(1).values], 1)
