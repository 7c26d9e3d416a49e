"""The transformer of MMF (``mmf_transformer``): a BERT over the tokens of all fields. The tokens of each field have positions of their own,
and a learned vector for their field.

``attention`` is the same idea with blocks of polymodal; this network can take the weights of a BERT.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from torch import Tensor

from ..flow import Features
from .joint import Joint, JointConfig, additive, joined


class MMFTransformerConfig(JointConfig):
    """The transformer of MMF: a BERT over the tokens of all fields."""

    network: ClassVar[str] = "bert"
    has_text: ClassVar[bool] = False
    kind: Literal["mmf_transformer"] = "mmf_transformer"

    @classmethod
    def fusion(cls) -> type[Joint]:
        """Return the class of this fusion, ``MMFTransformer``."""
        return MMFTransformer


class MMFTransformer(Joint):
    """The pooled output for the class token -> (B, 1, width)."""

    def represent(self, text: Features, others: Sequence[Features]) -> Tensor:
        """Return the output of the pooler (B, D)."""
        every = joined([text, *others])
        places_1L = torch.cat([self.places(text), *(self.places(field, 1) for field in others)], 1)
        types_BL = torch.zeros_like(every.mask_BL, dtype=torch.long)
        tokens_BLD = self.network.embeddings(inputs_embeds=every.tokens_BLD, token_type_ids=types_BL, position_ids=places_1L)
        pooled_BD: Tensor = self.network.pooler(
            self.network.encoder(tokens_BLD, attention_mask=additive(every.mask_BL, tokens_BLD.dtype))[0]
        )
        return pooled_BD
