"""The exchange formats: the packages that each needs, and how an exported program is written in it."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch.export import ExportedProgram

from ..errors import requires


class Format(ABC):
    """An exchange format: the packages that write it, what its runtime can compute, and how a program is written in it."""

    name: ClassVar[str]
    packages: ClassVar[tuple[str, ...]]
    """The packages that write models of this format."""
    extra: ClassVar[str]
    """The extra that installs them."""
    wide: ClassVar[torch.dtype] = torch.float64
    """The type of sums that should be more exact than float32."""
    rows: ClassVar[int | None] = None
    """The largest number of rows that the model computes together; None = any number."""
    has_lengths: ClassVar[bool] = True
    """Whether samples may have different lengths. If not, all are padded to the largest length, and every call has ``rows`` rows."""

    def check(self) -> None:
        """Import the packages of the format.

        :raises MissingDependency: a package is not installed
        """
        with _quiet():  # some use parts of Python that are deprecated
            for package in self.packages:
                requires(package, self.extra)

    @abstractmethod
    def write(self, program: ExportedProgram, inputs: Sequence[str], outputs: Sequence[str], folder: Path) -> str:
        """Write a program into a folder, and return the name of its file.

        :param inputs: the names of the inputs
        :param outputs: the names of the outputs
        """


class Onnx(Format):
    """ONNX, for ONNX Runtime on servers, in browsers and on phones."""

    name, packages, extra = "onnx", ("onnx", "onnxscript", "onnxruntime"), "onnx"

    def write(self, program: ExportedProgram, inputs: Sequence[str], outputs: Sequence[str], folder: Path) -> str:
        """Write ``model.onnx``, and ``model.onnx.data`` if the weights are too large for it."""
        with _quiet():
            made = torch.onnx.export(program, input_names=list(inputs), output_names=list(outputs), dynamo=True, verbose=False)
        assert made is not None
        made.save(folder / "model.onnx", external_data=_bytes_of(program) > _MOST_INSIDE)
        return "model.onnx"


class OpenVino(Format):
    """OpenVINO's intermediate representation, for processors of Intel. It computes in float32 only."""

    name, packages, extra = "openvino", ("onnx", "onnxscript", "openvino"), "openvino"
    wide = torch.float32

    def write(self, program: ExportedProgram, inputs: Sequence[str], outputs: Sequence[str], folder: Path) -> str:
        """Write ``model.xml`` and ``model.bin``, by way of ONNX."""
        openvino: Any = requires("openvino", self.extra)
        file = folder / Onnx().write(program, inputs, outputs, folder)
        model = openvino.Core().read_model(file)  # openvino.convert_model would send usage statistics
        openvino.save_model(model, folder / "model.xml", compress_to_fp16=False)
        for path in folder.glob("model.onnx*"):
            path.unlink()
        return "model.xml"


class ExecuTorch(Format):
    """A program of ExecuTorch, for phones. Models whose samples all have one length are computed by XNNPACK, others by portable kernels,
    since XNNPACK has one dynamic dimension."""

    name, packages, extra = "executorch", ("executorch.exir",), "executorch"
    wide = torch.float32
    rows = 32

    def write(self, program: ExportedProgram, inputs: Sequence[str], outputs: Sequence[str], folder: Path) -> str:
        """Write the program as ``model.pte``."""
        exir: Any = requires("executorch.exir", self.extra)
        xnnpack: Any = requires("executorch.backends.xnnpack.partition.xnnpack_partitioner", self.extra)
        with _quiet():
            config = exir.EdgeCompileConfig(_check_ir_validity=False)  # it does not know every operation of the portable kernels
            varies = len(program.range_constraints) > 1
            parts = [] if varies else [xnnpack.XnnpackPartitioner()]
            made = exir.to_edge_transform_and_lower(program, partitioner=parts, compile_config=config).to_executorch()
        (folder / "model.pte").write_bytes(made.buffer)
        return "model.pte"


class LiteRt(Format):
    """A LiteRT (TensorFlow Lite) file, for phones and microcontrollers. The converter supports no dynamic shapes: a call has one row, and
    samples are padded to the largest length."""

    name, packages, extra = "tensorflow", ("litert_torch", "ai_edge_litert"), "tensorflow"
    wide = torch.float32
    rows = 1
    has_lengths = False

    def write(self, program: ExportedProgram, inputs: Sequence[str], outputs: Sequence[str], folder: Path) -> str:
        """Write the program as ``model.tflite``."""
        litert: Any = requires("litert_torch", self.extra)
        with _quiet(), contextlib.redirect_stdout(io.StringIO()):
            made = litert.convert(program.module(), program.example_inputs[0])
            made.export(str(folder / "model.tflite"))
        return "model.tflite"


FORMATS: dict[str, Format] = {one.name: one for one in (Onnx(), OpenVino(), ExecuTorch(), LiteRt())}
"""The format of each name that ``export`` and ``model.json`` have."""
_MOST_INSIDE = 1_500_000_000
"""The number of bytes of weights from which they are in a file of their own: a file of ONNX has at most 2 GiB."""


def _bytes_of(program: ExportedProgram) -> int:
    """Return the number of bytes of the weights of a program."""
    return sum(value.numel() * value.element_size() for value in program.state_dict.values())


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the warnings and the log of the exporter, which concern its own parts."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
