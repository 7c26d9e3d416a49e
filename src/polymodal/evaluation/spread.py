"""The expected error of a regression by row, so that prediction intervals are wider where a model is less accurate.

It is a ridge regression of the logarithm of a model's absolute error on its representation h, its prediction, and the distances of the
votes of single fields from the prediction. Conformal prediction divides errors by it (Lei et al. 2018, arXiv:1604.04173, section 5.2): the
coverage does not depend on the quality of the estimate, which is fitted on other rows. If it explains too little of rows that were left out
of a fit, it is constant, and all intervals have the same width.

Shapes: ``N`` rows, ``F`` features.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..flow import FUSED
from ..inference import Answer

_FEWEST, _MOST = 60, 1_000
"""The least and the largest number of rows for fitting."""
_GAIN = 0.03
"""The least fraction of the variance of log errors that must be explained on rows that were left out."""
_FARTHEST = np.log(5.0)
"""The logarithm of the largest factor between an expected error and the typical one."""
_RIDGES = np.logspace(-2, 4, 13)


@dataclass(frozen=True)
class Spread:
    """The expected error exp(``offset`` + features . ``weights``), limited to within a factor of 5 of exp(``typical``)."""

    weights: np.ndarray
    offset: float
    typical: float

    @classmethod
    def fit(cls, features_NF: np.ndarray, errors_N: np.ndarray) -> Spread:
        """Fit the expected error of a model. It is constant if the features do not explain enough of the errors.

        :param features_NF: the features of each row, see ``features_of``
        :param errors_N: the model's absolute errors on rows that it was not trained on
        """
        some = np.arange(len(errors_N))[:: max(1, -(-len(errors_N) // _MOST))]
        features_NF, errors_N = features_NF[some].astype(np.float64), errors_N[some].astype(np.float64)
        constant = cls(np.zeros(features_NF.shape[1]), 0.0, 0.0)
        if len(some) < _FEWEST or not np.median(errors_N) > 0 or not np.isfinite(features_NF).all():
            return constant
        logs_N = np.log(np.maximum(errors_N, 1e-3 * np.median(errors_N)))
        mean_F, std_F = features_NF.mean(0), features_NF.std(0)
        std_F[std_F <= 1e-9 * np.abs(mean_F) + 1e-12] = np.inf  # a constant column has no effect
        scaled_NF = (features_NF - mean_F) / std_F / len(mean_F) ** 0.5
        centred_N, typical = logs_N - logs_N.mean(), float(logs_N.mean())
        left, values, right = np.linalg.svd(scaled_NF, full_matrices=False)
        turned = left.T @ centred_N
        best, weights = np.inf, np.zeros(len(mean_F))
        for ridge in _RIDGES:
            shrunk = values**2 / (values**2 + ridge)
            hat_N = (left**2) @ shrunk + 1 / len(some)
            error = float(np.mean(((centred_N - left @ (shrunk * turned)) / np.maximum(1 - hat_N, 1e-6)) ** 2))
            if error < best:
                best, weights = error, right.T @ (values / (values**2 + ridge) * turned)
        alone = float(np.mean((centred_N / (1 - 1 / len(some))) ** 2))
        if not best < (1 - _GAIN) * alone:
            return cls(np.zeros(len(mean_F)), typical, typical)
        weights = weights / std_F / len(mean_F) ** 0.5
        return cls(weights, typical - float(mean_F @ weights), typical)

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Spread:
        """Return the instance of ``facts()``; ``ValueError``, ``KeyError`` or ``TypeError`` is raised if they are invalid."""
        weights = np.asarray(facts["weights"], np.float64)
        offset, typical = float(facts["offset"]), float(facts["typical"])
        if weights.ndim != 1 or not np.isfinite(weights).all() or not np.isfinite([offset, typical]).all():
            raise ValueError("numbers that are not finite")
        return cls(weights, offset, typical)

    @property
    def is_constant(self) -> bool:
        """Whether the expected error is the same for every row."""
        return not self.weights.any()

    def facts(self) -> dict[str, Any]:
        """Return the fitted coefficients as plain data for a bundle."""
        return {"weights": [float(f"{weight:.6g}") for weight in self.weights], "offset": self.offset, "typical": self.typical}

    def log(self, features_NF: np.ndarray) -> np.ndarray:
        """Return the logarithm of the expected error of each row (N,)."""
        logs_N = self.offset + features_NF.astype(np.float64) @ self.weights
        result: np.ndarray = np.clip(logs_N, self.typical - _FARTHEST, self.typical + _FARTHEST)
        return result


def features_of(answer: Answer, task: str) -> np.ndarray:
    """Return the features for the expected error (N, F): h, the prediction, its square, and the distance of each field's vote from it."""
    assert answer.fused_ND is not None
    number_N1 = answer.logits[task]
    votes = [np.abs(vote[:, :1] - number_N1) for voter, vote in answer.votes.get(task, {}).items() if voter != FUSED]
    return np.concatenate([answer.fused_ND, number_N1, number_N1**2, *votes], 1)


def pooled(spreads: Sequence[Spread], answers: Sequence[Answer], task: str) -> np.ndarray:
    """Return the expected error of the mean of several models (N,): the geometric mean of theirs, or 1 if there are no spreads."""
    if not spreads:
        return np.ones(len(answers[0].logits[task]))
    result: np.ndarray = np.exp(
        np.mean([spread.log(features_of(answer, task)) for spread, answer in zip(spreads, answers, strict=True)], axis=0)
    )
    return result
