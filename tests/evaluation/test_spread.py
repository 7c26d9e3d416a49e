"""Tests of the expected error of a row: it widens intervals where errors are larger, and the coverage is valid in any case."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from polymodal.errors import ConfigError
from polymodal.evaluation.conformal import Errors, kept_errors
from polymodal.evaluation.spread import Spread, features_of, pooled
from polymodal.flow import FUSED
from polymodal.inference import Answer
from polymodal.tasks import RegressionConfig, Task


def drawn(rows: int, seed: int, noise: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Features (N, 20), and errors whose logarithm follows the first by ``noise``."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(rows, 20)).astype(np.float32)
    return features, np.abs(rng.normal(size=rows)) * np.exp(noise * features[:, 0])


def test_it_follows_errors_that_differ_and_is_constant_where_they_do_not() -> None:
    found = Spread.fit(*drawn(400, 0))
    assert not found.is_constant
    features, _ = drawn(1_000, 1)
    assert np.corrcoef(found.log(features), features[:, 0])[0, 1] > 0.9
    assert np.ptp(found.log(features)) <= 2 * np.log(5.0) + 1e-9
    alike = [Spread.fit(*drawn(400, seed, 0.0)).is_constant for seed in range(20)]
    assert sum(alike) >= 17
    assert Spread.fit(*drawn(40, 0)).is_constant, "too few rows"
    assert Spread.fit(np.ones((100, 3)), np.zeros(100)).is_constant, "no error at all"
    assert Spread.fit(np.full((100, 3), np.inf), np.ones(100)).is_constant


def test_it_is_the_same_as_plain_data() -> None:
    found = Spread.fit(*drawn(400, 0))
    again, (features, _) = Spread.of(found.facts()), drawn(50, 1)
    np.testing.assert_allclose(again.log(features), found.log(features), rtol=1e-4, atol=1e-4)
    bad: dict[str, Any]
    for bad in ({"weights": [1.0], "offset": float("nan"), "typical": 0.0}, {"weights": [[1.0]], "offset": 0.0, "typical": 0.0}):
        with pytest.raises(ValueError, match="not finite"):
            Spread.of(bad)


def a_number() -> Task:
    config = RegressionConfig(column="y")
    return config.task()(config, config.task().fit(config, ["-1", "1"], "t"))


@pytest.mark.parametrize("coverage", [0.8, 0.9, 0.95])
def test_coverage_holds_and_intervals_adapt(coverage: float) -> None:
    """Over 400 tables of 39 calibration rows whose noise grows with the first feature: mean coverage within three standard errors, and it is as
    large where noise is large as where it is small, which intervals of one width are not."""
    spread, task = Spread.fit(*drawn(400, 0)), a_number()
    rates: list[tuple[float, float]] = []
    plain: list[tuple[float, float]] = []
    for seed in range(400):
        features, errors = drawn(39 + 50, 10 + seed)
        part, zero = np.zeros(39, np.int64), np.zeros((39, 1))
        for into, expected in ((rates, np.exp(spread.log(features))), (plain, np.ones(89))):
            kept = kept_errors(task, errors[:39, None], zero, part, 1, expected[:39])
            ends = Errors.of(kept, 5, "y").interval([np.zeros((50, 1))], coverage, expected[39:])
            inside = errors[39:] <= ends[:, 1]
            high = features[39:, 0] > 0.8
            into.append((float(inside.mean()), float(inside[high].mean()) if high.any() else np.nan))
    mean, high = np.nanmean(rates, 0)
    error = float(np.std([one for one, _ in rates], ddof=1)) / 20
    assert mean == pytest.approx(coverage, abs=3 * error)
    assert abs(high - coverage) < 0.09
    assert np.nanmean(plain, 0)[1] < high - 0.05


def test_of_several_models_it_is_the_geometric_mean_and_needs_their_features() -> None:
    votes = {"y": {FUSED: np.zeros((3, 1)), "x": np.ones((3, 1)), "z": np.full((3, 1), 3.0)}}
    answer = Answer({"y": np.full((3, 1), 2.0)}, votes, np.zeros((3, 4)))
    np.testing.assert_array_equal(features_of(answer, "y"), [[0, 0, 0, 0, 2, 4, 1, 1]] * 3)
    one, other = (Spread(np.eye(8)[4] * by, 0.0, 0.0) for by in (0.5, 0.1))
    np.testing.assert_allclose(pooled([one, other], [answer, answer], "y"), [np.exp(0.6)] * 3)
    np.testing.assert_array_equal(pooled([], [answer], "y"), [1, 1, 1])
    wrong = {"rows": 20, "errors": [0.1] * 20, "spreads": [{"weights": [1.0], "offset": 0.0, "typical": 0.0}]}
    errors = Errors.of(wrong, 1, "y")
    with pytest.raises(ConfigError, match="y: the expected errors are of another model"):
        errors.spread([answer], "y", "y")
    with pytest.raises(ConfigError, match="0 validation rows"):
        Errors.of({**wrong, "spreads": wrong["spreads"] * 3}, 1, "y")  # type: ignore[operator]
