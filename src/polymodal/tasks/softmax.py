"""Derivatives and probabilities of a softmax over a row's outputs, one for each of several exclusive classes.

Shapes: ``N`` rows, ``C`` outputs of a task, ``V`` directions.
"""

from __future__ import annotations

from torch import Tensor


def curvature(logits_NC: Tensor, slope_VNC: Tensor) -> Tensor:
    """Return the second derivatives (V, V) of the sum of the rows' cross-entropies with respect to V numbers, by diag(p) - p p' of each
    row, where p are its class probabilities; they do not depend on the target.

    :param slope_VNC: the derivatives of the logits with respect to each of these numbers, (V, N, C)
    """
    weighted_VNC = slope_VNC * logits_NC.softmax(1)
    mean_VN = weighted_VNC.sum(2)
    return weighted_VNC.flatten(1) @ slope_VNC.flatten(1).T - mean_VN @ mean_VN.T


def log_chances(logits_NC: Tensor, label: int) -> tuple[Tensor, Tensor]:
    """Return the logarithms of the probability of one class, and of all others together, (N,) each."""
    logs_NC = logits_NC.log_softmax(1)
    others = [at for at in range(logs_NC.shape[1]) if at != label]
    return logs_NC[:, label], logs_NC[:, others].logsumexp(1)
