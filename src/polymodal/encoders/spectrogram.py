"""A small residual network over spectrograms, trained from scratch: the network of pictures (docs/design/003) over time and frequency.

Shapes: ``U`` distinct sounds, ``T`` frames, ``M`` mel bands; ``S`` time steps, ``N`` bands and ``C`` channels of the
last grid, ``K`` twice the channels.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field as Setting
from torch import Tensor, nn

from ..flow import Features, Field, Form, State
from ..layers.residual import Residual
from .encoder import Encoder, EncoderConfig


class SpectrogramConfig(EncoderConfig):
    """The settings of a small residual network over time and frequency."""

    form: ClassVar[Form] = "spectrogram"
    kind: Literal["spectrogram"] = "spectrogram"
    channels: list[Annotated[int, Setting(ge=1, le=2**16)]] = Setting([16, 32, 64, 128], min_length=1, max_length=8)
    """The number of channels of each stage. Every stage after the first halves time and frequency. Cost grows with the squares of the
    channels."""
    tokens: Literal["pooled", "time"] = "pooled"
    """pooled = one token, from the mean and the maximum over the sound; time = one token for each time step of the last grid."""
    dropout: float = Setting(0.2, ge=0, lt=1)
    """The dropout rate of the features after the last stage."""

    def build(self, width: int, state: State) -> Encoder:
        """Build the encoder for the state of an audio field."""
        return Spectrogram(self, width, state)


class Spectrogram(Encoder):
    """A residual network: ``mel`` uint8 (U, T, M), ``length`` (U,), ``level`` (U, 1) -> one token, or one for each time step."""

    def __init__(self, config: SpectrogramConfig, width: int, state: State) -> None:
        super().__init__()
        self.width = width
        self.pooled = config.tokens == "pooled"
        self.mean, self.std = float(state["mean"]), float(state["std"])
        first = config.channels[0]
        self.stem = nn.Conv2d(1, first, 5, stride=2, padding=2)
        stages: list[nn.Module] = []
        before = first
        for at, channels in enumerate(config.channels):
            stages.append(Residual(before, channels, stride=2 if at else 1))
            before = channels
        self.stages = nn.Sequential(*stages, nn.ReLU())
        self.reduction = 2 ** len(config.channels)
        self.drop = nn.Dropout(config.dropout)
        self.project = nn.Linear(2 * before + 1, width)

    def forward(self, field: Field) -> Features:
        """Return the tokens (U, 1, width), or (U, T / 2^stages, width)."""
        mel_UTM, length_U = field.values["mel"], field.values["length"]
        grid_UCSN = self.stages(self.stem(((mel_UTM.float() - self.mean) / self.std).unsqueeze(1)))
        frames = grid_UCSN.shape[2]
        real_US = torch.arange(frames, device=length_U.device) * self.reduction < length_U.unsqueeze(1)
        level_U1 = field.values["level"].to(grid_UCSN.dtype)
        if not self.pooled:
            moments_USK = torch.cat([grid_UCSN.mean(3), grid_UCSN.amax(3)], 1).transpose(1, 2)
            tokens = torch.cat([moments_USK, level_U1.unsqueeze(1).expand(-1, frames, 1)], 2)
            return Features(self.project(self.drop(tokens)), real_US)
        vector = torch.cat([self._over_time(grid_UCSN, real_US), level_U1], 1)
        return Features.vector(self.project(self.drop(vector)))

    @staticmethod
    def _over_time(grid_UCSN: Tensor, real_US: Tensor) -> Tensor:
        """Return the mean and the maximum over the real time steps and the frequencies, (U, 2 C)."""
        real_U1S1 = real_US[:, None, :, None]
        mean_UC = (grid_UCSN * real_U1S1).sum((2, 3)) / (real_US.sum(1, keepdim=True) * grid_UCSN.shape[3]).clamp(min=1)
        largest_UC = grid_UCSN.masked_fill(~real_U1S1, 0.0).amax((2, 3))  # no output of a ReLU is below 0
        return torch.cat([mean_UC, largest_UC], 1)
