"""The base classes of fusions that are a whole network of words and pictures: VisualBERT, ViLT, LXMERT, MMBT, and a transformer over the
tokens of all fields. transformers builds the network; the embeddings of words and patches are encoders of their own.

A sequence begins with a class token, which every row has, and whose output is the representation. One field is the text. The tokens of
all other fields are visual tokens, whatever they are; if there are several such fields, each adds a learned vector to its tokens.
What a row lacks has no token. The pretrained weights are those of the model whose embeddings the encoders have.

Shapes: ``B`` rows, ``L`` tokens, ``D`` width of the network, ``F`` fields.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from pydantic import Field as Setting
from torch import Tensor, nn

from ..backbones import Facts
from ..backbones.joint import facts_in, load_network, network_of, words_of
from ..errors import ConfigError, nearest, spelled
from ..flow import Features, Form, State
from ..layers.pooling import without_masked
from .fusion import Fusion, FusionConfig, heads_divide, linear

_TEXT: Form = "tokens"
_POSITIONS = 512
"""The number of positions of a network that is trained from scratch, if its texts are not longer."""
SPREAD = 0.02
"""The standard deviation of new tokens, as in BERT."""
_SCALES = (0.3, 0.03)
"""The factors on the learning rate of a network from scratch, and of a pretrained one."""


class JointConfig(FusionConfig):
    """The settings of all networks of words and pictures."""

    network: ClassVar[str]
    """The type of the network in transformers."""
    has_text: ClassVar[bool] = True
    """Whether one field is the text; otherwise all fields are alike."""
    is_compared: ClassVar[bool] = False

    depth: int = Setting(2, ge=1, le=256)
    """The number of blocks of a network from scratch; a pretrained one has its own. Cost grows with it, and with the square of the number
    of tokens."""
    heads: int = Setting(4, ge=1, le=1_024)
    """The number of attention heads of a network from scratch; must divide ``model.width``."""
    dropout: float = Setting(0.1, ge=0, lt=1)
    """The dropout rate inside the network."""
    text: str | None = None
    """The field that is the text; null = the only field of text. The tokens of the other fields are visual tokens."""
    lr_scale: float | None = Setting(None, gt=0)
    """The factor on the learning rate of the network; null = 0.3 from scratch, 0.03 for a pretrained one."""

    @property
    def libraries(self) -> tuple[str, ...]:
        """The package that builds the network."""
        return ("transformers",)

    def check(self, fields: Sequence[str], width: int) -> None:
        """Check the number of heads and the name of the text.

        :raises ConfigError: ``width`` is not divisible by ``heads``, or ``text`` is not one of several fields
        """
        heads_divide(self.heads, width)
        if self.text is not None and len(fields) > 1 and self.text not in fields:
            raise ConfigError(
                f"model.fusion.text: {self.text!r} is not a field; expected one of {', '.join(fields)}, or null{nearest(self.text, fields)}"
            )

    def check_forms(self, forms: Mapping[str, Sequence[Form]]) -> None:
        """Check that there is at most one text, unless ``text`` names it.

        :raises ConfigError: there are several texts
        """
        texts = [name for name, made in forms.items() if _TEXT in made]
        if self.text is None and self.has_text and len(texts) > 1:
            raise ConfigError(
                f"model.fusion.text: the fields {', '.join(texts)} are texts; expected one; name it by model.fusion.text, or leave the "
                f"others out ({spelled('--ignore COL', 'ignore=...')})"
            )

    def build(self, widths: Mapping[str, int | None], width: int) -> Fusion:
        """Build the fusion for any number of fields of any widths, from scratch."""
        return self.build_for(widths, width, {})

    def build_for(self, widths: Mapping[str, int | None], width: int, states: Mapping[str, State]) -> Fusion:
        """Build the network: that of the model whose embeddings the fields have, otherwise one from scratch.

        :raises ConfigError: the network cannot have this width, or cannot be built
        """
        self.check(list(widths), width)
        texts = [name for name, state in states.items() if _TEXT in str(state.get("form")) or "max_ngrams" in state]
        text = self.text if self.text is not None else texts[0] if len(texts) == 1 else None
        return self.fusion()(self, widths, width, text if self.has_text else None, states)

    @classmethod
    def fusion(cls) -> type[Joint]:
        """Return the class of the fusion."""
        raise NotImplementedError

    def own_sizes(self, width: int) -> dict[str, Any]:
        """Return the sizes of a network from scratch that are special to its type, in the terms of transformers."""
        return {"num_hidden_layers": self.depth}


class Joint(Fusion):
    """The output of a network for its class token -> (B, 1, width of the representation)."""

    network: Any
    visual_size: ClassVar[str] = "hidden_size"
    """The setting of the network that is the width of its visual tokens."""

    def __init__(
        self, config: JointConfig, widths: Mapping[str, int | None], width: int, text: str | None, states: Mapping[str, State]
    ) -> None:
        super().__init__()
        self.facts: Facts | None = facts_in(states, config.network)
        longest = max((int(state.get("max_tokens", 0)) for state in states.values()), default=0)
        rates = {"hidden_dropout_prob": config.dropout, "attention_probs_dropout_prob": config.dropout}
        scratch = {"hidden_size": width, "num_attention_heads": config.heads, "intermediate_size": 4 * width, "hidden_act": "gelu",
                   "max_position_embeddings": max(_POSITIONS, longest + 2), **config.own_sizes(width)}  # fmt: skip
        self.network = network_of(config.network, (scratch if self.facts is None else self.facts["config"]) | rates)
        self.hidden: int = self.network.config.hidden_size
        if self.facts is not None and self.hidden != width:
            raise ConfigError(f"model.width: {width}, but {self.facts['model']} has {self.hidden}; set model.width: {self.hidden}")
        self.most: int = self.network.config.max_position_embeddings
        self.lr_scale = config.lr_scale or _SCALES[self.facts is not None]
        self.text, self.visual_width = text, int(getattr(self.network.config, self.visual_size))
        self.project = nn.ModuleList(
            _as_they_are(field_width, self.hidden if name == text else self.visual_width) for name, field_width in widths.items()
        )
        self.class_D = nn.Parameter(torch.randn(self.hidden) * SPREAD)
        others = [name for name in widths if name != text]
        self.name_FD = nn.Parameter(torch.zeros(len(others), self.visual_width)) if len(others) > 1 else None
        self.width_out = self.hidden

    def start(self) -> None:
        """Load the weights of the model whose embeddings the fields have, if there is one.

        :raises ConfigError: the weights cannot be found
        """
        if self.facts is None:
            return
        load_network(self.network, self.facts)
        if self.facts.get("ends"):
            self.start_tokens(*words_of(self.facts)[self.facts["ends"]])

    @torch.no_grad()
    def start_tokens(self, first_D: Tensor, last_D: Tensor) -> None:
        """Set the tokens that begin and end a sequence to the embeddings that a model has for them."""
        self.class_D.copy_(first_D)

    def forward(self, features: Mapping[str, Features]) -> Features:
        """Return the representation of each row, which is one token."""
        projected = {name: Features(project(without_masked(field).tokens_BLD), field.mask_BL)
                     for project, (name, field) in zip(self.project, features.items(), strict=True)}  # fmt: skip
        rows = next(iter(projected.values())).tokens_BLD.shape[0]
        begun = [Features.vector(self.class_D.expand(rows, -1))]
        if self.text in projected:
            begun.append(projected.pop(self.text))
        others = list(projected.values())
        if self.name_FD is not None:
            others = [Features(field.tokens_BLD + name_D, field.mask_BL) for field, name_D in zip(others, self.name_FD, strict=True)]
        text = joined(begun)
        return Features.vector(self.represent(Features(text.tokens_BLD[:, : self.most], text.mask_BL[:, : self.most]), others))

    @abstractmethod
    def represent(self, text: Features, others: Sequence[Features]) -> Tensor:
        """Return the representation (B, width_out).

        :param text: the class token and the tokens of the text (B, L, D); masked tokens may have any value
        :param others: the visual tokens of each other field (B, L, width of visual tokens), likewise; there may be no such field
        """

    def visual(self, text: Features, others: Sequence[Features]) -> Features:
        """Return the tokens of all other fields, in their order; there may be none."""
        none = Features(text.tokens_BLD.new_zeros(text.tokens_BLD.shape[0], 0, self.visual_width), text.mask_BL[:, :0])
        return joined([none, *others])

    def places(self, tokens: Features, first: int = 0) -> Tensor:
        """Return the numbers of the positions of tokens (1, L), from ``first`` on; those after the last position of the network have it."""
        length = tokens.mask_BL.shape[1]
        return torch.arange(first, first + length, device=tokens.mask_BL.device).clamp(max=self.most - 1).unsqueeze(0)


def _as_they_are(width_in: int | None, width_out: int) -> nn.Linear:
    """Return a linear layer that starts as the identity if the widths are equal."""
    layer = linear(width_in, width_out)
    if width_in == width_out:
        with torch.no_grad():
            layer.weight.copy_(torch.eye(width_out))
            layer.bias.zero_()
    return layer


def joined(parts: Sequence[Features]) -> Features:
    """Return the tokens of all parts, in their order."""
    return Features(torch.cat([part.tokens_BLD for part in parts], 1), torch.cat([part.mask_BL for part in parts], 1))


def additive(mask_BL: Tensor, dtype: torch.dtype) -> Tensor:
    """Return a mask of tokens as numbers (B, 1, 1, L) that are added to the scores of attention."""
    return torch.zeros_like(mask_BL, dtype=dtype).masked_fill(~mask_BL, torch.finfo(dtype).min)[:, None, None]
