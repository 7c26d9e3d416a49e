"""The numeric precision that a device gets, and what the check of an experiment prints about it."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from polymodal.training.devices import has_native_bfloat16, pick_precision, why_precision

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("capabilities", "native"),
    [({"avx512_bf16": True}, True), ({"amx_bf16": True, "avx512_bf16": False}, True), ({"avx512_f": True, "avx512_bf16": False}, False), ({}, False)],
)  # fmt: skip
def test_a_cpu_trains_in_float32_and_names_bfloat16_where_it_is_native(
    monkeypatch: pytest.MonkeyPatch, capabilities: dict[str, Any], native: bool
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert has_native_bfloat16(CPU) is native
    assert pick_precision("auto", CPU) == torch.float32
    assert pick_precision("bfloat16", CPU) == torch.bfloat16
    assert ("training.precision=bfloat16" in why_precision("auto", CPU, has_pictures=True)) is native
    assert why_precision("auto", CPU, has_pictures=False) == "the default on a CPU"


def test_a_device_of_another_kind_has_no_native_bfloat16() -> None:
    assert not has_native_bfloat16(torch.device("mps"))
