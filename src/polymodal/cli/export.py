"""``polymodal export``: writes a trained model for other runtimes, after comparing its answers with the model's."""

from __future__ import annotations

from typing import Any

import click

from .mistakes import Menu
from .options import out_option, overwrite_option, run_argument


@click.command()
@run_argument
@out_option("The folder to write.", metavar="FOLDER")
@click.option(
    "--format", "format_name", type=Menu(["onnx", "openvino", "executorch", "tensorflow"]), default="onnx", show_default=True,
    help="The exchange format; tensorflow = a LiteRT file.",
)  # fmt: skip
@click.option("--table", metavar="TABLE", help="The rows to compare on; without it, the training table, or made-up rows.")
@click.option("--root", multiple=True, metavar="FOLDER", help="A folder in which to look for the files of cells.")
@click.option("--int8", is_flag=True, help="Quantise linear layers to 8 bits (onnx), and measure the model before and after.")
@click.option("--trust", is_flag=True, help="Run code that the bundle names (module:Class).")
@overwrite_option("Replace FOLDER if it is an exported model.")
def export(
    run: str, *, out: str | None, format_name: Any, table: str | None, root: tuple[str, ...], int8: bool, trust: bool, overwrite: bool
) -> None:
    """Export a model to ONNX, OpenVINO, ExecuTorch or LiteRT.

    FOLDER then contains the whole model in one program, model.json (its inputs and targets), and runtime.py, which answers rows without
    torch and without polymodal. The export is refused if its answers differ from those of the model by more than 1e-4.
    """
    if out is None:
        raise click.UsageError("missing -o FOLDER: the folder to write")
    from ..exporting import export as export_model
    from .output import say, show, text_lines, words
    from .warnings import warnings_as_lines

    with warnings_as_lines():
        made = export_model(run, out, format=format_name, table=table, root=list(root), int8=int8, trust=trust, overwrite=overwrite)
    texts = words()
    first, *others = map(texts.read, made.sentences)
    say(first, error=False)
    show(line for other in others for line in text_lines(other, "", "  ", "    "))
