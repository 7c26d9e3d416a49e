"""The menu of modalities: one module a kind of cell. Adding one = its file, and its place on the menu."""

from ..cells import is_empty, is_missing_word
from ..config import kinds_of, menu
from .audio import Audio, AudioConfig
from .files import NoFolder, Roots, check_folders
from .image import Image, ImageConfig
from .modality import FieldConfig, Modality, OnError, PartFault, Recognition, evenly
from .pictures import Pictures, PicturesConfig
from .points import Points, PointsConfig
from .series import Series, SeriesConfig
from .tabular import Tabular, TabularConfig
from .text import Text, TextConfig
from .vector import Vector, VectorConfig
from .video import Video, VideoConfig

CONFIGS = (ImageConfig, TextConfig, TabularConfig, AudioConfig, SeriesConfig, PointsConfig, PicturesConfig, VideoConfig, VectorConfig)
MODALITIES = tuple(config.modality() for config in CONFIGS)
KINDS = kinds_of(CONFIGS)
OF_FILES = frozenset(modality.kind for modality in MODALITIES if modality.of_files)
AnyField = menu(*CONFIGS, external=False)

__all__ = [
    "CONFIGS",
    "KINDS",
    "MODALITIES",
    "OF_FILES",
    "AnyField",
    "Audio",
    "AudioConfig",
    "FieldConfig",
    "Image",
    "ImageConfig",
    "Modality",
    "NoFolder",
    "OnError",
    "PartFault",
    "Pictures",
    "PicturesConfig",
    "Points",
    "PointsConfig",
    "Recognition",
    "Roots",
    "Series",
    "SeriesConfig",
    "Tabular",
    "TabularConfig",
    "Text",
    "TextConfig",
    "Vector",
    "VectorConfig",
    "Video",
    "VideoConfig",
    "check_folders",
    "evenly",
    "is_empty",
    "is_missing_word",
]
