"""``polymodal demo``: shows the benefit of fusion on questions about pictures.

easy-VQA (Zhou 2019, MIT licence) contains pictures of one coloured synthetic shape, and questions about them. The answer to "is there a red
circle?" depends on the picture and the question together: neither alone determines it, and neither does a sum of their contributions.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import sys
import textwrap
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .options import out_option

if TYPE_CHECKING:
    from ..predictor import Predictor
    from .output import Line

_EPOCHS = 7
"""The number of epochs, fewer than the default: the finding is the same."""


@click.command()
@out_option("Folder of the demo.", metavar="RUN", default="runs/demo")
def demo(out: str) -> None:
    """Show the benefit of fusion on questions about pictures.

    Trains on easy-VQA, and compares models of the picture, of the text and of both.
    """
    run_demo(Path(out))


def run_demo(folder: Path) -> None:
    """Train four models, print their test accuracies, and write ``metrics.json`` and ``demo.png``.

    :param folder: the folder of the demo; an earlier demo in it is removed
    :raises UserError: the folder is not empty and does not come from an earlier demo
    """
    from ..predictor import Predictor
    from ..runs import Interrupted, train
    from ..storage import OutputFolder, discard_replaced, write_whole
    from ..training.console import Console
    from ..training.devices import has_native_bfloat16, pick_device
    from ..training.observers import plain
    from .output import show, text_lines, words

    texts = words()
    start = time.monotonic()
    data = folder / "data"
    with OutputFolder(folder, "a demo", "-o RUN", marker=".demo", begun=".demo", folders=("data",)).claim(overwrite=True):
        rows = write_tables(data)
        (folder / ".demo").touch()
        discard_replaced(folder)
    show(text_lines(texts("demo.data", **rows)))
    show([(texts("demo.tables", train=data / "train.csv", test=data / "test.csv"), ""), ("", "")])
    test = str(data / "test.csv")
    settings = [f"training.epochs={_EPOCHS}"]
    settings += ["training.precision=bfloat16"] if has_native_bfloat16(pick_device("auto")) else []
    fusion = ["model.fusion.kind=concat", "model.votes=false", "training.baselines=false"]
    try:
        command = f"polymodal train train.csv --target answer {' '.join(settings)}"
        show([(f"1. {command}", ""), *text_lines(texts("demo.first"), "", "   ", "   ")])
        default = train(data / "train.csv", *settings, target="answer", test=test, out=folder / "default", observers=[Console()])
        show(text_lines(texts("demo.second", settings=" ".join(fusion[:2])), "", "2. ", "   "))
        concat = train(data / "train.csv", *settings, *fusion, target="answer", test=test, out=folder / "concat", observers=[Console()])
    except Interrupted as stopped:
        show([(texts("demo.interrupted", command="polymodal demo"), "")], error=True)
        sys.exit(128 + stopped.signal)
    alone = {name: Predictor(bundle) for name, bundle in default.baselines.items()}
    results = {
        "image_only": (alone["picture"].evaluate(test), default.metrics["baselines"]["picture"]["seconds"]),
        "text_only": (alone["question"].evaluate(test), default.metrics["baselines"]["question"]["seconds"]),
        "concat": (concat.metrics["test"], concat.metrics["seconds"]["fused"]),
        "default": (default.metrics["test"], default.metrics["seconds"]["fused"]),
    }
    models = {
        name: {"accuracy": measured["tasks"]["answer"]["accuracy"], "seconds": seconds} for name, (measured, seconds) in results.items()
    }
    body = json.dumps(plain({"models": models, "rows": rows, "seconds": round(time.monotonic() - start, 1)}), indent=1)
    write_whole(folder / "metrics.json", (body + "\n").encode())
    draw(folder, data, default, concat)
    show([("", ""), *table(models), ("", ""), *text_lines(texts("demo.meaning")), ("", "")])
    show([(texts("demo.results", metrics=folder / "metrics.json", picture=folder / "demo.png"), "")])
    show([(texts("train.bundle", path=folder / "default" / "bundle"), "")])
    show([*text_lines(texts("demo.seconds", seconds=time.monotonic() - start)), ("", ""), (texts("demo.next"), "")])
    show([(f"  polymodal {command} TABLE --target COL", "") for command in ("inspect", "train")])


def table(models: Mapping[str, Mapping[str, Any]]) -> list[Line]:
    """Return the test accuracies of the four models and their training times, as lines."""
    from .output import Table, table_lines, words

    texts = words()
    rows = [[texts(f"demo.{name}"), f"{model['accuracy']:.4f}", f"{model['seconds']:.0f}"] for name, model in models.items()]
    return table_lines(Table(["", texts("demo.accuracy"), texts("run.leaderboard_seconds")], rows), "")


def write_tables(folder: Path) -> dict[str, int]:
    """Write ``train.csv`` and ``test.csv`` (picture, question, answer) of the yes/no questions, and their pictures; return the number of
    rows of each."""
    from ..errors import requires

    easy_vqa = requires("easy_vqa", "demo")
    parts = {
        "train": (easy_vqa.get_train_questions(), easy_vqa.get_train_image_paths()),
        "test": (easy_vqa.get_test_questions(), easy_vqa.get_test_image_paths()),
    }
    rows = {}
    for part, ((questions, answers, images), paths) in parts.items():
        (folder / part).mkdir()
        for number, path in paths.items():
            shutil.copyfile(path, folder / part / f"{number}.png")
        with (folder / f"{part}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["picture", "question", "answer"])
            kept = [
                (f"{part}/{image}.png", question, answer)
                for question, answer, image in zip(questions, answers, images, strict=True)
                if answer in ("yes", "no")
            ]
            writer.writerows(kept)
        rows[part] = len(kept)
    return rows


def draw(folder: Path, data: Path, default: Predictor, concat: Predictor) -> None:
    """Write ``demo.png``: the learning curves of the four models, and test rows with predictions of the default model and of
    concatenation."""
    from ..errors import requires

    os.environ.setdefault("MPLBACKEND", "Agg")
    pyplot: Any = requires("matplotlib.pyplot", "demo")
    from PIL import Image

    figure = pyplot.figure(figsize=(13, 5.4), constrained_layout=True)
    left, right = figure.subfigures(1, 2, width_ratios=[1, 1.45])
    axis = left.subplots()
    labels = {"fused": "default", "only picture": "picture only", "only question": "text only"}
    for run, names in ((folder / "default", labels), (folder / "concat", {"fused": "concatenation"})):
        curves: dict[str, list[tuple[int, float]]] = {}
        for line in (run / "log.jsonl").read_text(encoding="utf-8").splitlines():
            event = json.loads(line)
            if event["event"] == "epoch":
                curves.setdefault(event["name"], []).append((event["epoch"], event["metrics"]["answer"]["accuracy"]))
        for name, points in curves.items():
            axis.plot(*zip(*points, strict=True), marker="o", markersize=3, label=names.get(name, name))
    axis.set_xlabel("epoch")
    axis.set_ylabel("accuracy on validation rows")
    axis.set_ylim(0.45, 1.02)
    axis.grid(alpha=0.3)
    axis.legend(loc="center right")
    axis.set_title("Learning")
    with (data / "test.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    chosen = [rows[at] for at in range(0, len(rows), len(rows) // 8)][:8]
    both = [model.predict_proba(chosen, root=[data]) for model in (default, concat)]
    for at, (axis, row) in enumerate(zip(right.subplots(2, 4).ravel(), chosen, strict=True)):
        axis.imshow(Image.open(data / row["picture"]))
        axis.set_axis_off()
        predictions = "\n".join(_prediction(name, scores[at]) for name, scores in zip(("default", "concat"), both, strict=True))
        axis.set_title(f"{textwrap.fill(row['question'], 22)}\nanswer: {row['answer']}\n{predictions}", fontsize=8.5)
    right.suptitle("Test rows, and the probability that each model gives its answer")
    figure.savefig(folder / "demo.png", dpi=110)
    pyplot.close(figure)


def _prediction(name: str, scores: Sequence[float]) -> str:
    """Return the name of a model with its prediction and the probability of it."""
    return f"{name}: {'yes' if scores[1] >= 0.5 else 'no'} {max(scores):.2f}"
