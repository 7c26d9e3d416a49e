"""The menu of fusions: each fusion has its own module; to add a fusion, add its module, its import, and its place in ``CONFIGS``."""

from ..config import kinds_of, menu
from ..errors import ConfigError, nearest
from .attention import Attention, AttentionConfig
from .bottleneck import BottleneckConfig
from .concat import Concat, ConcatConfig
from .cross_attention import CrossAttentionConfig
from .evidential import EvidentialConfig
from .film import FiLMConfig
from .fusion import Fusion, FusionConfig
from .gated import GatedConfig
from .late import LateConfig
from .lowrank import LowRank, LowRankConfig
from .mixture import MixtureConfig
from .perceiver import PerceiverConfig
from .tensor import TensorConfig

CONFIGS = (
    ConcatConfig,
    LowRankConfig,
    AttentionConfig,
    GatedConfig,
    TensorConfig,
    FiLMConfig,
    CrossAttentionConfig,
    BottleneckConfig,
    PerceiverConfig,
    MixtureConfig,
    LateConfig,
    EvidentialConfig,
)
KINDS = kinds_of(CONFIGS)
AnyFusion = menu(*CONFIGS)


def menu_of(kind: str) -> FusionConfig:
    """The fusion of that name, with its defaults."""
    if kind not in KINDS:
        raise ConfigError(f"fusion {kind!r}: not on the menu; expected one of {', '.join(KINDS)}{nearest(kind, KINDS)}")
    return CONFIGS[KINDS.index(kind)]()


__all__ = [
    "CONFIGS",
    "KINDS",
    "AnyFusion",
    "Attention",
    "AttentionConfig",
    "BottleneckConfig",
    "Concat",
    "ConcatConfig",
    "CrossAttentionConfig",
    "EvidentialConfig",
    "FiLMConfig",
    "Fusion",
    "FusionConfig",
    "GatedConfig",
    "LateConfig",
    "LowRank",
    "LowRankConfig",
    "MixtureConfig",
    "PerceiverConfig",
    "TensorConfig",
    "menu_of",
]
