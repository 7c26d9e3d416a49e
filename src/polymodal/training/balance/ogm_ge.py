"""On-the-fly gradient modulation with generalization enhancement (OGM-GE, Peng et al. 2022, arXiv:2203.15332): the encoder of a field whose
vote is more confident of the truth than those of the others takes smaller steps.

Let rho be the ratio of a field's confidence to that of the others. The field's step is multiplied by 1 - tanh(alpha * rho) if rho > 1, and
by 1 otherwise (equation 10 of the paper). The coefficient is discontinuous at rho = 1: just above it, the factor is 1 - tanh(alpha), which
is 0.9 to 0.34 for the values of alpha in the paper's experiments, 0.1 to 0.8. With alpha = 2 it is 0.04, and the encoder hardly learns.

====================  ======  =====  =====  =====  =====
ratio                  1.001   1.25    1.5      2      3
====================  ======  =====  =====  =====  =====
alpha = 0.1            0.900  0.876  0.851  0.803  0.709
alpha = 0.5, default   0.537  0.445  0.365  0.238  0.095
alpha = 0.8            0.336  0.238  0.166  0.078  0.016
alpha = 2              0.036  0.013  0.005  0.001  0.000
====================  ======  =====  =====  =====  =====

Differences from the paper:

- *The coefficient multiplies the encoder's step, not its gradient.* With SGD, as in the paper, both are the same. AdamW divides by the
  magnitude of the gradient, so that a coefficient of the gradient would cancel.
- *Any number of fields.* A field is compared with the mean of the others.
- *A field's confidence is that of its own vote*, exp(-loss), which exists with any fusion; the paper computes it from the halves of a
  linear head over a concatenation. For regression it is exp of the negative squared error in units of the standard deviation.
- *Noise is added only where a gradient is not zero*, and only to encoders with reduced steps: with AdamW, an n-gram that is not in the
  batch would otherwise be moved by noise alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import Field as Setting
from torch import nn

from .balancer import BalanceConfig, Balancer, Moment, add_noise


class OGMGEConfig(BalanceConfig):
    """Reduce the steps of the encoder of a field that is more confident than the others (OGM-GE)."""

    kind: Literal["ogm_ge"] = "ogm_ge"
    alpha: float = Setting(0.5, gt=0, le=100)
    """The strength of the reduction: steps are multiplied by 1 - tanh(alpha * ratio), where ratio is the field's confidence divided by that
    of the others. The paper's experiments use 0.1 to 0.8."""
    noise: bool = False
    """Whether to add Gaussian noise, with the gradient's standard deviation, to the gradients of encoders with reduced steps."""
    start: int = Setting(1, ge=1)
    """The first epoch in which steps are reduced."""
    end: int | None = Setting(None, ge=1)
    """The last epoch in which steps are reduced; null = the last of training."""

    def build(self, fields: Sequence[str]) -> Balancer:
        """Return the balancer for any number of fields."""
        return OGMGE(self)


class OGMGE(Balancer):
    """The balancer has no state: each step is a function of the batch."""

    def __init__(self, config: OGMGEConfig) -> None:
        self.config = config

    def step(self, moment: Moment, encoders: Mapping[str, Sequence[nn.Parameter]]) -> dict[str, float]:
        """Return the factors of the fields whose steps are reduced, and add noise to their gradients if configured."""
        if not self.config.start <= moment.epoch <= (self.config.end or moment.epoch):
            return {}
        factors = coefficients(moment.confidence, self.config.alpha)
        if self.config.noise:
            for name in factors:
                learning = [parameter for parameter in encoders[name] if parameter.grad is not None]
                if learning:
                    generator = moment.generator(learning[0].device)
                    for parameter in learning:
                        assert parameter.grad is not None
                        add_noise(parameter.grad, generator)
        return factors


def coefficients(confidence: Mapping[str, float], alpha: float) -> dict[str, float]:
    """Return 1 - tanh(alpha * ratio) for each field with ratio > 1, where ratio is its confidence divided by the mean of the others."""
    factors = {}
    for name, own in confidence.items():
        others = [value for other, value in confidence.items() if other != name]
        mean = sum(others) / len(others) if others else 0.0
        if others and own > mean:
            factors[name] = 1.0 - math.tanh(alpha * own / max(mean, 1e-12))
    return factors
