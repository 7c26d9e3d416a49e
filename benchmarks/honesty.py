"""Compares the figures that a run reports with the same figures of fresh rows.

    python benchmarks/honesty.py --out honesty.jsonl [--jobs 2] [--seeds 20]
    python benchmarks/honesty.py --out honesty.jsonl --part coverage --only noisy_10 --sizes 200 600

Each cell is a table of known distribution, a number of rows and a seed. A default run is trained on the rows; one model serves all parts:

* **optimism**: each figure of the run on its validation rows (``metrics["validation"]``) minus the same metric of the shipped model
  on 2,000 fresh rows of the same distribution. A positive difference is optimism for accuracy, AUC and r2, a negative one for log loss and
  ECE. The ECE of few rows is larger than that of many, so the fresh one is the mean over parts of as many rows as the run reports on.
* **coverage**: the share of the fresh rows whose truth is in ``predict_sets(fresh, coverage)`` for 80, 90 and 95 %, and the mean size of a
  set (classes, or the median width of an interval).
* **scaling**: log loss and ECE of the fresh rows by the shipped model, minus those by the same model without scaling (for every task, the
  vote weights are divided so that they sum to one, as in ``calibration.py``).

scikit-learn's tables (``breast_cancer``, ``diabetes``, ``wine``, 600 rows of ``digits``) are split 70/30 anew by each seed; the 30 % are
the fresh rows. Every other cell samples its own coefficients, rows and fresh rows from its seed.

Figures are means over the seeds, each with its standard error (se) and its standard deviation (sd). A line for each cell is appended to
``--out``, so that an interrupted benchmark continues; the tables are printed from all lines of the file that the options select. Results
do not depend on ``--jobs`` (each process computes on one thread). The last lines compare the means with their bounds; a mean that is
beyond its bound by less than two standard errors is marked, because that may be noise.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from known_tables import COVERAGE, OPTIMISM, SIZES, Cell, Kind, kinds, sampled

import polymodal as pm
from polymodal.runs import Interrupted
from polymodal.tasks.metrics import classification, ece, regression

COVERAGES = (0.8, 0.9, 0.95)
SCALING = "scaling"


def trained(kind: Kind, cell: Cell, train: pd.DataFrame, fields: Mapping[str, Any]) -> pm.Predictor:
    """Return the model of a default run on these rows."""
    task = "regression" if kind.regression else "binary" if train["y"].nunique() == 2 else "multiclass"
    settings = {"fields": fields, "tasks": {"y": {"kind": task, "column": "y"}}, "seed": cell.seed, "training": {"baselines": False}}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        pictured(Path(folder), train).to_csv(path, index=False)
        return pm.train(pm.Experiment(data={"table": str(path)}, **settings))


def pictured(folder: Path, table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with its pictures, if it has any, as the names of PNG files in the folder."""
    if "picture" not in table:
        return table
    from PIL import Image

    files = [f"{at}.png" for at in range(len(table))]
    for name, pixels in zip(files, table["picture"], strict=True):
        Image.fromarray(pixels).save(folder / name)
    return table.assign(picture=files)


def measured(cell: Cell) -> dict[str, Any]:
    """Train a cell, and compare the figures that its run reports with those of fresh rows."""
    kind = kinds()[cell.kind]
    begin = time.monotonic()
    train, fresh, fields = sampled(kind, cell)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = trained(kind, cell, train, fields)
        seconds = time.monotonic() - begin
        result: dict[str, Any] = {
            "kind": cell.kind, "rows": cell.rows, "seed": cell.seed, "trained_on": len(train), "fresh_rows": len(fresh),
            "members": len(model.bundle.members), "method": method(model),
        }  # fmt: skip
        validation = model.metrics["validation"]
        result["reported"] = {name: validation["tasks"]["y"].get(name) for name in metrics_of(kind)}
        result["reported_rows"] = validation["rows"]
        result["coverage"] = covered(model, kind, fresh)
        if kind.regression:
            result["fresh"] = regression(fresh["y"].to_numpy(), np.asarray(model.predict(fresh), float))[0]
        else:
            result["fresh"] = probable(model, fresh, validation["rows"])
            unscaled(model)
            result["unscaled"] = probable(model, fresh, validation["rows"])
    return result | {"seconds": round(seconds, 2), "all_seconds": round(time.monotonic() - begin, 2), "code": code()}


def metrics_of(kind: Kind) -> tuple[str, ...]:
    """Return the metrics that are compared."""
    return ("r2", "rmse", "mae") if kind.regression else ("accuracy", "roc_auc", "log_loss", "ece")


def method(model: pm.Predictor) -> str:
    """Return the method by which the model states coverage: that of its conformal facts, or split conformal prediction."""
    kept = model.metrics.get("conformal", {}).get("y") or {}
    return str(kept.get("method", "split"))


def probable(model: pm.Predictor, fresh: pd.DataFrame, rows: int) -> dict[str, float | None]:
    """Return metrics of the fresh rows; the ECE is over parts of at most ``rows`` rows, and over all of them as ``ece_all``."""
    scores_NC, classes = np.asarray(model.predict_proba(fresh), float), [str(label) for label in model.classes]
    truth_N = np.array([classes.index(label) if label in classes else -1 for label in fresh["y"]])
    values = {name: classification(truth_N, scores_NC)[0][name] for name in ("accuracy", "roc_auc", "log_loss", "ece")}
    right_N, sure_N = scores_NC.argmax(1) == truth_N, scores_NC.max(1)
    parts = np.array_split(np.arange(len(truth_N)), max(1, round(len(truth_N) / rows)))
    return values | {"ece_all": values["ece"], "ece": float(np.mean([ece(right_N[part], sure_N[part]) for part in parts]))}


def unscaled(model: pm.Predictor) -> None:
    """Divide the vote weights so that nothing is scaled."""
    for member in model.bundle.members:
        total_T1 = member.vote_weights_TV.sum(1, keepdim=True)
        member.vote_weights_TV /= total_T1.where(total_T1 > 0, total_T1.new_ones(()))


def covered(model: pm.Predictor, kind: Kind, fresh: pd.DataFrame) -> dict[str, list[float]]:
    """Return by coverage the share of rows whose set contains the truth and the size of a set; nothing if no coverage can be stated."""
    shares_of = {}
    for coverage in COVERAGES:
        try:
            sets = model.predict_sets(fresh, coverage)
        except pm.ConfigError:  # too few rows
            continue
        truth = fresh["y"].to_numpy()
        if kind.regression:
            inside, size = (sets[:, 0] <= truth) & (truth <= sets[:, 1]), np.median(sets[:, 1] - sets[:, 0])
        else:
            inside = [label in map(str, one) for label, one in zip(truth, sets, strict=True)]
            size = np.mean([len(one) for one in sets])
        shares_of[str(coverage)] = [float(np.mean(inside)), float(size)]
    return shares_of


def code() -> str:
    """Return a digest of the code of the library: lines of a results file that other code has written are reported."""
    digest = hashlib.sha256()
    folder = Path(pm.__file__).parent
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def start() -> None:
    """Use one thread, so that results depend neither on the number of cores nor on the number of processes."""
    import torch

    torch.set_num_threads(1)


# -- tables ------------------------------------------------------------------------------------------------------------


@dataclass
class Spread:
    """The values of one figure, one for each seed."""

    values: list[float] = field(default_factory=list)

    @property
    def mean(self) -> float:
        """The mean of the values; NaN if there are none."""
        return statistics.mean(self.values) if self.values else math.nan

    @property
    def deviation(self) -> float:
        """The standard deviation; NaN for fewer than two values."""
        return statistics.stdev(self.values) if len(self.values) > 1 else math.nan

    @property
    def error(self) -> float:
        """The standard error of the mean."""
        return self.deviation / math.sqrt(len(self.values)) if self.values else math.nan


Lines = Sequence[Mapping[str, Any]]
Groups = Mapping[tuple[str, int], Lines]
HEAD = f"{'table':16}{'rows':>6}{'seeds':>6}   "


def grouped(lines: Lines) -> dict[tuple[str, int], list[Mapping[str, Any]]]:
    """Return the lines by kind and rows, in the order of ``kinds``."""
    order = list(kinds())
    groups: dict[tuple[str, int], list[Mapping[str, Any]]] = {}
    for line in sorted(lines, key=lambda line: (order.index(line["kind"]), line["rows"], line["seed"])):
        groups.setdefault((line["kind"], line["rows"]), []).append(line)
    return groups


def head(lines: Lines) -> str:
    """Return the beginning of a line of a table."""
    return f"{lines[0]['kind']:16}{lines[0]['trained_on']:6}{len(lines):6}   "


def over(lines: Lines, side: str, metric: str) -> Spread:
    """Return the values of a metric over the seeds for which it is defined."""
    return Spread([line[side][metric] for line in lines if line[side].get(metric) is not None])


def differences(lines: Lines, metric: str, first: str, second: str) -> Spread:
    """Return ``first`` minus ``second`` of a metric, over the seeds for which both are defined."""
    pairs = [(line[first].get(metric), line[second].get(metric)) for line in lines]
    return Spread([one - other for one, other in pairs if one is not None and other is not None])


def shares(lines: Lines, coverage: float) -> Spread:
    """Return the share of fresh rows, in %, whose set contains the truth, over the seeds that state this coverage."""
    return Spread([100 * line["coverage"][str(coverage)][0] for line in lines if str(coverage) in line["coverage"]])


def optimism(groups: Groups) -> Iterator[str]:
    """Yield the lines of the table of reported figures minus those of fresh rows."""
    yield f"\nOPTIMISM: reported minus fresh, mean (se; sd)\n{HEAD}{'metric':12}{'reported':>9}{'fresh':>9}{'difference':>12}"
    for (name, _), lines in groups.items():
        for metric in metrics_of(kinds()[name]):
            gap, reported, fresh = (
                differences(lines, metric, "reported", "fresh"),
                *(over(lines, side, metric) for side in ("reported", "fresh")),
            )
            yield f"{head(lines)}{metric:12}{reported.mean:9.4f}{fresh.mean:9.4f}{gap.mean:+12.4f} ({gap.error:.4f}; {gap.deviation:.4f})"


def coverage(groups: Groups) -> Iterator[str]:
    """Yield the lines of the table of coverages."""
    levels = "".join(f"{100 * level:g} %".ljust(28) for level in COVERAGES)
    yield f"\nCOVERAGE: % of fresh rows whose set contains the truth, mean (se), median size of a set\n{HEAD}{levels}method"
    for lines in groups.values():
        parts = []
        for level in COVERAGES:
            inside = shares(lines, level)
            sizes = [line["coverage"][str(level)][1] for line in lines if str(level) in line["coverage"]]
            parts.append(f"{inside.mean:5.1f} ({inside.error:.1f}), {statistics.median(sizes or [math.nan]):.3g}".ljust(28))
        yield f"{head(lines)}{''.join(parts)}{lines[0]['method']}"


def scaling(groups: Groups) -> Iterator[str]:
    """Yield the lines of the table that compares the shipped model with the same model without scaling."""
    yield f"\nSCALING: fresh rows, shipped, and shipped minus unscaled, mean (se)\n{HEAD}{'log loss':27}ECE"
    for (name, _), lines in groups.items():
        if kinds()[name].regression:
            continue
        parts = []
        for metric in ("log_loss", "ece_all"):
            gap = differences(lines, metric, "fresh", "unscaled")
            parts.append(f"{over(lines, 'fresh', metric).mean:.4f} {gap.mean:+.4f} ({gap.error:.4f})".ljust(27))
        yield f"{head(lines)}{''.join(parts).rstrip()}"


# -- bounds ------------------------------------------------------------------------------------------------------------


def verdict(what: str, lines: Lines, figures: Spread, low: float, high: float, form: str = "+.4f") -> str:
    """Return a line that states whether a mean is within its bounds."""
    beyond = max(low - figures.mean, figures.mean - high)
    noise = " (by less than two standard errors)" if 0 < beyond <= 2 * figures.error else ""
    limits = f"{low:{form}} to {high:{form}}" if math.isfinite(low) else f"at most {high:{form}}"
    mean = f"{figures.mean:{form}} (se {figures.error:{form.lstrip('+')}})"
    place = f"{lines[0]['kind']}, {lines[0]['trained_on']} rows, {len(figures.values)} seeds"
    return f"{'PASS' if beyond <= 0 else 'FAIL'}  {place}, {what}: {mean}, expected {limits}{noise}"


def judged_optimism(groups: Groups) -> Iterator[str]:
    """Yield the lines that compare the optimism on 200 rows of coin labels with its bounds."""
    lines = groups.get(("coin", 200), ())
    for metric, low, high in (("accuracy", -math.inf, 0.01), ("roc_auc", -math.inf, 0.015), ("log_loss", -0.01, 0.01)):
        if lines:
            yield verdict(f"{metric}, reported minus fresh", lines, differences(lines, metric, "reported", "fresh"), low, high)


def judged_coverage(groups: Groups) -> Iterator[str]:
    """Where split conformal prediction states it: within 1.5 points of the level, and not below it by more than two standard errors.
    Elsewhere (CV+): from the level to 4 points above."""
    for (name, _), lines in groups.items():
        if kinds()[name].part != COVERAGE:
            continue
        for level in COVERAGES:
            if (inside := shares(lines, level)).values:
                split = lines[0]["method"] == "split"
                below = (min(1.5, 2 * inside.error) if inside.error == inside.error else 1.5) if split else 0.0
                bounds = (100 * level - below, min(100.0, 100 * level + (1.5 if split else 4.0)))
                yield verdict(f"coverage of {100 * level:g} % ({lines[0]['method']})", lines, inside, *bounds, ".2f")


def judged_scaling(groups: Groups) -> Iterator[str]:
    """The log loss is nowhere larger than unscaled by more than two standard errors; the ECE is smaller for most."""
    better = []
    for (name, _), lines in groups.items():
        if kinds()[name].regression or len(lines) < 2:
            continue
        gap = differences(lines, "log_loss", "fresh", "unscaled")
        better.append(differences(lines, "ece_all", "fresh", "unscaled").mean <= 0)
        yield verdict("log loss, shipped minus unscaled", lines, gap, -math.inf, 2 * gap.error)
    if better:
        share = f"not larger in {sum(better)} of {len(better)} cells"
        yield f"{'PASS' if 2 * sum(better) > len(better) else 'FAIL'}  ECE, shipped minus unscaled: {share}, expected more than half"


PARTS: dict[str, tuple[Callable[[Groups], Iterator[str]], Callable[[Groups], Iterator[str]]]] = {
    OPTIMISM: (optimism, judged_optimism),
    COVERAGE: (coverage, judged_coverage),
    SCALING: (scaling, judged_scaling),
}


def options() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    every = kinds()
    parser.add_argument("--part", choices=list(PARTS), help="only the tables and the judgements of one part")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", choices=list(every), help=f"only these of {', '.join(every)}")
    parser.add_argument("--sizes", type=int, nargs="+", metavar="ROWS", help="rows to train on, in place of each table's own")
    parser.add_argument("--seeds", type=int, default=20, metavar="N")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processes")
    parser.add_argument("--out", type=Path, metavar="FILE", help="append a line of JSON for each run, and continue from it")
    return parser.parse_args()


def cells(arguments: argparse.Namespace) -> list[Cell]:
    """Return the cells to train, ordered by seed, so that an interrupted benchmark has some seeds of every table."""
    some = [kind for kind in kinds().values() if not arguments.only or kind.name in arguments.only]
    if arguments.part in SIZES and not arguments.only:
        some = [kind for kind in some if kind.part == arguments.part]
    sizes = {kind.name: arguments.sizes if arguments.sizes and kind.world is not None else kind.sizes for kind in some}
    return [Cell(name, rows, seed) for seed in range(arguments.seeds) for name, counts in sizes.items() for rows in counts]


def run(todo: Sequence[Cell], jobs: int) -> Iterator[dict[str, Any]]:
    """Yield the results of cells as they end; for a cell that fails, its ``error``."""
    if jobs == 1:
        start()
        yield from map(attempted, todo)
        return
    pool = ProcessPoolExecutor(jobs, get_context("spawn"), start)
    try:
        for future in as_completed([pool.submit(attempted, cell) for cell in todo]):
            yield future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def attempted(cell: Cell) -> dict[str, Any]:
    """Return ``measured``, or the error that it raised: one cell does not stop the others."""
    try:
        return measured(cell)
    except Interrupted:
        raise KeyboardInterrupt from None
    except Exception as error:
        return {"kind": cell.kind, "rows": cell.rows, "seed": cell.seed, "error": f"{type(error).__name__}: {error}"}


def read(path: Path | None) -> list[dict[str, Any]]:
    """Return the results in a file, and remove an incomplete last line from it."""
    if path is None or not path.exists():
        return []
    text = path.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        path.write_text(whole, encoding="utf-8")
    return [json.loads(line) for line in whole.splitlines()]


def main() -> None:
    """Train the missing cells, print the tables of the parts, and compare them with their bounds."""
    arguments = options()
    lines, failed = read(arguments.out), 0
    wanted = cells(arguments)
    done = {Cell(line["kind"], line["rows"], line["seed"]) for line in lines}
    todo = [cell for cell in wanted if cell not in done]
    for at, line in enumerate(run(todo, arguments.jobs), 1):
        place = f"{at} of {len(todo)}: {line['kind']}, {line['rows'] or '70 % of the'} rows, seed {line['seed']}"
        if "error" in line:
            failed += 1
            print(f"{place}: failed, {line['error']}", flush=True)
            continue
        lines.append(line)
        if arguments.out:
            with arguments.out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        print(f"{place}: {line['all_seconds']:.0f} s", flush=True)
    lines = [line for line in lines if Cell(line["kind"], line["rows"], line["seed"]) in set(wanted)]
    groups = grouped(lines)
    parts = [arguments.part] if arguments.part else list(PARTS)
    if groups:
        print("\n".join(line for part in parts for line in PARTS[part][0](groups)))
        print("\n" + "\n".join(line for part in parts for line in PARTS[part][1](groups)))
    if (versions := {line["code"] for line in lines}) - {code()}:
        print(f"note: these results stem from the code of {', '.join(sorted(versions))}; the present code is {code()}")
    if failed:
        raise SystemExit(f"{failed} of {len(todo)} runs failed; the same command tries them again")


if __name__ == "__main__":
    main()
