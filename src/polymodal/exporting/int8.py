"""Dynamic quantisation of ONNX models to 8 bits."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from ..errors import requires

_QUANTISED = ["MatMul", "Gemm"]
"""The operations whose weights are quantised. Tables of embeddings, convolutions and trees stay as they are."""


def quantise(path: Path) -> None:
    """Replace an ONNX model by one whose linear layers have weights of 8 bits. Their inputs are quantised as they are computed."""
    quantization: Any = requires("onnxruntime.quantization", "onnx")
    quiet = logging.getLogger()
    level = quiet.level
    quiet.setLevel(logging.ERROR)
    try:
        quantization.quantize_dynamic(
            path, path, weight_type=quantization.QuantType.QInt8, op_types_to_quantize=_QUANTISED, extra_options={"DefaultTensorType": 1}
        )
    finally:
        quiet.setLevel(level)
