"""The models of MMF by their names there, as presets: ``model.preset: mmf/visual_bert``.

A preset is an entry of a table: the settings of the model, the encoder of each kind of field, and how many fields of each kind it takes.
It is no code of its own: every part is on a menu, and any setting of it can be overridden.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .backbones.joint import hidden_size
from .errors import ConfigError
from .flow import Form
from .language import Sentence

_WIDTH, _DEPTH, _HEADS = 256, 4, 4
"""The size of a network from scratch: that of BERT-mini (Turc et al. 2019, arXiv:1908.08962)."""
_FORMS: Mapping[str, Form] = {"text": "tokens", "image": "pixels"}
"""The form by which a field is known to be a text or a picture."""
_NAMES = {"text": ("text", "texts"), "image": ("picture", "pictures")}


@dataclass(frozen=True)
class Reader:
    """The encoder of a kind of field: its settings from scratch, and those with the weights of a model."""

    source: str
    """The setting of ``model.pretrained`` that names the model."""
    scratch: Mapping[str, Any]
    given: Mapping[str, Any]


@dataclass(frozen=True)
class Architecture:
    """A model of MMF."""

    text: Reader | None
    image: Reader | None
    fusion: Mapping[str, Any]
    """The settings of ``model.fusion``."""
    least: Mapping[str, int]
    """The fewest fields of each kind."""
    most: Mapping[str, int]
    """The most fields of each kind; kinds that are not listed have no limit."""
    takes_others: bool = False
    """Whether it takes fields of other kinds, read by their usual encoders."""
    leaves_out: bool = False
    """Whether it leaves out fields of other kinds, in place of refusing the table."""
    votes: bool = False

    @property
    def readers(self) -> dict[str, Reader]:
        """The encoder of each kind of field that has one of its own."""
        return {kind: reader for kind, reader in (("text", self.text), ("image", self.image)) if reader is not None}

    @property
    def takes(self) -> str:
        """What fields it takes, in words."""
        parts = []
        for kind in self.readers:
            one, several = _NAMES[kind]
            least, most = self.least.get(kind, 0), self.most.get(kind)
            parts.append(f"one {one}" if most == 1 else f"one or more {several}" if least else f"any number of {several}")
        return " and ".join(parts) + (" and any other fields" if self.takes_others else "")


_TRANSFORMER = {"kind": "text_transformer", "hidden": _WIDTH, "depth": _DEPTH, "heads": _HEADS, "max_tokens": 128}
_TUNED = {"kind": "pretrained", "tune": "full"}
_BAG = Reader("", {"kind": "bag"}, {})
_BERT = Reader("text", _TRANSFORMER, _TUNED)
_VECTOR = Reader("image", {"kind": "convnet"}, _TUNED)
_GRID = Reader("image", {"kind": "convnet", "tokens": "grid"}, _TUNED | {"pool": "tokens"})
_REGIONS = Reader("image", {"kind": "convnet", "tokens": "grid"}, {"kind": "pretrained", "tune": "frozen", "pool": "tokens"})
_WORDS = Reader("joint", {"kind": "word_embeddings"}, {"kind": "word_embeddings"})
_PATCHES = Reader("joint", {"kind": "patch_embeddings"}, {"kind": "patch_embeddings"})
_CONCAT = {"kind": "concat", "layers": 2}
_SIZE = {"depth": _DEPTH, "heads": _HEADS}
_BOTH = {"text": 1, "image": 1}
_ONE_TEXT = {"text": 1}

PREFIX = "mmf/"
ARCHITECTURES: Mapping[str, Architecture] = {
    "mmf/concat_bow": Architecture(_BAG, _VECTOR, _CONCAT, _BOTH, {}, takes_others=True),
    "mmf/concat_bert": Architecture(_BERT, _VECTOR, _CONCAT, _BOTH, {}, takes_others=True),
    "mmf/late_fusion": Architecture(_BERT, _VECTOR, {"kind": "late", "rule": "mean"}, _BOTH, {}, takes_others=True, votes=True),
    "mmf/unimodal_text": Architecture(_BERT, None, _CONCAT, {"text": 1}, {}, leaves_out=True),
    "mmf/unimodal_image": Architecture(None, _VECTOR, _CONCAT, {"image": 1}, {}, leaves_out=True),
    "mmf/mmbt": Architecture(_WORDS, _GRID, {"kind": "mmbt", **_SIZE}, _BOTH, _ONE_TEXT),
    "mmf/visual_bert": Architecture(_WORDS, _REGIONS, {"kind": "visual_bert", **_SIZE}, _BOTH, _ONE_TEXT),
    "mmf/vilt": Architecture(_WORDS, _PATCHES, {"kind": "vilt", **_SIZE}, _BOTH, _ONE_TEXT),
    "mmf/lxmert": Architecture(_WORDS, _REGIONS, {"kind": "lxmert", **_SIZE}, _BOTH, _ONE_TEXT),
    "mmf/mmf_transformer": Architecture(_WORDS, _GRID, {"kind": "mmf_transformer", **_SIZE}, {}, {}, takes_others=True),
}
"""The presets by name."""
_ANY = "mmf/mmf_transformer"


def with_settings(model: Mapping[str, Any], requested: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a model with those of its preset below them: what is set takes precedence over the preset.

    :param model: the settings of ``model``, as plain data
    :param requested: the same after overrides, which may name the preset and its pretrained models
    :raises ConfigError: a pretrained model cannot be found, or the preset has no use for it
    """
    architecture = ARCHITECTURES.get(str(requested.get("preset")))
    if architecture is None:
        return dict(model)
    models = _models(requested)
    used = {reader.source for reader in architecture.readers.values()}
    for name in models:
        if name not in used:
            fix = ", ".join(f"model.pretrained.{source}" for source in sorted(used - {""})) or "no pretrained model"
            raise ConfigError(f"model.pretrained.{name}: {requested['preset']} does not read it; expected {fix}; leave it out")
    own: dict[str, Any] = {"width": _WIDTH, "votes": architecture.votes, "trees": None, "fusion": dict(architecture.fusion)}
    if "joint" in models:
        own["width"] = hidden_size(models["joint"])
    fusion = model.get("fusion")
    if isinstance(fusion, Mapping):
        own["fusion"] = {**own["fusion"], **fusion} if fusion.get("kind", own["fusion"]["kind"]) == own["fusion"]["kind"] else fusion
    return {**own, **{name: value for name, value in model.items() if name != "fusion"}}


def taken(preset: str, fields: Mapping[str, Sequence[Form]], columns: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the names of the fields that a preset reads: all of them, for a preset of other architectures than those of MMF.

    :param fields: the forms that the modality of each field makes
    :param columns: the columns that each field reads
    :raises ConfigError: the preset cannot take these fields
    """
    architecture = ARCHITECTURES.get(preset)
    if architecture is None:
        return list(fields)
    kinds = {name: _kind(forms) for name, forms in fields.items()}
    kept = [name for name, kind in kinds.items() if kind in architecture.readers or architecture.takes_others]
    counts = {kind: sum(kinds[name] == kind for name in kept) for kind in _FORMS}
    wrong = [name for name in fields if name not in kept and not architecture.leaves_out]
    fits = all(count >= architecture.least.get(kind, 0) for kind, count in counts.items())
    fits = fits and all(counts[kind] <= most for kind, most in architecture.most.items())
    if fits and kept and not wrong:
        return kept
    found = ", ".join(f"{name} ({_NAMES.get(kind, (kind,))[0]})" for name, kind in kinds.items()) or "no field"
    out = f"leave out what it cannot take ({' '.join(f'--ignore {one}' for name in wrong for one in columns[name])}), or " if wrong else ""
    raise ConfigError(f"model.preset: {preset} takes {architecture.takes}; found {found}; {out}use {_ANY}, which takes any fields")


def encoder_of(preset: str, forms: Sequence[Form], models: Mapping[str, str | None]) -> tuple[dict[str, Any], str] | None:
    """Return the settings of the encoder that a preset has for a field, and the reason; None if the preset has none for it.

    :param forms: the forms that the modality of the field makes
    :param models: the pretrained models by the names in ``model.pretrained``; None = from scratch
    """
    architecture = ARCHITECTURES.get(preset)
    reader = architecture.readers.get(_kind(forms)) if architecture is not None else None
    if reader is None:
        return None
    model = models.get(reader.source)
    if model is None:
        return dict(reader.scratch), Sentence("zoo.encoder", preset=preset)
    return {**reader.given, "model": model}, Sentence("zoo.encoder_weights", preset=preset, model=str(model))


def described(preset: str, model: Mapping[str, Any], left_out: Sequence[str]) -> str:
    """Return what a preset trains, in words: with the weights of which model, or from scratch at which size.

    :param model: the settings of the model, as plain data
    :param left_out: the names of the fields that the preset does not read
    """
    architecture, models = ARCHITECTURES[preset], _models(model)
    parts: list[str] = []
    for kind, reader in {reader.source: (kind, reader) for kind, reader in architecture.readers.items()}.values():
        is_joint = reader.source == "joint"
        what = Sentence("zoo.network") if is_joint else Sentence(f"zoo.{kind}_by", encoder=reader.scratch["kind"])
        if reader.source in models:
            what = what if is_joint else Sentence(f"zoo.{kind}")
            parts.append(Sentence("zoo.weights", what=what, model=models[reader.source]))
            continue
        size = {**reader.scratch, **_sizes(model, reader)}
        named = [Sentence(f"zoo.{key}", number=size[key]) for key in ("hidden", "depth", "heads") if key in size]
        sizes = Sentence("zoo.size", sizes=Sentence.joined(named, "enumeration")) if named else ""
        parts.append(Sentence("zoo.scratch", what=what, size=sizes))
        if reader.source:
            parts.append(Sentence("zoo.start", setting=f"model.pretrained.{reader.source}"))
    if left_out:
        parts.append(Sentence("zoo.left_out", fields=Sentence.joined(left_out, "enumeration")))
    return Sentence("of_column", column=preset, why=Sentence.joined(parts))


def _sizes(model: Mapping[str, Any], reader: Reader) -> dict[str, Any]:
    """Return the width and the numbers of blocks and heads of a fusion that is a network."""
    fusion = model.get("fusion")
    if reader.source != "joint" or not isinstance(fusion, Mapping):
        return {}
    return {"hidden": model.get("width"), **{key: fusion[key] for key in ("depth", "heads") if key in fusion}}


def _models(model: Mapping[str, Any]) -> dict[str, str]:
    """Return the pretrained models that are named in the settings of a model."""
    named = model.get("pretrained")
    return {name: str(value) for name, value in named.items() if value is not None} if isinstance(named, Mapping) else {}


def _kind(forms: Sequence[Form]) -> str:
    """Return the kind of a field: text, image, or its first form."""
    return next((kind for kind, form in _FORMS.items() if form in forms), forms[0])
