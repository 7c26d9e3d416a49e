"""Trees as tensors: the predictions of LightGBM, and the refusal of tables that describe no trees."""

from __future__ import annotations

import lightgbm
import numpy as np
import pytest
import torch

from polymodal.trees.ensemble import Trees, tables_of

WIDTH = 4


def boosted(objective: str, label_N: np.ndarray, numbers_NK: np.ndarray, **more: object) -> lightgbm.Booster:
    parameters = {"objective": objective, "num_leaves": 7, "min_data_in_leaf": 3, "num_threads": 1, "verbose": -1, "seed": 0, **more}
    return lightgbm.train(parameters, lightgbm.Dataset(numbers_NK, label_N), 12)


def table(seed: int = 0, missing: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    numbers_NK = rng.standard_normal((300, WIDTH)).astype(np.float32)
    value_N = numbers_NK[:, 0] + numbers_NK[:, 1] * numbers_NK[:, 2]
    numbers_NK[rng.random(numbers_NK.shape) < missing] = np.nan
    return numbers_NK, value_N


@pytest.mark.parametrize("missing", [0.0, 0.2])
@pytest.mark.parametrize(("objective", "outputs"), [("regression", 1), ("binary", 1), ("multiclass", 3)])
def test_the_outputs_are_those_of_lightgbm(objective: str, outputs: int, missing: float) -> None:
    numbers_NK, value_N = table(missing=missing)
    label_N = value_N if objective == "regression" else np.digitize(value_N, [0.0] if objective == "binary" else [-0.5, 0.5])
    booster = boosted(objective, label_N, numbers_NK, **({"num_class": 3} if outputs == 3 else {}))
    trees = Trees(tables_of([(booster.dump_model()["tree_info"], range(outputs), 1.0)]), WIDTH, outputs)
    fresh_NK = table(1, missing=0.2 if missing else 0.0)[0]
    expected = np.asarray(booster.predict(fresh_NK, raw_score=True)).reshape(-1, outputs)
    np.testing.assert_allclose(trees(torch.from_numpy(fresh_NK)).numpy(), expected, atol=2e-6)


def test_trees_that_met_no_missing_number_take_it_for_zero_as_lightgbm_does() -> None:
    numbers_NK, value_N = table()
    booster = boosted("regression", value_N, numbers_NK)
    trees = Trees(tables_of([(booster.dump_model()["tree_info"], [0], 1.0)]), WIDTH, 1)
    holes_NK = table(2, missing=0.5)[0]
    np.testing.assert_allclose(trees(torch.from_numpy(holes_NK)).numpy()[:, 0], booster.predict(holes_NK, raw_score=True), atol=2e-6)
    filled = trees(torch.from_numpy(np.nan_to_num(holes_NK)))
    assert torch.equal(trees(torch.from_numpy(holes_NK)), filled)


def test_boosters_are_averaged() -> None:
    numbers_NK, value_N = table()
    boosters = [boosted("regression", value_N, numbers_NK, learning_rate=rate) for rate in (0.05, 0.3)]
    trees = Trees(tables_of([(one.dump_model()["tree_info"], [0], 0.5) for one in boosters]), WIDTH, 1)
    expected = np.mean([one.predict(numbers_NK) for one in boosters], 0)
    np.testing.assert_allclose(trees(torch.from_numpy(numbers_NK)).numpy()[:, 0], expected, atol=2e-6)


def test_a_row_has_the_same_bits_in_any_company() -> None:
    numbers_NK, value_N = table(missing=0.1)
    trees = Trees(tables_of([(boosted("regression", value_N, numbers_NK).dump_model()["tree_info"], [0], 1.0)]), WIDTH, 1)
    whole = trees(torch.from_numpy(numbers_NK[:32]))
    for company in (numbers_NK[31:63], numbers_NK[100:132]):
        other = company.copy()
        other[0] = numbers_NK[31]
        assert torch.equal(trees(torch.from_numpy(other))[0], whole[31])


def test_a_tree_of_one_leaf_is_a_constant() -> None:
    trees = Trees(tables_of([([{"tree_structure": {"leaf_value": 1.5}}], [0], 2.0)]), WIDTH, 1)
    assert trees.depth == 0
    assert trees(torch.full((3, WIDTH), torch.nan)).tolist() == [[3.0]] * 3


def test_a_threshold_that_no_float32_equals_divides_the_numbers_beside_it() -> None:
    """0.1 lies between two float32 numbers; one at 1e300 is above all finite ones."""
    below = np.float32(0.1) if float(np.float32(0.1)) <= 0.1 else np.nextafter(np.float32(0.1), np.float32(0))
    above = np.nextafter(below, np.float32(1))
    numbers_NK = np.array([[below], [above], [np.inf], [-np.inf], [3e38]], np.float32)
    for threshold, right in ((0.1, [False, True, True, False, True]), (1e300, [False, False, True, False, False])):
        node = {
            "split_feature": 0, "threshold": threshold, "default_left": True, "missing_type": "NaN",
            "left_child": {"leaf_value": 1.0}, "right_child": {"leaf_value": 2.0},
        }  # fmt: skip
        trees = Trees(tables_of([([{"tree_structure": node}], [0], 1.0)]), 1, 1)
        assert (trees(torch.from_numpy(numbers_NK))[:, 0] == 2).tolist() == right


def test_trees_of_different_depth_and_the_order_of_their_values() -> None:
    """The sum is over the trees in their order, in float64, however deep they are."""
    numbers_NK, value_N = table()
    boosters = [
        boosted("regression", value_N, numbers_NK, num_leaves=leaves, max_depth=depth) for leaves, depth in ((2, 1), (30, 9), (4, 2))
    ]
    infos = [(one.dump_model()["tree_info"], [0], 1.0) for one in boosters]
    together = Trees(tables_of(infos), WIDTH, 1)
    assert together.moving[0] == len(together.root_T) == 36
    assert together.moving == sorted(together.moving, reverse=True)
    assert together.depth == len(together.moving) > 2
    expected = np.sum([one.predict(numbers_NK) for one in boosters], 0)
    np.testing.assert_allclose(together(torch.from_numpy(numbers_NK)).numpy()[:, 0], expected, atol=2e-6)


def test_no_rows_have_no_outputs() -> None:
    trees = Trees(changed("value_M", 0, 0.0), WIDTH, 1)
    assert trees(torch.zeros(0, WIDTH)).shape == (0, 1)


def test_trees_deeper_than_the_bound_are_refused() -> None:
    node: dict[str, object] = {"leaf_value": 1.0}
    for _ in range(257):
        node = {
            "split_feature": 0, "threshold": 0.0, "default_left": True, "missing_type": "NaN",
            "left_child": {"leaf_value": 0.0}, "right_child": node,
        }  # fmt: skip
    with pytest.raises(ValueError, match="deeper than 256"):
        Trees(tables_of([([{"tree_structure": node}], [0], 1.0)]), 1, 1)


def changed(name: str, at: int, value: float) -> dict[str, torch.Tensor]:
    numbers_NK, value_N = table()
    tables = tables_of([(boosted("regression", value_N, numbers_NK).dump_model()["tree_info"], [0], 1.0)])
    tables[name] = tables[name].clone()
    tables[name][at] = value
    return tables


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("left_M", 0, "children do not follow"),
        ("left_M", 10**6, "left_M outside"),
        ("left_M", -1, "left_M outside"),
        ("feature_M", WIDTH, "feature_M outside 0 to 3"),
        ("root_T", -5, "root_T outside"),
        ("output_T", 1, "output_T outside"),
        ("threshold_M", float("nan"), "no numbers"),
        ("threshold_M", float("inf"), "no numbers"),
        ("value_M", float("inf"), "not finite"),
    ],
)
def test_tables_that_are_no_trees_are_refused(name: str, value: float, message: str) -> None:
    at = 1 if name == "left_M" and value == 0 else 0
    with pytest.raises(ValueError, match=message):
        Trees(changed(name, at, value), WIDTH, 1)


def test_tables_of_another_type_or_length_are_refused() -> None:
    tables = changed("value_M", 0, 0.0)
    with pytest.raises(ValueError, match="expected feature_M"):
        Trees({**tables, "value_M": tables["value_M"].double()}, WIDTH, 1)
    with pytest.raises(ValueError, match="expected feature_M"):
        Trees({name: value for name, value in tables.items() if name != "root_T"}, WIDTH, 1)
    with pytest.raises(ValueError, match="differ in length"):
        Trees({**tables, "value_M": tables["value_M"][1:]}, WIDTH, 1)
