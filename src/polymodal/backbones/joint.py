"""Networks of transformers that were pretrained on texts and pictures together, divided into parts: the embeddings of words, those of
patches, and the network behind them.

An encoder reads cells with the embeddings, and a fusion is the network: cells stay independent of one another until the fusion. The facts
of a model are in the states of the fields whose embeddings are its own; the fusion finds them there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import ConfigError, warn
from ..flow import State
from ..language import Sentence
from .backbone import BackboneOptions, Facts, bounded_parts, check_plain, plain
from .hub import check_complete, digest, library, loaded, locate, read_json, weights_of
from .huggingface import describe

NETWORKS: Mapping[str, tuple[str, ...]] = {
    "bert": ("bert",),
    "visual_bert": ("visual_bert", "bert"),
    "vilt": ("vilt",),
    "lxmert": ("lxmert",),
}
"""The types of networks of a fusion, and the types of the models that each may take its weights from."""
_OF_PATCHES = ("vilt",)
"""The types of models that read patches of pictures."""
_WORDS = {"lxmert": "embeddings.word_embeddings", "vilt": "embeddings.text_embeddings.word_embeddings"}
_EMBEDDINGS = ("word_embeddings", "patch_embeddings", "cls_token", "position_embeddings")
"""The parts that encoders contain instead of the network; the positions are those of patches."""
_TINY = {"vocab_size": 2, "pad_token_id": 0, "image_size": 16, "patch_size": 16, "num_channels": 1}
"""The sizes of the parts that are removed from a network after it is built."""
_LARGEST_PICTURE = 1_024


def describe_words(model: str, max_tokens: int | None, download: bool) -> dict[str, Any]:
    """Return the settings of a text field whose words are embedded as by a model, and the facts of the model under ``backbone``.

    :raises ConfigError: the model cannot be found or used
    """
    needs = describe(BackboneOptions(model, "tokens", "tokens", download=download, max_tokens=max_tokens))
    facts = needs["backbone"]
    if facts["config"]["model_type"] not in {name for names in NETWORKS.values() for name in names}:
        raise ConfigError(
            f"model {model!r}: a {facts['config']['model_type']}; expected one of {', '.join(NETWORKS)}; use the encoder pretrained, "
            f"which takes other models"
        )
    ends = _ends(needs["tokenizer"])
    return needs | {"backbone": facts | {"part": "words", "ends": ends}}


def describe_patches(model: str, download: bool) -> dict[str, Any]:
    """Return the settings of a picture field whose patches are embedded as by a ViLT, and the facts of the model under ``backbone``.

    :raises ConfigError: the model cannot be found or used
    """
    folder = locate(model, None, download)
    files = weights_of(folder, model)
    config = read_json(folder / "config.json", model)
    if config.get("model_type") not in _OF_PATCHES:
        raise ConfigError(f"model {model!r}: a {str(config.get('model_type'))[:40]}; expected a vilt, which reads patches of pictures")
    try:
        whole = library().ViltConfig(**plain(config)).to_dict()
    except Exception as error:  # the library raises errors of many types
        raise ConfigError(f"model {model!r}: its config.json is not that of a vilt ({' '.join(str(error).split())[:200]})") from None
    size, patch = whole["image_size"], whole["patch_size"]
    if type(size) is not int or type(patch) is not int or not 1 <= patch <= size <= _LARGEST_PICTURE or size % patch:
        raise ConfigError(f"model {model!r}: pictures of {size} pixels in patches of {patch}; expected up to {_LARGEST_PICTURE:,}")
    path = folder / "preprocessor_config.json"
    processor = read_json(path, model) if path.exists() else {}
    mean, std = ([255 * float(value) for value in processor.get(name) or [0.5] * 3] for name in ("image_mean", "image_std"))
    facts: Facts = {"library": "transformers", "model": model, "revision": None, "form": "pixels", "weights": "usual", "part": "patches",
                    "sha256": digest(files), "config": plain(config) | {"image_size": size, "patch_size": patch},
                    "cost": float(3 * size * size * whole["hidden_size"])}  # fmt: skip
    resize = {"edge": None, "resample": int(processor.get("resample", 3) or 3)}
    return {"size": size, "channels": 3, "mean": mean, "std": std, "resize": resize, "backbone": facts}


def facts_in(states: Mapping[str, State], network: str) -> Facts | None:
    """Return the facts of the model whose embeddings the fields have; None if all embeddings are trained from scratch.

    :param states: the fitted state of each field
    :param network: the type of the network, a key of ``NETWORKS``
    :raises ConfigError: the embeddings are of a model of another type, or of several models
    """
    found = [facts for state in states.values() if (facts := state.get("backbone")) is not None and "part" in facts]
    for facts in found:
        kind = facts["config"]["model_type"]
        if kind not in NETWORKS[network]:
            raise ConfigError(
                f"model.fusion: a {network}, but the embeddings are those of {facts['model']}, a {kind}; expected a model of type "
                f"{' or '.join(NETWORKS[network])}; use the fusion of that model, or train from scratch without it"
            )
        if facts["sha256"] != found[0]["sha256"]:
            raise ConfigError(f"model.fusion: embeddings of two models, {found[0]['model']} and {facts['model']}; expected one")
    return found[0] if found else None


def hidden_size(model: str, download: bool = False) -> int:
    """Return the width of the tokens of a model.

    :raises ConfigError: the model cannot be found, or does not state its width
    """
    width = read_json(locate(model, None, download) / "config.json", model).get("hidden_size")
    if type(width) is not int or not 1 <= width <= 2**16:
        raise ConfigError(f"model {model!r}: its config states no width (hidden_size); expected a model of type {', '.join(NETWORKS)}")
    return width


def network_of(network: str, config: Mapping[str, Any]) -> Any:
    """Build a network with random weights and without its embeddings of words and patches.

    :param config: the settings of the network in the terms of transformers, of one of its types in ``NETWORKS``
    :raises ValueError: no model has such settings
    :raises ConfigError: transformers cannot build the network
    """
    check_plain(config)
    transformers = library()
    try:
        own = transformers.AutoConfig.for_model(**{**config, "model_type": network, **_TINY})
        with bounded_parts():
            whole = transformers.AutoModel.from_config(own, dtype=torch.float32, attn_implementation="eager")
    except Exception as error:  # the library raises errors of many types
        raise ConfigError(f"model.fusion: transformers cannot build a {network} ({' '.join(str(error).split())[:200]})") from None
    embeddings = whole.embeddings
    for part in (embeddings, *embeddings.children()):
        for name in _EMBEDDINGS if part is embeddings and network in _OF_PATCHES else _EMBEDDINGS[:1]:
            if hasattr(part, name):
                setattr(part, name, None)
        if isinstance(part, nn.Embedding):
            part.padding_idx = None  # the first position and type are those of the class token, which learn
    return whole


def load_network(network: nn.Module, facts: Facts) -> None:
    """Load the weights of a model into a network without embeddings, except for those that the model does not have.

    :raises ConfigError: the weights cannot be found, are no longer those that the facts describe, or lack a part
    """
    weights, missing = _weights(facts)
    own = network.state_dict()
    check_complete(facts, [name for name in own if name not in weights and "visual_" not in name], list(weights))
    new = [name for name in missing if name in own]
    if new:
        warn(Sentence("bundle.no_pooler", model=str(facts["model"]), names=", ".join(new)))
    network.load_state_dict({name: weights.get(name, value) for name, value in own.items()})


def words_of(facts: Facts) -> Tensor:
    """Return the embeddings of words (V, D) of a model.

    :raises ConfigError: the weights cannot be found, or are no longer those that the facts describe
    """
    return _weights(facts)[0][f"{_WORDS.get(facts['config']['model_type'], 'embeddings.word_embeddings')}.weight"]


def patches_of(facts: Facts) -> dict[str, Tensor]:
    """Return the projection of patches, its bias, the token before the patches, and the positions of a ViLT.

    :raises ConfigError: the weights cannot be found, or are no longer those that the facts describe
    """
    weights, _ = _weights(facts)
    places = ("patch_embeddings.projection.weight", "patch_embeddings.projection.bias", "cls_token", "position_embeddings")
    return dict(zip(("weight", "bias", "first", "positions"), (weights[f"embeddings.{name}"] for name in places), strict=True))


def _weights(facts: Facts) -> tuple[dict[str, Tensor], list[str]]:
    """Return the weights of a model, and the names of those of its pooler that its files lack; a model of masked words has none."""
    whole, missing, others = loaded(facts, download=False)
    check_complete(facts, [name for name in missing if ".pooler" not in f".{name}"], others)
    weights: dict[str, Tensor] = whole.state_dict()
    return weights, missing


def _ends(tokenizer: Any) -> list[int]:
    """Return the tokens that a tokenizer puts before and after a text, such as [CLS] and [SEP]: their numbers."""
    from tokenizers import Tokenizer

    ids = Tokenizer.from_str(json.dumps(tokenizer)).encode("").ids
    return [int(number) for number in ids] if len(ids) == 2 else []
