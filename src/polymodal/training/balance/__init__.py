"""Methods that balance the learning of fields. Each has a file of its own; to add one, write its file and list it here."""

from ...config import kinds_of, menu
from .balancer import BalanceConfig, Balancer, Moment, NoneConfig
from .gradient_blending import GradientBlendingConfig
from .ogm_ge import OGMGEConfig

CONFIGS = (NoneConfig, OGMGEConfig, GradientBlendingConfig)
KINDS = kinds_of(CONFIGS)
AnyBalance = menu(*CONFIGS, external=False)

__all__ = [
    "CONFIGS",
    "KINDS",
    "AnyBalance",
    "BalanceConfig",
    "Balancer",
    "GradientBlendingConfig",
    "Moment",
    "NoneConfig",
    "OGMGEConfig",
]
