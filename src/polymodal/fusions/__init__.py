"""The menu of fusions. Each fusion has its own module; to add one, add its module, import its config here, and add it to ``CONFIGS``."""

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
from .lxmert import LXMERTConfig
from .mixture import MixtureConfig
from .mmbt import MMBTConfig
from .mmf_transformer import MMFTransformerConfig
from .perceiver import PerceiverConfig
from .tensor import TensorConfig
from .vilt import ViLTConfig
from .visual_bert import VisualBERTConfig

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
    MMBTConfig,
    VisualBERTConfig,
    ViLTConfig,
    LXMERTConfig,
    MMFTransformerConfig,
)
KINDS = kinds_of(CONFIGS)
AnyFusion = menu(*CONFIGS)


def menu_of(kind: str) -> FusionConfig:
    """Return the config of the fusion with this kind, with its default settings.

    :raises ConfigError: there is no such fusion
    """
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
    "LXMERTConfig",
    "LateConfig",
    "LowRank",
    "LowRankConfig",
    "MMBTConfig",
    "MMFTransformerConfig",
    "MixtureConfig",
    "PerceiverConfig",
    "TensorConfig",
    "ViLTConfig",
    "VisualBERTConfig",
    "menu_of",
]
