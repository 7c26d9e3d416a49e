"""Where a predictor computes, and how fast it answers a single row: devices, blocks without padding, and what calls share."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import polymodal as pm
from polymodal.cli.main import main
from polymodal.inference import device_of
from polymodal.trees.doubles import InDoubles

SMALL = ("training.epochs=1", "training.baselines=false", "model.width=8")


def table(rows: int) -> list[dict[str, Any]]:
    rng = np.random.default_rng(0)
    words = ["red apple", "green river", "红色 stone"]
    return [
        {"text": f"{words[at % 3]} number {rng.integers(9)}" if at % 7 else None, "x": float(rng.normal()), "y": "ab"[at % 2]}
        for at in range(rows)
    ]  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with five members, trees and texts that are missing."""
    folder = tmp_path_factory.mktemp("run") / "run"
    pm.train(table(300), *SMALL, target="y", out=folder)
    return folder


def test_a_predictor_computes_on_the_device_of_its_name(run: Path) -> None:
    predictor = pm.load(run, device="cpu")
    assert predictor.device == torch.device("cpu")
    assert {device_of(member) for member in predictor.bundle.members} == {torch.device("cpu")}


@pytest.mark.skipif(torch.cuda.is_available(), reason="the device of this test is available")
def test_a_device_that_is_absent_is_an_error_that_names_the_others(run: Path) -> None:
    with pytest.raises(pm.PolymodalError, match=r"device: cuda is not available; expected one of auto, cpu"):
        pm.load(run, device="cuda")
    with pytest.raises(pm.PolymodalError, match="device: gpu is not a device"):
        pm.load(run, device="gpu")  # type: ignore[arg-type]
    result = CliRunner().invoke(main, ["predict", str(run), "--row", '{"text": "red"}', "--device", "cuda"])
    assert result.exit_code == 2
    assert "device: cuda is not available" in result.output


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_a_gpu_answers_like_the_cpu_within_rounding(run: Path) -> None:
    on_cpu, on_gpu = pm.load(run, device="cpu"), pm.load(run, device="cuda")
    np.testing.assert_allclose(on_gpu.predict_proba(table(60)), on_cpu.predict_proba(table(60)), atol=1e-5)
    np.testing.assert_array_equal(on_gpu.predict_proba(table(60))[:7], on_gpu.predict_proba(table(7)))


def test_low_latency_answers_within_rounding_of_the_exact_answers(run: Path) -> None:
    exact, quick = pm.load(run), pm.load(run, low_latency=True)
    rows = table(50)
    whole = exact.predict_proba(rows)
    np.testing.assert_allclose(quick.predict_proba(rows), whole, atol=1e-5)
    np.testing.assert_allclose(quick.embed(rows), exact.embed(rows), atol=1e-5)
    for at in (0, 1, 49):
        np.testing.assert_allclose(quick.predict_proba(rows[at]), whole[[at]], atol=1e-5)
        np.testing.assert_array_equal(exact.predict_proba(rows[at]), whole[[at]])
    assert quick.evaluate(rows)["tasks"]["y"] == pytest.approx(exact.evaluate(rows)["tasks"]["y"], abs=1e-5)


def test_calls_share_the_modalities_unless_files_are_in_other_folders(run: Path, tmp_path: Path) -> None:
    predictor = pm.load(run)
    source = predictor.open(table(2))
    first = predictor._modalities(source, ())
    assert predictor._modalities(source, ()) is first
    other = predictor._modalities(source, str(tmp_path))
    assert other is not first
    assert other["text"].roots.folders != first["text"].roots.folders


def test_what_computes_in_float64_stays_on_the_cpu_without_it() -> None:
    module = InDoubles()
    module.register_buffer("values", torch.zeros(2, dtype=torch.float64))

    def to_mps(tensor: torch.Tensor) -> Any:
        assert tensor.dtype != torch.float64, "MPS has no float64"
        return SimpleNamespace(device=torch.device("mps"))

    assert module._apply(to_mps) is module
    assert module.values.device == torch.device("cpu")
    assert module.to(torch.device("meta")).values.device == torch.device("meta")
