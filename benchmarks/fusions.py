"""Runs ``polymodal compare`` on public tables, and measures the coverage of its intervals and its false verdicts.

The table of fusions, one comparison each (``small_tables.py`` describes how to fetch the emoji)::

    python benchmarks/fusions.py --vqa --time-limit 20m
    python benchmarks/fusions.py --emoji google emojibase --time-limit 20m

``--reruns 5`` compares again under 5 seeds, which split, initialise and shuffle differently, and counts the intervals that contain the mean
of the 5 differences. The verdict on tables without information::

    python benchmarks/fusions.py --shuffled 20

makes 20 tables of a text and a number, 200 rows each, with random labels, and counts the sentences that state that there is no evidence.
All other arguments (``--fusion concat``, ``training.epochs=10``) are passed to ``compare``.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from small_tables import emoji, vqa, write

import polymodal as pm
from polymodal.cli.compare import summary
from polymodal.cli.output import plain_text

Found = dict[str, Any]


def compared(path: Path, target: str, options: argparse.Namespace, seed: int, **settings: Any) -> Found:
    """Return the results of one comparison."""
    given: dict[str, Any] = {
        "fusions": options.fusion,
        "time_limit": options.time_limit,
        "rounds": options.rounds,
        "trials": options.trials,
    }
    return pm.compare(path, *options.settings, target=target, seed=seed, **{**given, **settings})


def rerun(name: str, path: Path, target: str, options: argparse.Namespace, root: Sequence[Path]) -> None:
    """Compare under several seeds, and print how many intervals contain the mean of the differences."""
    comparisons = []
    for seed in range(options.first, options.first + options.reruns):
        begin = time.monotonic()
        comparisons.append(compared(path, target, options, seed, root=root, observers=[pm.Console()] if options.verbose else []))
        print(f"{name}, seed {seed}, {time.monotonic() - begin:.0f} s\n{plain_text(summary(comparisons[-1]))}\n", flush=True)
    results = [one["targets"][target] for one in comparisons if target in one["targets"]]
    results = [one for one in results if one["difference"]["low"] is not None]  # fewer than three rounds give no interval
    if len(results) > 1:
        pooled = statistics.mean(one["difference"]["mean"] for one in results)
        covering = sum(one["difference"]["low"] <= pooled <= one["difference"]["high"] for one in results)
        print(
            f"{name}: {covering} of {len(results)} intervals contain the pooled difference {pooled:+.4f}; "
            f"verdicts {[one['verdict'] for one in results]}"
        )


def shuffled(count: int, options: argparse.Namespace, folder: Path) -> None:
    """Compare on tables whose labels do not depend on the fields."""
    silent = 0
    for seed in range(count):
        rng = np.random.default_rng([seed, 1])
        path = folder / f"shuffled_{seed}.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["say", "size", "label"])
            for _ in range(200):
                writer.writerow([" ".join(rng.choice(["alpha", "beta", "gamma", "delta"], 3)), f"{rng.normal():.3f}", int(rng.integers(2))])
        result = compared(path, "label", options, seed, columns={"say": "text"})["targets"]["label"]
        silent += "no evidence" in result["sentence"]
        print(f"shuffled {seed}: {result['verdict']}; {result['sentence']}", flush=True)
    print(f"{silent} of {count} sentences say that there is no evidence")


def main() -> None:
    """Run the comparisons that the options select."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vqa", action="store_true", help="easy-VQA's 13 answers")
    parser.add_argument("--emoji", nargs=2, type=Path, metavar=("GOOGLE", "EMOJIBASE"))
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="only this table (emoji_en, emoji_zh)")
    parser.add_argument("--first", type=int, default=0, metavar="SEED", help="the first seed")
    parser.add_argument("--shuffled", type=int, default=0, metavar="COUNT")
    parser.add_argument("--reruns", type=int, default=1)
    parser.add_argument("--fusion", action="append", default=[])
    parser.add_argument("--trials", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--time-limit")
    parser.add_argument("--verbose", action="store_true", help="a line for each training")
    options, options.settings = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tables = list(emoji(*options.emoji)) if options.emoji else []
        for table in [one for one in tables if not options.only or one.name in options.only]:
            rerun(table.name, write(folder / f"{table.name}.csv", table.rows), table.target, options, [table.folder])
        if options.vqa:
            (table,) = vqa(folder)
            rerun(table.name, write(folder / "vqa.csv", table.rows), table.target, options, [table.folder])
        if options.shuffled:
            shuffled(options.shuffled, options, folder)


if __name__ == "__main__":
    main()
