"""VisualBERT (Li et al. 2019, arXiv:1908.03557): one transformer over the words of a text and the visual tokens of pictures.

Difference from the paper: visual tokens are what the encoders of the pictures make, such as the positions of a grid, and not regions that
a detector found.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from ..flow import Features
from .joint import Joint, JointConfig, additive


class VisualBERTConfig(JointConfig):
    """VisualBERT: one transformer over words and visual tokens."""

    network: ClassVar[str] = "visual_bert"
    kind: Literal["visual_bert"] = "visual_bert"

    @classmethod
    def fusion(cls) -> type[Joint]:
        """Return the class of this fusion, ``VisualBERT``."""
        return VisualBERT

    def own_sizes(self, width: int) -> dict[str, Any]:
        """Return the number of blocks, and the width of visual tokens."""
        return super().own_sizes(width) | {"visual_embedding_dim": width}


class VisualBERT(Joint):
    """The pooled output for the class token -> (B, 1, width)."""

    visual_size = "visual_embedding_dim"

    def represent(self, text: Features, others: Sequence[Features]) -> Tensor:
        """Return the output of the pooler (B, D)."""
        visual = self.visual(text, others)
        tokens_BLD = self.network.embeddings(inputs_embeds=text.tokens_BLD, visual_embeds=visual.tokens_BLD)
        mask = additive(torch.cat([text.mask_BL, visual.mask_BL], 1), tokens_BLD.dtype)
        pooled_BD: Tensor = self.network.pooler(self.network.encoder(tokens_BLD, attention_mask=mask)[0])
        return pooled_BD
