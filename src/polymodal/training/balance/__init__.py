"""The menu of balancers: one file a balancer. Adding one = its file, and its line here."""

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
