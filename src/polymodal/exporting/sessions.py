"""The libraries that compute exported models, each imported only when a model of its format is opened. The file needs no torch; it is
copied into the folders of exported models."""

from __future__ import annotations

import importlib
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

Run = Callable[[Mapping[str, np.ndarray]], Sequence[np.ndarray]]
"""A function from the inputs of a model by name to its outputs in order."""


def _onnx(path: str, facts: Mapping[str, Any]) -> Run:
    onnxruntime: Any = importlib.import_module("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda inputs: session.run(None, dict(inputs))


def _openvino(path: str, facts: Mapping[str, Any]) -> Run:
    openvino: Any = importlib.import_module("openvino")
    model = openvino.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return lambda inputs: list(model(dict(inputs)).to_tuple())


def _executorch(path: str, facts: Mapping[str, Any]) -> Run:
    """ExecuTorch's Python runtime takes tensors of torch, which phones do not need."""
    torch: Any = importlib.import_module("torch")
    with warnings.catch_warnings(action="ignore"):  # that its Python interface may change
        runtime = importlib.import_module("executorch.runtime").Runtime.get()
    method = runtime.load_program(path).load_method("forward")
    names = [one["name"] for field in facts["fields"] for one in field["inputs"]]
    return lambda inputs: [
        output.numpy().copy() for output in method.execute([torch.from_numpy(np.ascontiguousarray(inputs[name])) for name in names])
    ]


def _tensorflow(path: str, facts: Mapping[str, Any]) -> Run:
    interpreter = importlib.import_module("ai_edge_litert.interpreter").Interpreter(path)
    runner, types = interpreter.get_signature_runner(), {}
    for name, details in runner.get_input_details().items():
        types[name] = details["dtype"]
    names = {one["name"]: f"args_{at}" for at, one in enumerate(one for field in facts["fields"] for one in field["inputs"])}

    def run(inputs: Mapping[str, np.ndarray]) -> Sequence[np.ndarray]:
        outputs = runner(**{names[name]: array.astype(types[names[name]]) for name, array in inputs.items()})
        return [outputs[f"output_{at}"] for at in range(len(outputs))]

    return run


_OPEN: Mapping[str, Callable[[str, Mapping[str, Any]], Run]] = {
    "onnx": _onnx, "openvino": _openvino, "executorch": _executorch, "tensorflow": _tensorflow,
}  # fmt: skip


def opened(folder: str, facts: Mapping[str, Any]) -> Run:
    """Open the model of a folder.

    :param facts: the content of ``model.json``
    """
    return _OPEN[facts["format"]](os.path.join(folder, facts["model"]), facts)
