"""Networks that were trained elsewhere, by the library that builds them: ``describe`` -> facts, ``build`` -> the network."""

from __future__ import annotations

from typing import Any

from . import huggingface, keras_models, timm_models
from .backbone import Backbone, BackboneOptions, Facts

_LIBRARIES = {"transformers": huggingface, "timm": timm_models, "keras": keras_models}


def library_of(model: str) -> str:
    """``keras:EfficientNetB0`` and ``model.keras`` are Keras's, ``timm:resnet18`` is timm's, anything else transformers'."""
    head, colon, _ = model.partition(":")
    if colon and head in _LIBRARIES:
        return head
    return "keras" if model.endswith(".keras") else "transformers"


def describe(options: BackboneOptions) -> dict[str, Any]:
    """What a modality must do for a model, and, under ``backbone``, the facts that ``build`` makes it from."""
    return _LIBRARIES[library_of(options.model)].describe(options)


def build(facts: Facts) -> Backbone:
    """The network, its weights still to be loaded. ``ValueError`` for facts that ``describe`` cannot have made."""
    if not isinstance(facts, dict) or facts.get("library") not in _LIBRARIES:
        raise ValueError("a backbone of an unknown library")
    return _LIBRARIES[facts["library"]].build(facts)


__all__ = ["Backbone", "Facts", "build", "describe", "library_of"]
