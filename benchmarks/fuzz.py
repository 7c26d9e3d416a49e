"""Coverage-guided fuzzing of the readers, started by hand: they may raise documented errors only.

    pip install atheris
    python benchmarks/fuzz.py cells --seconds 200 [--corpus FOLDER]
    python benchmarks/fuzz.py config --seconds 200
    python benchmarks/fuzz.py bundle --seconds 200

``cells``: pictures, text, numbers, dates, classes and CSV, JSON and Parquet tables. ``config``: YAML and overrides. ``bundle``: the files
of a trained bundle, with updated checksums, and checkpoints. The number of runs is printed at the end; another exception ends the benchmark
with a traceback, and writes its input to a file. The results of the last run are in docs/trust.md.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import atheris

with atheris.instrument_imports(include=["polymodal", "PIL", "yaml"]):
    import polymodal as pm
    from polymodal.cells import category, date, number
    from polymodal.config import parse_yaml
    from polymodal.data.sources import open_source
    from polymodal.errors import Fault, UserError
    from polymodal.modalities import Image, ImageConfig, Roots, Tabular, TabularConfig, Text, TextConfig
    from polymodal.storage import checksum_of
    from polymodal.tasks.classes import name_of
    from polymodal.training.checkpoint import BrokenCheckpoint, unseal

EXPECTED = (UserError, Fault, BrokenCheckpoint)
TABLE = [{"photo": "", "text": f"word {at} here", "x": at % 7, "label": "ab"[at % 2]} for at in range(40)]


def cells(folder: Path) -> Callable[[bytes], None]:
    """Return a function that reads arbitrary bytes and texts as cells and tables."""
    text = TextConfig(column="x")
    column = TabularConfig(columns=["x"])
    image = Image(
        ImageConfig(column="x"), {"size": 16, "channels": 3, "mean": [0.0] * 3, "std": [1.0] * 3, "form": "pixels"}, Roots([folder])
    )
    ngrams = Text(text, Text.fit(text, ["a word"], "ngrams", {"buckets": 512, "max_ngrams": 64}, Roots()), Roots())
    numbers = Tabular(column, Tabular.fit(column, [1.0, 2.0], "columns", {}, Roots()), Roots())

    def one(data: bytes) -> None:
        kind, data = data[:1], data[1:]
        if kind < b"\x80":
            image.read(data)
        elif kind < b"\xa0":
            word = data.decode("utf-8", "surrogateescape")  # lone surrogates among them
            for act in (ngrams.read, number, date, category, name_of, image.read, numbers.read):
                with contextlib.suppress(Fault):
                    act(word)
        else:
            path = folder / ("t.csv" if kind < b"\xc0" else "t.jsonl" if kind < b"\xe0" else "t.parquet")
            path.write_bytes(data)
            source = open_source(path)
            for _ in source.slices(source.columns):
                pass

    return one


def config(folder: Path) -> Callable[[bytes], None]:
    """Return a function that reads arbitrary text as a file of settings and as overrides."""
    path = folder / "run.yaml"

    def one(data: bytes) -> None:
        body, _, override = data.partition(b"\0")
        path.write_bytes(body)
        with contextlib.suppress(UserError):
            parse_yaml(body.decode("utf-8", "replace"), "here")
        pm.Experiment.read(path, [override.decode("utf-8", "replace")] if override else [])

    return one


def bundle(folder: Path) -> Callable[[bytes], None]:
    """Return a function that loads a bundle of which a piece of one file is replaced and the checksums are updated, and checkpoints."""
    pm.train(TABLE, "training.epochs=1", "data.split.folds=2", "training.baselines=false", "model.width=8", "model.encoders.text.kind=bag",
             "model.encoders.text.buckets=64", target="label", out=folder / "run")  # fmt: skip
    files = {path.name: path.read_bytes() for path in (folder / "run" / "bundle").iterdir()}
    names = ("bundle.json", "states.json", "weights.safetensors")

    def one(data: bytes) -> None:
        if len(data) < 6:
            return
        name = names[data[0] % 3]
        at, cut, piece = int.from_bytes(data[1:4], "little") % len(files[name]), data[4], data[5:]
        changed = files | {name: files[name][:at] + piece + files[name][at + cut :]}
        with contextlib.suppress(BrokenCheckpoint):
            unseal(piece)
        with contextlib.suppress(ValueError, RecursionError):
            head = json.loads(changed["bundle.json"])
            if isinstance(head, dict) and isinstance(head.get("sha256"), dict):
                head.pop("check", None)
                head["sha256"] |= {other: hashlib.sha256(changed[other]).hexdigest() for other in names[1:]}
                changed["bundle.json"] = json.dumps(head | {"check": checksum_of(head)}).encode()
        for other, body in changed.items():
            (folder / other).write_bytes(body)
        pm.load(folder).predict_proba(TABLE[:2])

    return one


def main() -> None:
    """Fuzz one kind of input."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["cells", "config", "bundle"])
    parser.add_argument("--seconds", type=int, default=200)
    parser.add_argument("--corpus", help="a folder of inputs to begin with")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    folder = Path(tempfile.mkdtemp(prefix="polymodal-fuzz-"))
    act = {"cells": cells, "config": config, "bundle": bundle}[arguments.what](folder)

    def one(data: bytes) -> None:
        with contextlib.suppress(*EXPECTED):
            act(data)

    options = [f"-max_total_time={arguments.seconds}", "-rss_limit_mb=6000", "-timeout=30", "-print_final_stats=1", "-max_len=4096"]
    atheris.Setup([sys.argv[0], *options, *([arguments.corpus] if arguments.corpus else [])], one)
    try:
        atheris.Fuzz()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
