"""Prediction compared with the model alone: one row in a warm process, and a table; rows for each CPU second, and memory."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from speed.tables import pictures_and_text, text_and_numbers
from speed.timing import Figure, figure, interleaved

import polymodal as pm
from polymodal.data.loader import field_of
from polymodal.outputs import PredictionTable

SMALL = ("training.epochs=1", "training.baselines=false")
ROWS_PER_CPU_SECOND_BEFORE = 3_030
"""The rows of such a table that were predicted in a CPU second before any of this was done: 33 CPU seconds for 100,000 rows."""

_MEASURED = """
import json, resource, sys, time
import polymodal as pm
model = pm.load(sys.argv[1])
for _ in model.predictions(sys.argv[3]): pass
before, rows = time.process_time(), 0
for part in model.predictions(sys.argv[2]): rows += len(part.rows)
print(json.dumps({"rows": rows, "cpu": time.process_time() - before, "mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
"""


def one_row(name: str, table: dict[str, list[Any]], repeats: int) -> Figure:
    """Return the time of a prediction of one row, divided by that of the members alone on its tensors."""
    model = pm.train(table, *SMALL, target="y")
    quick = pm.Predictor(model.bundle, low_latency=True)
    row = {column: cells[3] for column, cells in table.items() if column != "y"}
    read = quick.read(quick.open([row]), np.arange(1))
    members = quick.bundle.members
    fields = [field_of(read.modalities[field], read.window.samples[field], np.zeros(1, np.int64)) for field in members[0].names]

    @torch.inference_mode()
    def alone() -> None:
        for member in members:
            member(*fields)

    def several(work: Any) -> Any:
        return lambda: [work() for _ in range(20)]

    sides = {"exact": lambda: model.predict([row]), "low latency": lambda: quick.predict([row]), "model": alone}
    times = interleaved({side: several(work) for side, work in sides.items()}, repeats)
    milliseconds = {side: 1e3 * min(one[0] for one in of_side) / 20 for side, of_side in times.items()}
    facts = {"milliseconds": milliseconds, "members": len(members)}
    return figure(f"one row of {name}: predict with low latency / the model alone", times, "low latency", "model", most=1.3, facts=facts)


def whole_table(rows: int) -> list[Figure]:
    """Return the rows for each CPU second, relative to ``ROWS_PER_CPU_SECOND_BEFORE``, and the growth of memory with the rows."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pm.train(text_and_numbers(4_000), *SMALL, target="y", out=folder / "run")
        pd.DataFrame(text_and_numbers(600, seed=1)).drop(columns="y").to_csv(folder / "few.csv", index=False)
        results = []
        for count in (rows // 10, rows):
            frame = pd.DataFrame(text_and_numbers(count, seed=1)).drop(columns="y")
            frame.to_csv(folder / f"{count}.csv", index=False)
            arguments = [sys.executable, "-c", _MEASURED, *map(str, (folder / "run", folder / f"{count}.csv", folder / "few.csv"))]
            results.append(json.loads(subprocess.run(arguments, capture_output=True, text=True, check=True).stdout))
    few, many = results
    speed = many["rows"] / many["cpu"] / ROWS_PER_CPU_SECOND_BEFORE
    growth = many["mib"] - few["mib"]
    both = {"few": few, "many": many}
    return [
        Figure(f"predict {rows:,} rows of text and numbers: rows for a CPU second / before", speed, speed, speed, least=3.0, facts=many),
        Figure(f"memory of predict, {rows:,} rows minus {rows // 10:,}: MiB", growth, growth, growth, most=64.0, facts=both),
    ]


def files_to_parquet(rows: int, repeats: int) -> Figure:
    """Return the time that the members of a model take for tensors in batches of 32, divided by that of the same rows from files of
    pictures and a CSV file to a Parquet file."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        table = pictures_and_text(rows, side=128)
        model = pm.train(pictures_and_text(400, side=128), *SMALL, target="y")
        cells = []
        for at, body in enumerate(table["picture"]):
            (folder / f"{at}.png").write_bytes(body)
            cells.append(f"{at}.png")
        pd.DataFrame({"picture": cells, "text": table["text"]}).to_csv(folder / "table.csv", index=False)
        read = model.read(model.open(folder / "table.csv"), np.arange(min(rows, 512)))
        members = model.bundle.members
        batches = [
            [field_of(read.modalities[field], [read.window.samples[field][at] for at in read.window.index[field][start : start + 32]],
                      np.arange(32)) for field in members[0].names]
            for start in range(0, len(read.window.rows) - 31, 32)
        ]  # fmt: skip

        @torch.inference_mode()
        def alone() -> None:
            for at in range(rows // 32):
                for member in members:
                    member(*batches[at % len(batches)])

        def whole() -> None:
            outputs = PredictionTable(model)
            outputs.write(folder / "out.parquet", outputs.predict(folder / "table.csv"), overwrite=True)

        times = interleaved({"files to Parquet": whole, "model": alone}, repeats)
    facts = {"members": len(members), "rows": rows}
    name = "pictures and text: the model alone / predict from files to Parquet"
    return figure(name, times, "model", "files to Parquet", least=0.85, facts=facts)


def measure(quick: bool = False) -> list[Figure]:
    """Return all figures of prediction."""
    repeats = 1 if quick else 9
    return [
        one_row("text and numbers", text_and_numbers(400), repeats),
        one_row("a picture and text", pictures_and_text(400), repeats),
        files_to_parquet(64 if quick else 1_024, repeats),
        *whole_table(2_000 if quick else 100_000),
    ]
