"""The menu of encoders: each encoder has its own module; to add an encoder, add its module, its import, and its place in ``CONFIGS``."""

from ..config import kinds_of, menu
from .bag import Bag, BagConfig
from .convnet import Convnet, ConvnetConfig
from .embeddings import PatchEmbeddings, PatchEmbeddingsConfig, WordEmbeddings, WordEmbeddingsConfig
from .encoder import Encoder, EncoderConfig
from .frames import Frames, FramesConfig
from .pointnet import Pointnet, PointnetConfig
from .pretrained import PRETRAINED, USUAL_MODELS, PretrainedConfig, PretrainedModels
from .series import SeriesTransformer, SeriesTransformerConfig
from .spectrogram import Spectrogram, SpectrogramConfig
from .tabular import Tabular, TabularConfig, TabularTransformer, TabularTransformerConfig
from .text_transformer import TextTransformer, TextTransformerConfig
from .vector import Vector, VectorConfig
from .vit import ViT, ViTConfig

CONFIGS = (
    ConvnetConfig,
    ViTConfig,
    BagConfig,
    TextTransformerConfig,
    TabularConfig,
    TabularTransformerConfig,
    SpectrogramConfig,
    SeriesTransformerConfig,
    PointnetConfig,
    FramesConfig,
    PretrainedConfig,
    VectorConfig,
    WordEmbeddingsConfig,
    PatchEmbeddingsConfig,
)
KINDS = kinds_of(CONFIGS)
AnyEncoder = menu(*CONFIGS)

__all__ = [
    "CONFIGS",
    "KINDS",
    "PRETRAINED",
    "USUAL_MODELS",
    "AnyEncoder",
    "Bag",
    "BagConfig",
    "Convnet",
    "ConvnetConfig",
    "Encoder",
    "EncoderConfig",
    "Frames",
    "FramesConfig",
    "PatchEmbeddings",
    "PatchEmbeddingsConfig",
    "Pointnet",
    "PointnetConfig",
    "PretrainedConfig",
    "PretrainedModels",
    "SeriesTransformer",
    "SeriesTransformerConfig",
    "Spectrogram",
    "SpectrogramConfig",
    "Tabular",
    "TabularConfig",
    "TabularTransformer",
    "TabularTransformerConfig",
    "TextTransformer",
    "TextTransformerConfig",
    "Vector",
    "VectorConfig",
    "ViT",
    "ViTConfig",
    "WordEmbeddings",
    "WordEmbeddingsConfig",
]
