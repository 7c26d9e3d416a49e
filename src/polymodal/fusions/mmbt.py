"""MMBT (Kiela et al. 2019, arXiv:1909.02950): the visual tokens of pictures are projected into the input sequence of a BERT, as its first
segment; the words of the text are the second one. Positions are counted in each segment.

Difference from the paper: the number of visual tokens is that of the encoders of the pictures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from ..flow import Features, State
from .joint import SPREAD, Joint, JointConfig, additive, joined


class MMBTConfig(JointConfig):
    """MMBT: a BERT whose first segment is visual tokens, and whose second is a text."""

    network: ClassVar[str] = "bert"
    kind: Literal["mmbt"] = "mmbt"

    @classmethod
    def fusion(cls) -> type[Joint]:
        """Return the class of this fusion, ``MMBT``."""
        return MMBT


class MMBT(Joint):
    """The pooled output for the class token -> (B, 1, width)."""

    def __init__(
        self, config: JointConfig, widths: Mapping[str, int | None], width: int, text: str | None, states: Mapping[str, State]
    ) -> None:
        super().__init__(config, widths, width, text, states)
        self.between_D = nn.Parameter(torch.randn(self.hidden) * SPREAD)

    @torch.no_grad()
    def start_tokens(self, first_D: Tensor, last_D: Tensor) -> None:
        """Set the class token, and the token between the segments."""
        super().start_tokens(first_D, last_D)
        self.between_D.copy_(last_D)

    def represent(self, text: Features, others: Sequence[Features]) -> Tensor:
        """Return the output of the pooler (B, D)."""
        first, words = Features(text.tokens_BLD[:, :1], text.mask_BL[:, :1]), Features(text.tokens_BLD[:, 1:], text.mask_BL[:, 1:])
        between = Features(self.between_D.expand(first.tokens_BLD.shape[0], 1, -1), first.mask_BL)
        segment = joined([first, self.visual(text, others), between])
        both = joined([segment, words])
        places_1L = torch.cat([self.places(segment), self.places(words)], 1)
        length = segment.mask_BL.shape[1]
        types_BL = (torch.arange(both.mask_BL.shape[1], device=both.mask_BL.device) >= length).long().expand(both.mask_BL.shape[0], -1)
        tokens_BLD = self.network.embeddings(inputs_embeds=both.tokens_BLD, token_type_ids=types_BL, position_ids=places_1L)
        pooled_BD: Tensor = self.network.pooler(
            self.network.encoder(tokens_BLD, attention_mask=additive(both.mask_BL, tokens_BLD.dtype))[0]
        )
        return pooled_BD
