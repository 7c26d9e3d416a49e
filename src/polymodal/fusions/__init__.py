"""The menu of fusions: one file a fusion. Adding one = its file, and its line here."""

from ..config import kinds_of, menu
from ..errors import ConfigError, nearest
from .attention import Attention, AttentionConfig
from .concat import Concat, ConcatConfig
from .fusion import Fusion, FusionConfig
from .lowrank import LowRank, LowRankConfig

CONFIGS = (ConcatConfig, LowRankConfig, AttentionConfig)
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
    "Concat",
    "ConcatConfig",
    "Fusion",
    "FusionConfig",
    "LowRank",
    "LowRankConfig",
    "menu_of",
]
