"""Portable modules compute what the modules that they replace compute."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from polymodal.exporting.portable import PortableRepeats, PortableStart, PortableTrees, WeightedSum, portable
from polymodal.trees.ensemble import Trees, tables_of
from polymodal.trees.repeats import Repeats
from polymodal.trees.start import Start

BUCKETS = 50


def repeats() -> tuple[Repeats, torch.Tensor]:
    """Known texts of 1 to 40 n-grams, of which every other one has a mean, and one of these is unknown."""
    rng = np.random.default_rng(0)
    ids_UL = torch.zeros(30, 40, dtype=torch.int64)
    for at in range(30):
        ids_UL[at, : at + 5] = torch.from_numpy(rng.integers(1, BUCKETS + 1, at + 5))
    codes = Repeats(torch.tensor([0]), torch.zeros(1, 1), BUCKETS).codes_D
    hashes = codes[ids_UL].sum(1)[::2].sort().values
    means = torch.from_numpy(rng.normal(0, 1, (len(hashes), 2)).astype(np.float32))
    means[3, 1] = torch.nan
    return Repeats(hashes, means, BUCKETS), ids_UL


def test_hashes_of_64_bits_are_compared_by_digits() -> None:
    known, ids_UL = repeats()
    assert bool((known.hashes_M < 0).any())
    assert bool((known.hashes_M > 2**32).any())
    expected = known(ids_UL)
    assert int(expected[:, 0].isnan().sum()) == 15
    torch.testing.assert_close(PortableRepeats(known)(ids_UL), expected, rtol=0, atol=0, equal_nan=True)


def test_recurring_texts_are_found_in_onnx(tmp_path: Any) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    known, ids_UL = repeats()
    with warnings.catch_warnings(action="ignore"):
        made = torch.onnx.export(PortableRepeats(known), (ids_UL[:3],), input_names=["ids"], dynamo=True, verbose=False,
                                 dynamic_shapes=({0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC},))  # fmt: skip
    assert made is not None
    made.save(tmp_path / "m.onnx")
    (found,) = onnxruntime.InferenceSession(tmp_path / "m.onnx").run(None, {"ids": ids_UL.numpy()})
    np.testing.assert_array_equal(found, known(ids_UL).numpy())


def test_thresholds_send_numbers_beside_them_to_the_same_leaf() -> None:
    """The thresholds are not float32 numbers; the numbers of the rows are the two float32 numbers beside each."""
    thresholds = [0.1, -0.3, 16_777_217.0, 1e-30, 0.0, -1e-46]
    trees = [
        {"tree_structure": {"split_feature": at % 2, "threshold": value, "default_left": at % 3 == 0, "missing_type": "NaN" if at % 2 else "None",
                            "left_child": {"leaf_value": 2.0**at}, "right_child": {"leaf_value": -(3.0**at)}}}
        for at, value in enumerate(thresholds)
    ]  # fmt: skip
    made = Trees(tables_of([(trees, [0, 1, 2, 0], 0.5)]), 2, 3)
    near = np.array(thresholds, np.float32)
    values = np.concatenate([near, np.nextafter(near, np.float32(np.inf)), np.nextafter(near, np.float32(-np.inf)), [np.nan, 0, -0.0]])
    rows = torch.from_numpy(np.array([[a, b] for a in values for b in values], np.float32))
    for wide in (torch.float64, torch.float32):
        torch.testing.assert_close(PortableTrees(made, wide)(rows), made(rows), rtol=1e-6, atol=1e-6)


def test_a_linear_start_and_a_weighted_sum_stay_the_same() -> None:
    torch.manual_seed(0)
    start = Start(torch.randn(4), torch.rand(4) + 0.5, torch.randn(4, 2), torch.randn(2))
    rows = torch.randn(20, 4) * 5
    rows[3, 1] = torch.nan
    torch.testing.assert_close(PortableStart(start, torch.float64)(rows), start(rows))
    bag = nn.EmbeddingBag(9, 3, mode="sum", padding_idx=0)
    with torch.no_grad():
        bag.weight[0] = 7.0  # the padding adds nothing, whatever its row
    ids, weights = torch.randint(0, 9, (6, 5)), torch.rand(6, 5)
    torch.testing.assert_close(WeightedSum(bag.weight)(ids, weights), bag(ids, per_sample_weights=weights))


def test_the_original_is_not_changed() -> None:
    convolution = nn.Conv2d(3, 4, 3)
    convolution.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    network = nn.Sequential(convolution, nn.EmbeddingBag(9, 3, mode="sum", padding_idx=0))
    strides = convolution.weight.stride()
    copied, summed = portable(network).children()
    assert isinstance(summed, WeightedSum)
    assert isinstance(network[1], nn.EmbeddingBag)
    assert isinstance(copied, nn.Conv2d)
    assert copied.weight.is_contiguous()
    assert convolution.weight.stride() == strides
