"""Pretrained networks of other libraries. ``describe`` returns the facts of a model, and ``build`` builds the network from them.

Each library has its own module with the same two functions.
"""

from __future__ import annotations

from typing import Any

from ..errors import ConfigError
from . import huggingface, keras_models, timm_models
from .backbone import Backbone, BackboneOptions, Facts

_LIBRARIES = {"transformers": huggingface, "timm": timm_models, "keras": keras_models}


def library_of(model: str) -> str:
    """Return the library of a model: keras for ``keras:NAME`` and ``NAME.keras``, timm for ``timm:NAME``, transformers for other names."""
    head, colon, _ = model.partition(":")
    if colon and head in _LIBRARIES:
        return head
    return "keras" if model.endswith(".keras") else "transformers"


def describe(options: BackboneOptions) -> dict[str, Any]:
    """Return the settings that a modality must use for a model, and, under ``backbone``, the facts that ``build`` requires.

    :raises ConfigError: the model cannot be found or used
    """
    description: dict[str, Any] = _LIBRARIES[library_of(options.model)].describe(options)
    own = description.get("size")
    if options.size not in (None, own):
        reads = f"it reads pictures of {own} x {own} pixels" if own else f"it reads {options.form}"
        raise ConfigError(f"model {options.model!r}: size {options.size}, but {reads}; expected a size only for Keras models; leave it out")
    return description


def build(facts: Facts) -> Backbone:
    """Build a network without loading its pretrained weights.

    :raises ValueError: ``describe`` cannot have made the facts
    """
    if not isinstance(facts, dict) or facts.get("library") not in _LIBRARIES:
        raise ValueError("a backbone of an unknown library")
    backbone: Backbone = _LIBRARIES[facts["library"]].build(facts)
    return backbone


__all__ = ["Backbone", "BackboneOptions", "Facts", "build", "describe", "library_of"]
