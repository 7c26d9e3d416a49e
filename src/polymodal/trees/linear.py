"""Linear methods on sparse rows: ridge regression by conjugate gradients, and a truncated singular value decomposition.

Shapes: ``N`` rows, ``D`` columns, ``C`` targets, ``R`` components. Everything is float32 and, on one machine, deterministic.
"""

from __future__ import annotations

from typing import Any

import numpy as np

_ITERATIONS = 30
_TOLERANCE = 1e-3
_OVERSAMPLED, _POWERS = 8, 2


def ridge(rows_ND: Any, target_NC: np.ndarray, penalty: float) -> np.ndarray:
    """Return the weights (D, C) of ridge regression without an intercept.

    They minimise the sum of squared errors plus ``penalty`` times the sum of squared weights. The normal equations are solved by conjugate
    gradients (Hestenes and Stiefel 1952), for each target by itself.

    :param rows_ND: a SciPy sparse matrix in CSR format, or an array
    :param target_NC: the targets, centred
    """
    weights_DC = np.zeros((rows_ND.shape[1], target_NC.shape[1]), np.float32)
    residual_DC = np.asarray(rows_ND.T @ target_NC.astype(np.float32))
    direction_DC = residual_DC.copy()
    power_C = (residual_DC**2).sum(0)
    enough_C = _TOLERANCE**2 * power_C
    for _ in range(_ITERATIONS):
        if (power_C <= enough_C).all():
            break
        image_DC = np.asarray(rows_ND.T @ np.asarray(rows_ND @ direction_DC)) + np.float32(penalty) * direction_DC
        step_C = power_C / np.maximum((direction_DC * image_DC).sum(0), 1e-30)
        weights_DC += step_C * direction_DC
        residual_DC -= step_C * image_DC
        before_C, power_C = power_C, (residual_DC**2).sum(0)
        direction_DC = residual_DC + (power_C / np.maximum(before_C, 1e-30)) * direction_DC
    return weights_DC


def components(rows_ND: Any, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return the right singular vectors (D, R) of the largest singular values, R = ``count`` or fewer if there are fewer rows or columns.

    The method is the randomised range finder with power iterations (Halko, Martinsson and Tropp 2011, arXiv:0909.4061).
    """
    size = min(count + _OVERSAMPLED, *rows_ND.shape)
    basis_NR = np.asarray(rows_ND @ rng.standard_normal((rows_ND.shape[1], size), np.float32))
    for _ in range(_POWERS):
        basis_NR = np.linalg.qr(basis_NR)[0]
        basis_NR = np.asarray(rows_ND @ np.asarray(rows_ND.T @ basis_NR))
    basis_NR = np.linalg.qr(basis_NR)[0]
    _, _, right_RD = np.linalg.svd(np.asarray(rows_ND.T @ basis_NR).T, full_matrices=False)
    return np.ascontiguousarray(right_RD[:count].T, np.float32)
