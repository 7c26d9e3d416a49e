"""The menu of modalities: one module a kind of cell. Adding one = its file, and its line here."""

from ..cells import is_empty, is_missing_word
from ..config import kinds_of, menu
from .files import Roots
from .image import Image, ImageConfig
from .modality import FieldConfig, Modality, OnError, PartFault, Recognition
from .tabular import Tabular, TabularConfig
from .text import Text, TextConfig

CONFIGS = (ImageConfig, TextConfig, TabularConfig)
MODALITIES = (Image, Text, Tabular)
KINDS = kinds_of(CONFIGS)
AnyField = menu(*CONFIGS, external=False)

__all__ = [
    "CONFIGS",
    "KINDS",
    "MODALITIES",
    "AnyField",
    "FieldConfig",
    "Image",
    "ImageConfig",
    "Modality",
    "OnError",
    "PartFault",
    "Recognition",
    "Roots",
    "Tabular",
    "TabularConfig",
    "Text",
    "TextConfig",
    "is_empty",
    "is_missing_word",
]
