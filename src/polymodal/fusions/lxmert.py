"""LXMERT (Tan and Bansal 2019, arXiv:1908.07490): a transformer over words, one over the objects of pictures, and attention between them.

Differences from the paper: the objects are what the encoders of the pictures make, such as the positions of a grid, each with its box in
the picture, and not regions that a detector found. The mean of the visual tokens of a row is one more token, whose box is the whole
picture; it is zero in a row without a picture. The representation is the pooled output for the class token and the output for that token,
side by side, so that the last block of pictures takes part.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from ..flow import Features, State, height_and_width
from ..layers.pooling import mean_pool
from .joint import Joint, JointConfig, additive, joined


class LXMERTConfig(JointConfig):
    """LXMERT: a transformer over words, one over visual tokens, and attention between them."""

    network: ClassVar[str] = "lxmert"
    kind: Literal["lxmert"] = "lxmert"

    @classmethod
    def fusion(cls) -> type[Joint]:
        """Return the class of this fusion, ``LXMERT``."""
        return LXMERT

    def own_sizes(self, width: int) -> dict[str, Any]:
        """Return the numbers of blocks (half as many of pictures and of both as of words), and the width of visual tokens."""
        half = -(-self.depth // 2)
        return {"l_layers": self.depth, "r_layers": half, "x_layers": half, "visual_feat_dim": width, "visual_pos_dim": 4}


class LXMERT(Joint):
    """The output for the class token and for the whole picture -> (B, 1, 2 * width)."""

    visual_size = "visual_feat_dim"

    def __init__(
        self, config: JointConfig, widths: Mapping[str, int | None], width: int, text: str | None, states: Mapping[str, State]
    ) -> None:
        super().__init__(config, widths, width, text, states)
        self.shapes = [_shape(states.get(name, {})) for name in widths if name != text]
        self.width_out = 2 * self.hidden

    def represent(self, text: Features, others: Sequence[Features]) -> Tensor:
        """Return both outputs, side by side (B, 2 * D)."""
        visual = self.visual(text, others)
        whole = Features.vector(mean_pool(visual))
        visual = joined([whole, visual])
        boxes = [text.tokens_BLD.new_tensor([[0.0, 0.0, 1.0, 1.0]])]
        boxes += [boxes_of(field.mask_BL.shape[1], shape).to(boxes[0]) for field, shape in zip(others, self.shapes, strict=True)]
        every_box = torch.cat(boxes).unsqueeze(0).expand(text.tokens_BLD.shape[0], -1, -1)
        words = self.network.embeddings(None, torch.zeros_like(text.mask_BL, dtype=torch.long), text.tokens_BLD)
        of_pictures, of_words = self.network.encoder(
            words, additive(text.mask_BL, words.dtype), visual.tokens_BLD, every_box, additive(visual.mask_BL, words.dtype)
        )[:2]
        return torch.cat([self.network.pooler(of_words[0][-1]), of_pictures[0][-1][:, 0]], -1)


def boxes_of(count: int, height_by_width: float) -> Tensor:
    """Return the boxes (L, 4) of the positions of a grid in row order: left, top, right and bottom, from 0 to 1.

    :param count: the number of positions L; the grid has the divisors of it whose ratio is nearest to that of the sides
    :param height_by_width: the height of the picture divided by its width
    """
    divisors = [rows for rows in range(1, count + 1) if count % rows == 0]
    rows = min(divisors, key=lambda divisor: abs(math.log(divisor * divisor / count / height_by_width)))
    columns = count // rows
    return torch.tensor(
        [[left / columns, top / rows, (left + 1) / columns, (top + 1) / rows] for top in range(rows) for left in range(columns)]
    ).view(-1, 4)


def _shape(state: State) -> float:
    """Return the height of the pictures of a field divided by their width; 1 for other fields."""
    height, width = height_and_width(state) if "size" in state else (1, 1)
    return height / width
