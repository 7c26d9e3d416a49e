"""The model: encoders (f), a fusion (g) and heads. The representation is h = g(f(x), f(t), ...); the heads compute predictions from h.

There is one class and there are two ways to build it: ``MultiModalModel(image_model, text_model)`` from any modules, and
``build(config, ...)`` from a config. Shapes: ``B`` rows, ``L`` tokens, ``D`` width, ``C`` outputs, ``V`` voters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import torch
from pydantic import Field as Setting
from pydantic import model_validator
from torch import Tensor, nn

from .config import Config, External, quote
from .encoders import USUAL_MODELS, AnyEncoder, Encoder, EncoderConfig, PretrainedModels
from .errors import ConfigError, counted
from .flow import FUSED, TREES, Features, Field, Form, Output, State, network
from .fusions import AnyFusion, Fusion, FusionConfig, LowRankConfig, menu_of
from .fusions.fusion import linear
from .layers.pooling import mean_pool
from .request import MMFPreset
from .tasks import RULES, Task
from .trees import BoostedTrees, TreesConfig
from .weights import Parts


class ModelConfig(Config):
    """The settings of the encoders, the fusion and the heads."""

    width: int = Setting(128, ge=4, le=2**16)
    """The width of every field's tokens and of the fused representation, 4 to 65,536."""
    preset: Literal["scratch", "pretrained", MMFPreset] = "scratch"
    """The default encoder of each field: trained from scratch, or a pretrained one (docs/pretrained.md), which is downloaded from the
    Hugging Face hub unless it is on this machine; mmf/NAME = a model of MMF, with its fusion (docs/howto/mmf-models.md)."""
    pretrained: PretrainedModels = USUAL_MODELS
    """The models that the presets use, by kind of field."""
    encoders: dict[str, AnyEncoder] = {}
    """The encoder of each field."""
    fusion: AnyFusion = LowRankConfig()
    """The fusion of the fields into one representation."""
    dropout: float = Setting(0.1, ge=0, lt=1)
    """The dropout rate (0 to 1) of the representation, before the heads."""
    missing: Literal["nothing", "token"] = "nothing"
    """What a missing field contributes to its row: nothing, or a learned token."""
    votes: bool = True
    """Whether each single field has heads besides the fused ones. The vote weights are fitted on validation rows, which reduces the weight
    of uninformative fields and calibrates probabilities."""

    trees: TreesConfig | None = TreesConfig()
    """Boosted trees (LightGBM) on the columns, the texts and the frozen features of the table; their prediction is one more vote beside
    those of the network. null = no trees."""

    @model_validator(mode="after")
    def _has_voters(self) -> ModelConfig:
        if not self.votes and isinstance(self.fusion, FusionConfig) and not RULES[self.fusion.voting].fused:
            raise ValueError("model.votes: false, but the predictions of this fusion consist of votes alone; leave model.votes out")
        return self


class MultiModalModel(nn.Module):
    """A model with any number of encoders, a fusion and linear heads.

    ``MultiModalModel(image_model, text_model)`` takes any modules that return (B, D) or (B, L, D). Their widths are inferred at the first
    call; optimizers may be created before it. ``model(images, texts)`` returns logits (B, outputs), or an ``Output`` if ``heads`` is given.

    :param encoders: one module for each input, in the order of the call, or by keyword: ``image_model=..., text_model=...``
    :param fusion: the name of a fusion (``"concat"``, ``"lowrank"``, ``"attention"``, ...), its config, or a ``Fusion``
    :param outputs: the number of outputs if there are no named heads
    :param heads: the number of outputs of each task, by task name
    :param names: the names of the inputs that are not given by keyword
    :param width: the width of the fused representation, and of the tokens of missing fields
    :param dropout: the dropout rate of the representation, before the heads
    :param missing: what a missing field contributes to its row: nothing, or a learned token
    :param votes: whether each single field has heads besides the fused ones; requires ``heads``
    :raises ConfigError: there is no encoder, an encoder is not an ``nn.Module``, or the number of names differs from that of encoders
    """

    probing: bool = False
    """Whether the heads of single fields receive detached features, so that their loss does not train the encoders."""
    vote_heads: nn.ModuleList
    vote_weights_TV: Tensor
    trees: BoostedTrees | None
    """Boosted trees, which vote beside the network; None = no trees. They are attached after the network is trained."""
    further: nn.ModuleList
    """Further networks of the same structure, trained from other random weights under other settings. Each has one vote, of its fused
    representation."""

    def __init__(
        self,
        *encoders: nn.Module,
        fusion: str | FusionConfig | Fusion = "concat",
        outputs: int = 1,
        heads: Mapping[str, int] | None = None,
        names: Sequence[str] | None = None,
        width: int = 128,
        dropout: float = 0.0,
        missing: Literal["nothing", "token"] = "nothing",
        votes: bool = False,
        **named: nn.Module,
    ) -> None:
        super().__init__()
        modules = [*encoders, *named.values()]
        if not modules:
            raise ConfigError("MultiModalModel: no encoder; expected at least one module, such as MultiModalModel(image_model, text_model)")
        for module in modules:
            if not isinstance(module, nn.Module):
                raise ConfigError(f"MultiModalModel: found {type(module).__name__}; expected nn.Module encoders")
        self.names = list(names) if names is not None else [f"input_{at}" for at in range(len(encoders))]
        self.names += list(named)
        if len(self.names) != len(modules):
            raise ConfigError(f"MultiModalModel: {counted(len(modules), 'encoder')}, {counted(len(self.names), 'name')}; expected as many")
        self.encoders = nn.ModuleList(modules)
        widths = {name: module.width if isinstance(module, Encoder) else None for name, module in zip(self.names, modules, strict=True)}
        self.fusion = _fusion(fusion, widths, width)
        self.tasks = list(heads) if heads is not None else []
        self.rules = [RULES[self.fusion.voting](C) for C in (heads or {"": outputs}).values()]
        fused = self.rules[0].fused
        self.heads = nn.ModuleList(linear(self.fusion.width_out, rule.outputs) for rule in self.rules if fused)
        self.drop = nn.Dropout(dropout)
        self.missing_FD = nn.Parameter(torch.zeros(len(modules), width)) if missing == "token" else None
        self.trees = None
        self.further = nn.ModuleList()
        self.has_votes = (votes and heads is not None) or not fused
        if self.has_votes:
            self.voters = self.names if len(modules) > 1 or not fused else []  # with one field, the fused vote is that of the field
            self.vote_heads = nn.ModuleList(nn.ModuleList(linear(widths[name], rule.width) for name in self.voters) for rule in self.rules)
            self.register_buffer("vote_weights_TV", torch.tensor([rule.start(len(self.voters)) for rule in self.rules]))

    def forward(self, *inputs: Tensor | Field, **named: Tensor | Field) -> Tensor | Output:
        """Compute the logits of a batch.

        :param inputs: tensors whose first axis is B, or ``Field``s, in the order of the encoders
        :param named: the same by name
        :returns: a tensor (B, outputs), or an ``Output`` if the model has named heads
        :raises ConfigError: the inputs do not match the names of the encoders
        """
        features = {name: self.admit(name, self.encode(name, field), field) for name, field in self._fields(inputs, named).items()}
        return self.answer(features)

    def attach(self, trees: BoostedTrees) -> None:
        """Add boosted trees as a voter, before any further network."""
        self.trees = trees
        self._add_voter()

    def attach_network(self, other: MultiModalModel) -> None:
        """Add another network as the last voter."""
        self.further.append(other)
        self._add_voter()

    def prune(self) -> None:
        """Remove further networks whose votes have weight 0 on every task."""
        if not len(self.further):
            return
        first = self.vote_weights_TV.shape[1] - len(self.further)
        kept = [at for at in range(len(self.further)) if bool((self.vote_weights_TV[:, first + at] != 0).any())]
        self.further = nn.ModuleList(self.further[at] for at in kept)
        self.register_buffer("vote_weights_TV", self.vote_weights_TV[:, [*range(first), *(first + at for at in kept)]].clone())

    def _add_voter(self) -> None:
        """Add a voter with weight 0, until the vote weights are fitted."""
        self.register_buffer("vote_weights_TV", torch.cat([self.vote_weights_TV, self.vote_weights_TV.new_zeros(len(self.rules), 1)], 1))

    def restore(
        self, weights: Mapping[str, Tensor], forms: Mapping[str, Form], states: Mapping[str, State], another: Callable[[], MultiModalModel]
    ) -> None:
        """Load the weights of a trained model, and attach its trees and further networks if it has some.

        :param weights: the ``state_dict`` of the trained model
        :param forms: the form of the samples of each field
        :param states: the fitted state of each field
        :param another: makes a network of the same structure
        :raises ValueError: the trees do not suit the fields and tasks
        :raises RuntimeError: the weights are those of another model
        """
        parts = Parts.of(weights)
        if parts.trees and self.trees is None and self.takes_others:
            self.attach(BoostedTrees.restore(parts.trees, self.names, forms, states, [rule.outputs for rule in self.rules]))
        while self.takes_others and len(self.further) < len(parts.further):
            self.attach_network(another())
        self.load_state_dict(weights)

    @property
    def takes_others(self) -> bool:
        """Whether boosted trees and further networks can vote beside the network: its rule weighs any votes."""
        return bool(self.tasks) and self.has_votes and all(rule.takes_others for rule in self.rules)

    def present(self, present: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return which rows each voter has, (B,): trees have those of any field that they read, further networks have all.

        :param present: by field, which rows have it
        """
        voters = dict(present)
        if self.trees is not None:
            voters[TREES] = torch.stack([present[name] for name in self.trees.fields]).any(0)
        every_B = torch.ones_like(next(iter(present.values())))
        return voters | {network(number): every_B for number in range(2, 2 + len(self.further))}

    def start(self) -> None:
        """Load the pretrained weights of the encoders and the fusion that have some. Called before training."""
        for part in (*self.encoders, self.fusion):
            if isinstance(part, (Encoder, Fusion)):
                part.start()

    def represent(self, *inputs: Tensor | Field, **named: Tensor | Field) -> Tensor:
        """Return the shared representation h, (B, width of the fusion)."""
        features = {name: self.admit(name, self.encode(name, field), field) for name, field in self._fields(inputs, named).items()}
        return mean_pool(self.fusion(features))

    def encode(self, name: str, field: Field) -> Features:
        """Return the features of a field's distinct cells, (U, L, D).

        :raises ConfigError: an encoder that is not an ``Encoder`` returns anything but a tensor (B, D) or (B, L, D)
        """
        encoder = self.encoders[self.names.index(name)]
        if isinstance(encoder, Encoder):
            result: Features = encoder(field)
            if self.trees is None and not len(self.further):
                return result
            numbers_UK = None if self.trees is None else self.trees.summarise(name, field)
            return replace(result, numbers_BK=numbers_UK, further=tuple(other.encode(name, field) for other in self._others))
        tokens = encoder(field.values["input"])
        if not isinstance(tokens, Tensor) or tokens.dim() not in (2, 3):
            shape = tuple(tokens.shape) if isinstance(tokens, Tensor) else type(tokens).__name__
            raise ConfigError(f"encoder {name!r}: returned {shape}; expected a tensor (B, D) or (B, L, D); flatten it")
        tokens = tokens.unsqueeze(1) if tokens.dim() == 2 else tokens
        return Features(tokens, torch.ones(tokens.shape[:2], dtype=torch.bool, device=tokens.device))

    def admit(self, name: str, features: Features, field: Field) -> Features:
        """Expand the features of distinct cells to rows (B, L, D) and apply the setting ``missing`` to rows that lack the field."""
        further = tuple(other.admit(name, part, field) for other, part in zip(self._others, features.further, strict=False))
        features = replace(replace(features, further=()).spread(field), further=further)
        if self.missing_FD is None:
            return features
        first_L = torch.arange(features.mask_BL.shape[1], device=features.mask_BL.device) == 0
        instead_BL = ~field.present_B.unsqueeze(1) & first_L
        token_D = self.missing_FD[self.names.index(name)]
        tokens_BLD = torch.where(instead_BL.unsqueeze(-1), token_D, features.tokens_BLD)
        return replace(features, tokens_BLD=tokens_BLD, mask_BL=features.mask_BL | instead_BL)

    def answer(self, features: Mapping[str, Features], present: Mapping[str, Tensor] | None = None) -> Tensor | Output:
        """Compute the output from the features of all fields.

        :param features: the features of each field, by name
        :param present: which rows have each field (B,), by name; None = the rows that have a real token in the mask
        :returns: a tensor (B, outputs), or an ``Output`` if the model has named heads
        """
        fused_BD, logits = self._fused(features)
        present = present or {name: field.mask_BL.any(1) for name, field in features.items()}
        votes = self._votes(features, logits, present) if self.has_votes else []
        if votes:
            rules, voters = zip(self.rules, votes, self.vote_weights_TV, strict=True), self.present(present)
            logits = [rule.pool(by_voter, voters, weights) for rule, by_voter, weights in rules]
        if not self.tasks:
            result: Tensor | Output = logits[0]
            return result
        return Output(dict(zip(self.tasks, logits, strict=True)), fused_BD, present, dict(zip(self.tasks, votes, strict=False)))

    def _fused(self, features: Mapping[str, Features]) -> tuple[Tensor, list[Tensor]]:
        """Return the fused representation, and its vote on each task."""
        fused_BD = mean_pool(self.fusion(features))
        return fused_BD, [head(self.drop(fused_BD)) for head in self.heads]

    @property
    def _others(self) -> list[MultiModalModel]:
        """The further networks, as models."""
        return [other for other in self.further if isinstance(other, MultiModalModel)]

    def _votes(self, features: Mapping[str, Features], fused: Sequence[Tensor], present: Mapping[str, Tensor]) -> list[dict[str, Tensor]]:
        """Return the votes of each task by voter: the fused vote first if the rule uses it, those of trees and further networks last."""
        pooled = {name: mean_pool(field) for name, field in features.items()}
        if self.probing:
            pooled = {name: vector.detach() for name, vector in pooled.items()}
        votes: list[dict[str, Tensor]] = []
        for at, heads in enumerate(self.vote_heads):
            by_voter = {name: head(self.drop(pooled[name])) for name, head in zip(self.voters, heads.children(), strict=True)}
            votes.append({FUSED: fused[at], **by_voter} if fused else by_voter)
        if self.trees is not None:
            numbers = {name: field.numbers_BK for name, field in features.items() if field.numbers_BK is not None}
            for by_voter, logits in zip(votes, self.trees(numbers, present), strict=True):
                by_voter[TREES] = logits
        for at, other in enumerate(self._others):
            _, of_other = other._fused({name: field.further[at] for name, field in features.items()})
            for by_voter, logits in zip(votes, of_other, strict=True):
                by_voter[network(at + 2)] = logits
        return votes

    def _fields(self, inputs: Sequence[Tensor | Field], named: Mapping[str, Tensor | Field]) -> dict[str, Field]:
        given = {**dict(zip(self.names, inputs, strict=False)), **named}
        if len(inputs) > len(self.names) or set(given) != set(self.names):
            raise ConfigError(f"model: called with {counted(len(inputs), 'input')} and {sorted(named)}; expected {', '.join(self.names)}")
        fields = {}
        for name in self.names:
            value = given[name]
            if isinstance(value, Tensor):
                value = Field({"input": value}, torch.ones(value.shape[0], dtype=torch.bool, device=value.device))
            fields[name] = value
        return fields


def build(config: ModelConfig, states: Mapping[str, State], tasks: Mapping[str, Task]) -> MultiModalModel:
    """Build the model of a config.

    :param states: the fitted state of each field, in the order of the fields
    :param tasks: the tasks by name
    :raises ConfigError: the fusion does not support the kind of a task, or an external component does not meet its contract
    """
    if isinstance(config.fusion, FusionConfig):
        check_tasks(config.fusion, {name: task.config for name, task in tasks.items()})
    encoders = []
    for name, state in states.items():
        encoder = config.encoders[name]
        if isinstance(encoder, External):
            encoders.append(_own_encoder(encoder, width=config.width, state=state))
        else:
            encoders.append(encoder.build(config.width, state))
    widths = {name: encoder.width for name, encoder in zip(states, encoders, strict=True)}
    fusion = config.fusion
    return MultiModalModel(
        *encoders,
        names=list(states),
        fusion=fusion.build_for(widths, config.width, states) if isinstance(fusion, FusionConfig) else fusion,
        heads={name: task.outputs for name, task in tasks.items()},
        width=config.width,
        dropout=config.dropout,
        missing=config.missing,
        votes=config.votes,
    )


def check_tasks(fusion: FusionConfig, tasks: Mapping[str, Any]) -> None:
    """Raise ``ConfigError`` if the voting rule of the fusion does not support the kind of a task.

    :param tasks: the config of each task by name
    """
    for name, config in tasks.items():
        reason = RULES[fusion.voting].refusal(config.task())
        if reason:
            found = f"found {config.kind} with {fusion.voting} votes"
            raise ConfigError(f"tasks.{quote(name)}.kind: {found}; {reason}; use model.fusion.kind: late")


ENCODER_CONTRACT = (
    "a subclass of polymodal.encoders.Encoder, built as Class(settings, width=..., state=...), whose class attributes form (such as "
    "'pixels') and needs (a dict, such as {}) state what it reads; see CONTRIBUTING.md"
)
FUSION_CONTRACT = (
    "a subclass of polymodal.fusions.Fusion, built as Class(settings, widths=..., width=...), that sets width_out; see CONTRIBUTING.md"
)
"""The contract of an external component, for messages."""


def form_of(encoder: EncoderConfig | External, made: Sequence[Form]) -> tuple[Form, dict[str, Any]]:
    """Return the form that an encoder reads and the settings that it requires of the modality.

    :param encoder: an encoder's config; an external encoder declares both in its class attributes ``form`` and ``needs``
    :param made: the forms that the modality makes
    :raises ConfigError: an external encoder lacks these attributes, or its form is not one of ``made``
    """
    if isinstance(encoder, External):
        part = encoder.load()
        try:
            form, needs = part.form, dict(part.needs)
        except (AttributeError, TypeError, ValueError) as error:
            raise ConfigError(f"kind {encoder.kind!r}: {error}; expected {ENCODER_CONTRACT}") from None
        if form not in made:
            raise ConfigError(f"kind {encoder.kind!r}: its form is {form!r}; expected one that this field makes: {', '.join(made)}")
        return form, needs
    form = encoder.form_for(made)
    return form, encoder.needs(form)


def _own_encoder(encoder: External, **facts: Any) -> Encoder:
    made = encoder.make(ENCODER_CONTRACT, **facts)
    if not isinstance(made, Encoder):
        raise ConfigError(f"kind {encoder.kind!r}: made a {type(made).__name__}; expected {ENCODER_CONTRACT}")
    return made


def _own_fusion(fusion: External, **facts: Any) -> Fusion:
    made = fusion.make(FUSION_CONTRACT, **facts)
    try:
        _ = made.width_out, made.voting, made.forward
    except AttributeError as error:
        raise ConfigError(f"kind {fusion.kind!r}: {error}; expected {FUSION_CONTRACT}") from None
    return made  # type: ignore[no-any-return]


def _fusion(fusion: object, widths: Mapping[str, int | None], width: int) -> Fusion:
    if isinstance(fusion, Fusion):
        return fusion
    if isinstance(fusion, str):
        fusion = menu_of(fusion)
    if isinstance(fusion, External):
        return _own_fusion(fusion, widths=widths, width=width)
    assert isinstance(fusion, FusionConfig)
    return fusion.build(widths, width)
