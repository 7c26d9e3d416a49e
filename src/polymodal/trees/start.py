"""A linear model from whose predictions boosting starts.

A linear relation takes trees many rounds and rows, and on a small table a linear model is often better than they are. Boosting then starts
from the predictions of a linear model and learns what is left, if that has the smaller loss on rows that neither was trained on.

Shapes: ``N`` rows, ``K`` numbers of a row, ``C`` outputs of a task.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from .doubles import InDoubles

Objective = Literal["squared", "logistic", "softmax"]

WIDEST = 4.0
"""The largest distance of a number from its mean, in standard deviations; larger ones count as this."""
_PENALTIES: Mapping[Objective, tuple[float, ...]] = {"squared": (1.0, 10.0, 100.0), "logistic": (1.0, 10.0, 100.0), "softmax": (1.0, 10.0)}
_STEPS = 60
"""The maximum number of steps of L-BFGS."""
_NEWTON_STEPS, _LEAST_GAIN = 25, 1e-9
"""The maximum number of steps of Newton's method, and the relative decrease of the loss below which it ends."""
_NEWTON_WIDTH = 128
"""The maximum number of weights for Newton's method, whose step costs the square of it."""
_MOST = 2e7
"""The maximum number of numbers times outputs for which linear models are fitted: the trees of a large table need no start."""


class Start(InDoubles):
    """The linear prediction of the outputs of a task. A missing number counts as the mean.

    :param center_K: the mean of each number
    :param scale_K: its standard deviation
    :param weights_KC: the weight of each number
    :param bias_C: the outputs of a row of means
    :raises ValueError: the tensors do not fit together
    """

    center_K: Tensor
    scale_K: Tensor
    weights_KC: Tensor
    bias_C: Tensor

    def __init__(self, center_K: Tensor, scale_K: Tensor, weights_KC: Tensor, bias_C: Tensor) -> None:
        super().__init__()
        tensors = {"center_K": center_K, "scale_K": scale_K, "weights_KC": weights_KC, "bias_C": bias_C}
        expected = {"center_K": weights_KC.shape[:1], "scale_K": weights_KC.shape[:1], "bias_C": weights_KC.shape[1:]}
        if weights_KC.dim() != 2 or any(tensors[name].shape != shape for name, shape in expected.items()):
            raise ValueError("a linear start whose tensors differ in length")
        if not all(tensor.is_floating_point() and bool(torch.isfinite(tensor).all()) for tensor in tensors.values()):
            raise ValueError("a linear start with values that are not finite")
        if not bool((scale_K > 0).all()):
            raise ValueError("a linear start with deviations that are not above 0")
        for name, tensor in tensors.items():
            self.register_buffer(name, tensor)

    def forward(self, numbers_BK: Tensor) -> Tensor:
        """Return the outputs (B, C) of rows of numbers, NaN = missing."""
        values_BK = ((numbers_BK.double() - self.center_K.double()) / self.scale_K.double()).clamp(-WIDEST, WIDEST).nan_to_num(0.0)
        return (values_BK @ self.weights_KC.double() + self.bias_C.double()).float()

    @classmethod
    def restore(cls, tensors: Mapping[str, Tensor], width: int, outputs: int) -> Start:
        """Return the start with these buffers.

        :raises ValueError: they are not the buffers of a start of so many numbers and outputs
        """
        names = ("center_K", "scale_K", "weights_KC", "bias_C")
        if set(tensors) != set(names) or tuple(tensors["weights_KC"].shape) != (width, outputs):
            raise ValueError(f"a linear start with the buffers {', '.join(sorted(tensors))}; expected weights of ({width:,}, {outputs})")
        return cls(*(tensors[name] for name in names))


@dataclass(frozen=True)
class Scaling:
    """The means and standard deviations of the numbers of the training rows."""

    center_K: np.ndarray
    scale_K: np.ndarray

    @classmethod
    def of(cls, numbers_NK: np.ndarray) -> Scaling:
        """Return those of these rows; a number that all rows lack has the mean 0."""
        known_NK = np.isfinite(numbers_NK)
        count_K = np.maximum(known_NK.sum(0), 1)
        values_NK = np.where(known_NK, numbers_NK, 0.0).astype(np.float64)
        center_K = values_NK.sum(0) / count_K
        spread_K = np.sqrt((np.where(known_NK, values_NK - center_K, 0.0) ** 2).sum(0) / count_K)
        return cls(center_K.astype(np.float32), np.where(spread_K > 1e-12, spread_K, 1.0).astype(np.float32))

    def scaled(self, numbers_NK: np.ndarray) -> np.ndarray:
        """Return the numbers as a linear model takes them, with a last column of ones."""
        values_NK = np.clip((numbers_NK.astype(np.float64) - self.center_K) / self.scale_K, -WIDEST, WIDEST)
        return np.concatenate([np.nan_to_num(values_NK), np.ones((len(values_NK), 1))], 1)


@dataclass(frozen=True)
class LinearFit:
    """A linear model of one column of labels.

    :param whole_DC: the weights from all rows, D = K + 1 with the bias
    :param by_fold: the weights from the rows outside each fold
    """

    scaling: Scaling
    whole_DC: np.ndarray
    by_fold: list[np.ndarray]

    def out_of_fold(self, numbers_NK: np.ndarray, fold_N: np.ndarray) -> np.ndarray:
        """Return the predictions (N, C) of rows of these folds, each from the rows outside its fold."""
        values_ND = self.scaling.scaled(numbers_NK)
        predicted_NC = np.empty((len(values_ND), self.whole_DC.shape[1]))
        for fold, weights_DC in enumerate(self.by_fold):
            predicted_NC[fold_N == fold] = values_ND[fold_N == fold] @ weights_DC
        return predicted_NC


def linear_fit(
    numbers_NK: np.ndarray, target_N: np.ndarray, weights_N: np.ndarray | None, objective: Objective, outputs: int, fold_N: np.ndarray
) -> LinearFit | None:
    """Return the linear model with the penalty that has the smallest loss out of fold; None if the table is too large or a fold is empty.

    :param target_N: the labels, NaN = unknown: numbers, 0 and 1, or classes
    :param outputs: the number of classes for ``softmax``, otherwise 1
    :param fold_N: the fold of each row
    """
    known_N, folds = np.isfinite(target_N), int(fold_N.max()) + 1
    if numbers_NK.size * outputs > _MOST or not np.bincount(fold_N[known_N], minlength=folds).all():
        return None
    scaling = Scaling.of(numbers_NK)
    values_ND, target_N, fold_N = scaling.scaled(numbers_NK)[known_N], target_N[known_N], fold_N[known_N]
    weight_N = np.ones(len(target_N)) if weights_N is None else weights_N[known_N].astype(np.float64)
    solve = _ridge if objective == "squared" else _logistic
    best: tuple[float, float, list[np.ndarray]] | None = None
    for penalty in _PENALTIES[objective]:
        by_fold, loss = [], 0.0
        for fold in range(folds):
            outside = fold_N != fold
            weights_DC = solve(values_ND[outside], target_N[outside], weight_N[outside], penalty, outputs)
            by_fold.append(weights_DC)
            loss += loss_of(values_ND[~outside] @ weights_DC, target_N[~outside], weight_N[~outside], objective)
        if best is None or loss < best[0]:
            best = loss, penalty, by_fold
    assert best is not None
    return LinearFit(scaling, solve(values_ND, target_N, weight_N, best[1], outputs), best[2])


def _ridge(values_ND: np.ndarray, target_N: np.ndarray, weight_N: np.ndarray, penalty: float, outputs: int) -> np.ndarray:
    """Return the weights (D, 1) of ridge regression; the bias, the last one, has no penalty."""
    weighted_ND = values_ND * weight_N[:, None]
    penalties_D = np.append(np.full(values_ND.shape[1] - 1, penalty), 1e-6)
    return np.linalg.solve(values_ND.T @ weighted_ND + np.diag(penalties_D), weighted_ND.T @ target_N)[:, None]


def _logistic(values_ND: np.ndarray, target_N: np.ndarray, weight_N: np.ndarray, penalty: float, outputs: int) -> np.ndarray:
    """Return the weights (D, C) of logistic regression; the bias, the last row, has no penalty."""
    penalties_D1 = np.append(np.full(values_ND.shape[1] - 1, penalty), 1e-6)[:, None]
    mean = max(weight_N.sum(), 1e-12)

    def objective(weights_DC: np.ndarray) -> tuple[float, np.ndarray]:
        loss, slope_NC = _slope(values_ND @ weights_DC, target_N, weight_N)
        loss += 0.5 * float((penalties_D1 * weights_DC**2).sum())
        return loss / mean, (values_ND.T @ slope_NC + penalties_D1 * weights_DC) / mean

    if outputs == 1 and len(penalties_D1) <= _NEWTON_WIDTH:
        return _newton(values_ND, weight_N, penalties_D1[:, 0], mean, objective)
    from scipy.optimize import minimize

    shape = values_ND.shape[1], outputs

    def flat(weights: np.ndarray) -> tuple[float, np.ndarray]:
        loss, slope_DC = objective(weights.reshape(shape))
        return loss, slope_DC.ravel()

    found = minimize(flat, np.zeros(shape[0] * shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": _STEPS})
    return np.asarray(found.x).reshape(shape)


def _newton(
    values_ND: np.ndarray,
    weight_N: np.ndarray,
    penalties_D: np.ndarray,
    mean: float,
    objective: Callable[[np.ndarray], tuple[float, np.ndarray]],
) -> np.ndarray:
    """Return the weights (D, 1) of logistic regression with two classes by Newton's method with halved steps.

    :param mean: the factor by which the objective divides its loss
    :param objective: returns the loss of weights (D, 1) and its derivative
    """
    weights_D1 = np.zeros((values_ND.shape[1], 1))
    loss, slope_D1 = objective(weights_D1)
    for _ in range(_NEWTON_STEPS):
        share_N = 1 / (1 + np.exp(-np.clip(values_ND @ weights_D1, -500, 500)[:, 0]))
        curvature_DD = values_ND.T @ (values_ND * (weight_N * share_N * (1 - share_N))[:, None]) + np.diag(penalties_D)
        step_D1 = np.linalg.solve(curvature_DD / mean, slope_D1)
        size = 1.0
        while True:
            tried_D1 = weights_D1 - size * step_D1
            tried, tried_slope_D1 = objective(tried_D1)
            if tried <= loss or size < 1e-6:
                break
            size /= 2
        gain = loss - tried
        if gain > 0:
            weights_D1, loss, slope_D1 = tried_D1, tried, tried_slope_D1
        if gain <= _LEAST_GAIN * loss:
            break
    return weights_D1


def _slope(scores_NC: np.ndarray, target_N: np.ndarray, weight_N: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the weighted sum of the log losses, and its derivative by each score."""
    if scores_NC.shape[1] == 1:
        loss_N = np.logaddexp(0.0, scores_NC[:, 0]) - target_N * scores_NC[:, 0]
        share_NC = 1 / (1 + np.exp(-np.clip(scores_NC, -500, 500)))
        return float(weight_N @ loss_N), weight_N[:, None] * (share_NC - target_N[:, None])
    shifted_NC = scores_NC - scores_NC.max(1, keepdims=True)
    total_N1 = np.exp(shifted_NC).sum(1, keepdims=True)
    rows, classes = np.arange(len(target_N)), target_N.astype(np.int64)
    share_NC = np.exp(shifted_NC) / total_N1
    loss = float(weight_N @ (np.log(total_N1[:, 0]) - shifted_NC[rows, classes]))
    share_NC[rows, classes] -= 1
    return loss, weight_N[:, None] * share_NC


def loss_of(scores_NC: np.ndarray, target_N: np.ndarray, weight_N: np.ndarray, objective: Objective) -> float:
    """Return the weighted sum of the losses of rows.

    :param scores_NC: the outputs: a number, a logit, or a logit for each class
    :param target_N: the labels: numbers, 0 and 1, or classes
    """
    if objective == "squared":
        return float(weight_N @ (scores_NC[:, 0] - target_N) ** 2)
    return _slope(scores_NC, target_N, weight_N)[0]


def start_of(fits: Sequence[tuple[Sequence[int], LinearFit]], outputs: int) -> Start:
    """Return the start of a task from at least one linear model of its labels; other outputs start from 0.

    :param fits: linear models, each with the outputs that it predicts
    :param outputs: C
    """
    scaling = fits[0][1].scaling
    weights_DC = np.zeros((len(scaling.center_K) + 1, outputs))
    for predicted, fit in fits:
        weights_DC[:, list(predicted)] = fit.whole_DC
    arrays = (scaling.center_K, scaling.scale_K, weights_DC[:-1].astype(np.float32), weights_DC[-1].astype(np.float32))
    return Start(*(torch.from_numpy(np.ascontiguousarray(array)) for array in arrays))
