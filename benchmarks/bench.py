"""Measures the speed of polymodal as ratios: both sides of a ratio run in turns in one process, on the machine at hand.

    python benchmarks/bench.py [--only prediction --only step] [--quick] [--out benchmarks/results]

Each module of ``benchmarks/speed`` measures one part. A line of the table has the median ratio, the smallest and the largest one of a
repetition, and what is required. ``--out`` receives a JSON file for each module with the wall time and the CPU seconds of each side, the
load of the machine, and the metric with and without what is measured. ``--quick`` only shows that everything runs.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import warnings
from pathlib import Path

import torch

PARTS = ("step", "small_cells", "busy", "texts", "shared_pictures", "backbones", "decoding", "prediction", "start")


def main() -> None:
    """Measure what the options select, write the files, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=PARTS, default=[], help="only this part; may be given again")
    parser.add_argument("--quick", action="store_true", help="small tables and one repetition")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results", metavar="FOLDER")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    machine = {
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(), "torch": torch.__version__,
        "threads": torch.get_num_threads(), "python": platform.python_version(), "cuda": torch.cuda.is_available(),
    }  # fmt: skip
    print("| figure | ratio | spread | required |\n|---|---|---|---|", flush=True)
    for part in arguments.only or PARTS:
        figures = importlib.import_module(f"speed.{part}").measure(arguments.quick)
        for one in figures:
            print(one.line(), flush=True)
        arguments.out.mkdir(parents=True, exist_ok=True)
        body = {"machine": machine, "quick": arguments.quick, "figures": [one.plain() for one in figures]}
        (arguments.out / f"{part}.json").write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")
    if not machine["cuda"]:
        print("\nNo CUDA device: the figures of a GPU were not measured.")


if __name__ == "__main__":
    main()
