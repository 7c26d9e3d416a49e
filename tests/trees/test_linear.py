"""Ridge regression and singular vectors of sparse rows against the textbook formulas."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import random as random_sparse

from polymodal.trees.linear import components, ridge


@pytest.mark.parametrize("penalty", [0.5, 4.0])
def test_ridge_regression_solves_the_normal_equations(penalty: float) -> None:
    rng = np.random.default_rng(0)
    rows_ND = random_sparse(80, 25, 0.3, "csr", np.float32, random_state=rng)
    target_NC = rng.standard_normal((80, 2)).astype(np.float32)
    dense = rows_ND.toarray().astype(np.float64)
    expected = np.linalg.solve(dense.T @ dense + penalty * np.eye(25), dense.T @ target_NC)
    np.testing.assert_allclose(ridge(rows_ND, target_NC, penalty), expected, atol=2e-3)


def test_a_target_that_is_zero_has_weights_of_zero() -> None:
    rows_ND = random_sparse(30, 10, 0.5, "csr", np.float32, random_state=np.random.default_rng(1))
    assert (ridge(rows_ND, np.zeros((30, 1), np.float32), 1.0) == 0).all()


def test_components_span_the_largest_singular_vectors() -> None:
    rng = np.random.default_rng(2)
    rows_ND = (rng.standard_normal((60, 5)) * [9, 7, 5, 0.1, 0.1]) @ np.linalg.qr(rng.standard_normal((20, 5)))[0].T
    right_DR = components(rows_ND.astype(np.float32), 3, np.random.default_rng(0))
    expected = np.linalg.svd(rows_ND, full_matrices=False)[2][:3].T
    assert right_DR.shape == (20, 3)
    np.testing.assert_allclose(right_DR @ right_DR.T, expected @ expected.T, atol=1e-3)


def test_there_are_at_most_as_many_components_as_rows() -> None:
    assert components(np.eye(3, 7, dtype=np.float32), 5, np.random.default_rng(0)).shape == (7, 3)
