"""Derivatives of the mean binary cross-entropy of a row's outputs: of one logit, or of one for each label.

Shapes: ``N`` rows, ``C`` outputs of a task, ``V`` directions.
"""

from __future__ import annotations

from torch import Tensor


def gradient(logits_NC: Tensor, target_NC: Tensor) -> Tensor:
    """Return the gradient (N, C) of each row's loss with respect to its logits; ``target_NC`` contains 0 and 1."""
    return (logits_NC.sigmoid() - target_NC) / logits_NC.shape[1]


def curvature(logits_NC: Tensor, slope_VNC: Tensor) -> Tensor:
    """Return the second derivatives (V, V) of the sum of the rows' losses with respect to V numbers.

    :param slope_VNC: the derivatives of the logits with respect to each of these numbers, (V, N, C)
    """
    p_NC = logits_NC.sigmoid()
    return (slope_VNC * (p_NC * (1 - p_NC))).flatten(1) @ slope_VNC.flatten(1).T / logits_NC.shape[1]
