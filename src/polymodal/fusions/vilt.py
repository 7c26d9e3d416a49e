"""ViLT (Kim et al. 2021, arXiv:2102.03334): one transformer over the words of a text and the patches of pictures, without a network of
pictures before it.

Difference from the paper: a picture is squeezed to a square, whose patches are all read, in place of a random choice among the patches of
a picture of any shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

from torch import Tensor

from ..flow import Features
from .joint import Joint, JointConfig, additive, joined


class ViLTConfig(JointConfig):
    """ViLT: one transformer over words and patches."""

    network: ClassVar[str] = "vilt"
    kind: Literal["vilt"] = "vilt"

    @classmethod
    def fusion(cls) -> type[Joint]:
        """Return the class of this fusion, ``ViLT``."""
        return ViLT


class ViLT(Joint):
    """The pooled output for the class token -> (B, 1, width)."""

    def represent(self, text: Features, others: Sequence[Features]) -> Tensor:
        """Return the output of the pooler (B, D)."""
        visual = self.visual(text, others)
        embeddings = self.network.embeddings
        words = embeddings.text_embeddings(inputs_embeds=text.tokens_BLD)
        types_TD = embeddings.token_type_embeddings.weight
        both = joined([Features(words + types_TD[0], text.mask_BL), Features(visual.tokens_BLD + types_TD[1], visual.mask_BL)])
        mask = additive(both.mask_BL, both.tokens_BLD.dtype)
        encoded = self.network.layernorm(self.network.encoder(both.tokens_BLD, attention_mask=mask)[0])
        pooled_BD: Tensor = self.network.pooler(encoded)
        return pooled_BD
