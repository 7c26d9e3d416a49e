"""The menu of modalities. Each has its own module; to add one, add the module, import it here, and list its config in ``CONFIGS``."""

from ..cells import is_empty, is_missing_word
from ..config import kinds_of, menu
from ..request import OnError
from .audio import Audio, AudioConfig
from .files import NO_FOLDER, NoFolder, Roots, check_folders
from .image import Image, ImageConfig
from .modality import FieldConfig, Modality, PartFault, Recognition
from .pictures import Pictures, PicturesConfig
from .points import Points, PointsConfig
from .sequences import evenly
from .series import Series, SeriesConfig
from .tabular import Tabular, TabularConfig
from .text import Text, TextConfig
from .vector import Vector, VectorConfig
from .video import Video, VideoConfig

CONFIGS = (
    ImageConfig,
    TextConfig,
    TabularConfig,
    AudioConfig,
    SeriesConfig,
    PointsConfig,
    PicturesConfig,
    VideoConfig,
    VectorConfig,
)
MODALITIES = tuple(config.modality() for config in CONFIGS)
KINDS = kinds_of(CONFIGS)
OF_FILES = frozenset(modality.kind for modality in MODALITIES if modality.of_files)
"""The kinds whose cells name files."""
COLUMN_TYPES = tuple(column_type for modality in MODALITIES for column_type in modality.column_types)
"""The types that may be given for a column instead of a kind. They belong to the modalities that read several columns as one field."""
AnyField = menu(*CONFIGS, external=False)


def modality_of(kind: str) -> type[Modality]:
    """Return the modality class of a kind, or of a column type (an item of ``column_types``)."""
    return next(modality for modality in MODALITIES if kind == modality.kind or kind in modality.column_types)


__all__ = [
    "COLUMN_TYPES",
    "CONFIGS",
    "KINDS",
    "MODALITIES",
    "NO_FOLDER",
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
    "modality_of",
]
