"""On-the-fly gradient modulation with generalisation enhancement (OGM-GE, Peng et al. 2022, arXiv:2203.15332): an encoder whose field is
ahead, in how sure it is of the truth by itself, takes smaller steps until the others have caught up.

With rho the ratio of a field's confidence to that of the others, its step is multiplied by 1 - tanh(alpha * rho) where rho is over 1, and
by 1 elsewhere (equation 10 of the paper). The coefficient jumps at rho = 1: a field that is hardly ahead takes 1 - tanh(alpha) of its step,
nine tenths to a third of it for the alpha of the paper's experiments, 0.1 to 0.8. With alpha = 2 it takes 4 %, and nearly stops learning.

====================  ======  =====  =====  =====  =====
ratio                  1.001   1.25    1.5      2      3
====================  ======  =====  =====  =====  =====
alpha = 0.1            0.900  0.876  0.851  0.803  0.709
alpha = 0.5, default   0.537  0.445  0.365  0.238  0.095
alpha = 0.8            0.336  0.238  0.166  0.078  0.016
alpha = 2              0.036  0.013  0.005  0.001  0.000
====================  ======  =====  =====  =====  =====

Departs from the paper:

- *The coefficient multiplies the encoder's step, not its gradient.* Under the paper's SGD both are the same. AdamW divides by the size of
  the gradient, and a coefficient on it cancels.
- *Any number of fields.* A field is compared with the mean of the others.
- *A field's confidence is its own vote's*, exp(-loss), which any fusion has; the paper reads it off the halves of a linear head over a
  concatenation. For numbers that is exp of the squared error in spreads, negated.
- *Noise is added where a gradient is not zero*, and to encoders that are held back: under AdamW an n-gram that a batch does not hold would
  be moved by noise alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import Field as Setting
from torch import nn

from .balancer import BalanceConfig, Balancer, Moment, add_noise


class OGMGEConfig(BalanceConfig):
    """The encoder of a field that is ahead takes smaller steps (OGM-GE)."""

    kind: Literal["ogm_ge"] = "ogm_ge"
    alpha: float = Setting(0.5, gt=0, le=100)
    """How much smaller the steps of a field that is ahead are: they are multiplied by 1 - tanh(alpha * ratio), with the ratio of its
    confidence to that of the others. The paper's experiments use 0.1 to 0.8."""
    noise: bool = False
    """Add Gaussian noise of the gradient's own spread to the gradients of encoders that are held back."""
    start: int = Setting(1, ge=1)
    """The first epoch in which fields are held back."""
    end: int | None = Setting(None, ge=1)
    """The last one; null = all of them."""

    def build(self, fields: Sequence[str]) -> Balancer:
        """For any number of fields."""
        return OGMGE(self)


class OGMGE(Balancer):
    """Remembers nothing: each step is a function of the batch."""

    def __init__(self, config: OGMGEConfig) -> None:
        self.config = config

    def step(self, moment: Moment, encoders: Mapping[str, Sequence[nn.Parameter]]) -> dict[str, float]:
        """Multiply the steps of the fields that are ahead."""
        if not self.config.start <= moment.epoch <= (self.config.end or moment.epoch):
            return {}
        held = coefficients(moment.confidence, self.config.alpha)
        if self.config.noise:
            for name in held:
                learning = [parameter for parameter in encoders[name] if parameter.grad is not None]
                if learning:
                    generator = moment.generator(learning[0].device)
                    for parameter in learning:
                        assert parameter.grad is not None
                        add_noise(parameter.grad, generator)
        return held


def coefficients(confidence: Mapping[str, float], alpha: float) -> dict[str, float]:
    """1 - tanh(alpha * ratio) for each field whose ratio, its confidence divided by the mean of the others', is over 1."""
    held = {}
    for name, own in confidence.items():
        others = [value for other, value in confidence.items() if other != name]
        mean = sum(others) / len(others) if others else 0.0
        if others and own > mean:
            held[name] = 1.0 - math.tanh(alpha * own / max(mean, 1e-12))
    return held
