"""Encoders of columns of numbers and categories: each column becomes a token, followed by a perceptron or a transformer.

Numbers have a piecewise linear encoding over quantiles (Gorishniy et al. 2022, arXiv:2203.05556). The transformer over columns is the
FT-Transformer (Gorishniy et al. 2021, arXiv:2106.11959). A missing value is a learned token of its column.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import torch
from pydantic import Field as Setting
from torch import Tensor, nn

from ..flow import Features, Field, Form, State
from ..layers.mlp import mlp
from ..layers.transformer import Transformer
from .encoder import Encoder, EncoderConfig

_CALENDAR = [-1.0, -0.5, 0.0, 0.5, 1.0]


class TabularConfig(EncoderConfig):
    """The settings of a perceptron over embedded columns."""

    form: ClassVar[Form] = "columns"
    kind: Literal["tabular"] = "tabular"
    bins: int = Setting(16, ge=1, le=4_096)
    """The number of quantile bins in the encoding of a number."""
    embedding: int = Setting(16, ge=1, le=2**16)
    """The width of a column's embedding."""
    hidden: int = Setting(128, ge=1, le=2**16)
    """The hidden width of the perceptron."""
    depth: int = Setting(1, ge=1, le=256)
    """The number of hidden layers of the perceptron."""
    dropout: float = Setting(0.2, ge=0, lt=1)
    """The dropout rate."""

    def needs(self, form: Form) -> dict[str, Any]:
        """Return the number of bins that the modality must learn."""
        return {"bins": self.bins}

    def build(self, width: int, state: State) -> Encoder:
        """Build the encoder for the state of a tabular field."""
        return Tabular(self, width, state)


class TabularTransformerConfig(EncoderConfig):
    """The settings of a transformer over columns."""

    form: ClassVar[Form] = "columns"
    kind: Literal["tabular_transformer"] = "tabular_transformer"
    bins: int = Setting(16, ge=1, le=4_096)
    """The number of quantile bins in the encoding of a number."""
    depth: int = Setting(2, ge=1, le=256)
    """The number of blocks."""
    heads: int = Setting(4, ge=1, le=1_024)
    """The number of attention heads; must divide ``hidden``."""
    hidden: int = Setting(64, ge=1, le=2**16)
    """The width of a column's token."""
    dropout: float = Setting(0.1, ge=0, lt=1)
    """The dropout rate."""

    def needs(self, form: Form) -> dict[str, Any]:
        """Return the number of bins that the modality must learn."""
        return {"bins": self.bins}

    def build(self, width: int, state: State) -> Encoder:
        """Build the encoder for the state of a tabular field."""
        return TabularTransformer(self, width, state)


class Columns(nn.Module):
    """The embedding of columns: ``numbers`` (U, K), NaN = missing, and ``categories`` (U, M) -> one token for each, (U, K + M, width)."""

    low: Tensor
    span: Tensor
    offsets: Tensor

    def __init__(self, state: State, width: int) -> None:
        super().__init__()
        edges: list[list[float]] = []
        sizes: list[int] = []
        for column in state["columns"]:
            if column["type"] == "category":
                sizes.append(len(column["values"]) + 2)
                continue
            edges.append(column["edges"] if len(column["edges"]) > 1 else [column["edges"][0] - 1, column["edges"][0] + 1])
            if column["type"] == "date":
                edges += [_CALENDAR] * 5
        bins = max((len(edge) - 1 for edge in edges), default=1)
        # Columns with fewer bins are padded with bins that start at the last edge and are infinitely wide: their encoding is always 0.
        low = torch.tensor([edge[:-1] + [edge[-1]] * (bins - len(edge) + 1) for edge in edges]).reshape(len(edges), bins)
        high = torch.tensor([edge[1:] + [float("inf")] * (bins - len(edge) + 1) for edge in edges]).reshape(len(edges), bins)
        self.register_buffer("low", low, persistent=False)
        self.register_buffer("span", (high - low).clamp(min=1e-6), persistent=False)
        self.register_buffer("offsets", torch.tensor([0, *sizes]).cumsum(0)[:-1], persistent=False)
        self.count = len(edges) + len(sizes)
        scale = width**-0.5
        self.bins_KTD = nn.Parameter(torch.randn(len(edges), bins, width) * scale)
        self.linear_KD = nn.Parameter(torch.randn(len(edges), width) * scale)
        self.bias_KD = nn.Parameter(torch.zeros(len(edges), width))
        self.missing_KD = nn.Parameter(torch.randn(len(edges), width) * scale)
        self.embed = nn.Embedding(max(sum(sizes), 1), width)
        with torch.no_grad():
            self.embed.weight.mul_(scale)

    def forward(self, field: Field) -> Tensor:
        """Return the tokens (U, K + M, width)."""
        numbers = field.values["numbers"]
        known = ~numbers.isnan()
        values = torch.where(known, numbers, torch.zeros_like(numbers))
        encoded = ((values.unsqueeze(-1) - self.low) / self.span).clamp(0, 1)
        tokens = torch.einsum("ukt,ktd->ukd", encoded, self.bins_KTD) + values.unsqueeze(-1) * self.linear_KD + self.bias_KD
        tokens = torch.where(known.unsqueeze(-1), tokens, self.missing_KD)
        categories = self.embed(field.values["categories"].long() + self.offsets)
        return torch.cat([tokens, categories], 1)


class Tabular(Encoder):
    """A perceptron over embedded columns: all columns -> one token."""

    def __init__(self, config: TabularConfig, width: int, state: State) -> None:
        super().__init__()
        self.width = width
        self.columns = Columns(state, config.embedding)
        flat = self.columns.count * config.embedding
        self.norm = nn.LayerNorm(flat)
        self.mlp = mlp(flat, config.hidden, config.hidden, config.depth - 1, config.dropout)
        self.drop = nn.Sequential(nn.GELU(), nn.Dropout(config.dropout))
        self.project = nn.Linear(config.hidden, width)

    def forward(self, field: Field) -> Features:
        """Return the tokens (U, 1, width)."""
        return Features.vector(self.project(self.drop(self.mlp(self.norm(self.columns(field).flatten(1))))))


class TabularTransformer(Encoder):
    """A transformer over columns: all columns -> one token for each."""

    def __init__(self, config: TabularTransformerConfig, width: int, state: State) -> None:
        super().__init__()
        self.width = width
        self.columns = Columns(state, config.hidden)
        self.name_LD = nn.Parameter(torch.randn(self.columns.count, config.hidden) * config.hidden**-0.5)
        self.transformer = Transformer(config.hidden, config.depth, config.heads, config.dropout)
        self.project = nn.Linear(config.hidden, width)

    def forward(self, field: Field) -> Features:
        """Return the tokens (U, columns, width)."""
        tokens = self.columns(field) + self.name_LD
        mask = torch.ones(tokens.shape[:2], dtype=torch.bool, device=tokens.device)
        return Features(self.project(self.transformer(Features(tokens, mask)).tokens_BLD), mask)
