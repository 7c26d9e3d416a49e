"""Measures the peak memory of ``inspect`` and of one training epoch for few and for many rows: it must not grow with the rows.

    python benchmarks/memory.py [--few 2000] [--many 200000]

Makes a table of pictures (500 files, shared), short texts, numbers and a class, runs each command in a process of its own
and prints its peak resident memory and the difference.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

WORDS = [f"word{at}" for at in range(5_000)]


def write_table(folder: Path, rows: int) -> Path:
    """Write ``table.csv``: picture, text, two numbers, a category and the class, which the picture's colour and a word determine."""
    rng = np.random.default_rng(0)
    (folder / "img").mkdir(parents=True)
    for at in range(500):
        color = [(200, 40, 40), (40, 200, 40), (40, 40, 200)][at % 3]
        Image.fromarray(np.clip(rng.normal(color, 20, (32, 32, 3)), 0, 255).astype(np.uint8)).save(folder / "img" / f"{at}.png")
    with (folder / "table.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["photo", "text", "weight", "price", "shop", "label"])
        for _ in range(rows):
            at = int(rng.integers(500))
            words = " ".join(rng.choice(WORDS, 6))
            writer.writerow(
                [f"img/{at}.png", words, f"{rng.normal():.4f}", f"{rng.gamma(2):.3f}", f"shop {rng.integers(30)}", "abc"[at % 3]]
            )
    return folder / "table.csv"


def peak(arguments: list[str]) -> float:
    """Return the peak resident memory of one command, in MiB."""
    code = (
        "import resource, subprocess, sys; p = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL);"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, p.returncode)"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    kilobytes, status = map(int, done.stdout.split())
    if status:
        raise SystemExit(f"{' '.join(arguments)}: exit {status}\n{done.stderr}")
    return kilobytes / 1024


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--few", type=int, default=2_000)
    parser.add_argument("--many", type=int, default=200_000)
    options = parser.parse_args()
    command = [sys.executable, "-m", "polymodal.cli.main"]
    with tempfile.TemporaryDirectory() as name:
        tables = {rows: write_table(Path(name) / str(rows), rows) for rows in (options.few, options.many)}
        print(f"{'':24}{options.few:>12,}{options.many:>12,}{'difference':>12}")
        for verb in ("inspect", "train"):
            peaks = []
            for rows, table in tables.items():
                arguments = [*command, verb, str(table), "--target", "label"]
                if verb == "train":
                    arguments += [
                        "training.epochs=1",
                        "training.baselines=false",
                        "data.split.kind=random",
                        "-o",
                        f"{name}/run_{rows}",
                        "--quiet",
                    ]
                peaks.append(peak(arguments))
            print(f"{verb + ', MiB':24}{peaks[0]:12.0f}{peaks[1]:12.0f}{peaks[1] - peaks[0]:12.0f}")


if __name__ == "__main__":
    main()
