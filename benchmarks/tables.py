"""Compares polymodal with boosted trees, forests and linear models on tables of columns and texts, on the same training and test rows.

    python benchmarks/tables.py bikes_0 bikes_1 books_0 --out tables.jsonl [--time-limit 10m] [--e5 models/e5-small]
    python benchmarks/tables.py --sklearn --out tables.jsonl [--splits 5] [--sklearn-limit 3m]
    python benchmarks/tables.py --out tables.jsonl --print

Each ``FOLDER`` has ``train.csv`` and ``test.csv``. Folders ``NAME_0``, ``NAME_1``, ... are folds of one table. Used motorcycles (``bikes``)
and books (``books``) are tables of MulTaBench (arXiv:2605.10616) with its splits; ``houses`` are 535 houses with photographs (Ahmed and
Moustafa 2016, arXiv:1609.08399). The target of another table is given by ``--target NAME=COLUMN``. The contenders are:

* **polymodal** in the time of ``--time-limit``, and again under each of ``--other-limits`` (``fast``, ``good`` and ``best`` = that preset
  without a limit). Below the first of these runs stand its parts, measured on the same test rows: the model of each single field, and each
  vote of the model by itself;
* **LightGBM on TF-IDF**: the columns, and 50 components of a truncated singular value decomposition of the TF-IDF values of each text;
* **CatBoost on TF-IDF**: likewise, where CatBoost is installed;
* **random forest on TF-IDF**: likewise, 300 trees;
* **LightGBM on e5** with ``--e5 FOLDER``, a local folder of a Hugging Face text encoder: the columns, and the mean of the last hidden
  states over the tokens of each text, from a text encoder that is not trained further.

Boosting stops by a tenth of the training rows, and is then repeated on all of them with that number of rounds. Strings of which over
90 % are numbers or dates are numbers. Another column of strings is a category if it has at most 1,000 different values, and a text if it
has more than 30; names of picture files are left out.

``--sklearn`` compares on scikit-learn's breast cancer, wine, digits and diabetes, and on 20,000 generated rows that resemble the California
housing table, each split anew by every seed: polymodal within ``--sklearn-limit``, histogram gradient boosting, and logistic or ridge
regression on standardised columns.

The metric is R2 for numbers and accuracy for classes, on test rows. A line for each measurement is appended to ``--out``, so that an
interrupted benchmark continues. The tables in Markdown have the mean and the standard deviation over the folds, the mean of polymodal
(first limit) minus the contender on the same folds with its standard error, and the mean seconds.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import math
import statistics
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor, RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.metrics import accuracy_score, r2_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from table_features import (
    Columns,
    Fold,
    TextEncoder,
    coded,
    columns_of,
    encoded_features,
    fold_of,
    plain_features,
    plain_tables,
    splits_of,
    tfidf_features,
)  # fmt: skip

import polymodal as pm
from polymodal.data.class_notes import Unknown
from polymodal.data.reading import FaultBook, read_targets
from polymodal.data.splits import TEST
from polymodal.evaluation.measure import measure, score
from polymodal.flow import FUSED, TREES, voter_label
from polymodal.frozen import through
from polymodal.inference import WINDOW, answers

TARGETS = {"bikes": "price", "books": "Rating", "houses": "price"}
PRESETS = ("fast", "good", "best")
TREES_OF_A_FOREST = 300
MOST_ROUNDS, PATIENCE, LEARNING_RATE = 2_000, 60, 0.05

Result = dict[str, Any]
"""A line of the output: ``table``, ``fold``, ``contender``, ``metric``, ``value`` and ``seconds`` (None = not measured by itself)."""


Contender = Callable[[Fold], Iterable[Result]]


# -- contenders --------------------------------------------------------------------------------------------------------


def result(fold: Fold, contender: str, value: float, seconds: float | None) -> Result:
    """Return the line of one measurement."""
    rounded = None if seconds is None else round(seconds, 1)
    return {
        "table": fold.table, "fold": fold.number, "contender": contender, "metric": fold.metric, "value": value, "seconds": rounded,
    }  # fmt: skip


def polymodal(fold: Fold, name: str, limit: str | None, with_parts: bool, seed: int, overrides: Sequence[str]) -> Iterator[Result]:
    """Train polymodal, and yield its metric on the test rows; with parts also those of single fields and of votes."""
    begin = time.monotonic()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = pm.train(fold.source("train"), *overrides, target=fold.target, time_limit=limit, seed=seed)
        seconds = time.monotonic() - begin
        value = model.evaluate(fold.source("test"))["tasks"][fold.target][fold.metric]
        if with_parts:
            for part, bundle in model.baselines.items():
                alone = pm.Predictor(bundle, trained_in=model.trained_in).evaluate(fold.source("test"))
                took = model.metrics["baselines"][part]["seconds"]
                yield result(fold, f"{name}: only {part}", alone["tasks"][fold.target][fold.metric], took)
            for vote, of_vote in vote_values(model, fold).items():
                yield result(fold, f"{name}: {vote}", of_vote, None)
    yield result(fold, name, value, seconds)


def vote_values(model: pm.Predictor, fold: Fold) -> dict[str, float]:
    """Return the metric of each vote of a model by itself on the test rows; {} if the prediction has no votes to be measured."""
    bundle, source = model.bundle, model.open(fold.source("test"))
    task = bundle.tasks[fold.target]
    book = FaultBook(source.name, lambda _: "blank")
    targets = read_targets(source, {fold.target: task}, book.record, Unknown().listener(np.full(source.rows, TEST, np.uint8)))
    collected: list[dict[str, list[np.ndarray]]] = [{} for _ in bundle.members]
    for start in range(0, source.rows, WINDOW):
        read = model.read(source, np.arange(start, min(source.rows, start + WINDOW)))
        window = through(read.window, read.modalities, bundle.backbones)
        for member, votes, (given,) in zip(bundle.members, collected, answers(bundle.members, read.modalities, window), strict=True):
            rule = member.rules[member.tasks.index(fold.target)]
            for voter, logits in given.votes.get(fold.target, {}).items():
                there = torch.ones(len(logits), dtype=torch.bool)
                votes.setdefault(voter, []).append(rule.alone({voter: torch.from_numpy(logits)}, {voter: there})[0].numpy())
    values: dict[str, float] = {}
    for voter in collected[0] if len(collected[0]) > 1 else ():
        scores = score(task, [np.concatenate(votes[voter]) for votes in collected])
        value = measure({fold.target: task}, {fold.target: scores}, targets)[0][fold.target][fold.metric]
        if value is not None:
            values[vote_name(voter)] = value
    return values


def vote_name(voter: str) -> str:
    """Return the name of a vote, as in the leaderboard of a run."""
    if voter in (FUSED, TREES):
        return "network" if voter == FUSED else "boosted trees"
    return voter_label(voter) if voter_label(voter) != voter else f"vote of {voter}"


Features = Callable[[pd.DataFrame, pd.DataFrame, Columns, int], tuple[pd.DataFrame, pd.DataFrame]]
Estimator = Callable[[pd.DataFrame, np.ndarray, pd.DataFrame, bool, int], np.ndarray]
"""Features and targets of training rows, features of test rows, whether the target is a number, and the seed -> predictions."""


def on_features(fold: Fold, name: str, features: Features, estimator: Estimator, seed: int) -> Iterator[Result]:
    """Fit an estimator on features of the training rows, and yield its metric on the test rows."""
    begin = time.monotonic()
    train, target_N, test, truth_N = fold.labelled()
    train_NK, test_NK = features(train, test, columns_of(train), seed)
    predicted_N = estimator(train_NK, target_N, test_NK, fold.is_number, seed)
    metric = r2_score if fold.is_number else accuracy_score
    yield result(fold, name, float(metric(truth_N, predicted_N)), time.monotonic() - begin)


def _tenth(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions of the rows to train on, and of the tenth by which boosting stops."""
    order = np.random.default_rng(seed).permutation(rows)
    return order[rows // 10 :], order[: rows // 10]


def lightgbm(train: pd.DataFrame, target_N: np.ndarray, test: pd.DataFrame, is_number: bool, seed: int, jobs: int) -> np.ndarray:
    """Return the predictions of LightGBM."""
    import lightgbm as boosting

    kind: Any = boosting.LGBMRegressor if is_number else boosting.LGBMClassifier
    settings = {"learning_rate": LEARNING_RATE, "random_state": seed, "n_jobs": jobs, "verbose": -1}
    fit, stop = _tenth(len(train), seed)
    trial = kind(n_estimators=MOST_ROUNDS, **settings)
    stopping = boosting.early_stopping(PATIENCE, verbose=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # newer versions have another name for eval_set
        trial.fit(train.iloc[fit], target_N[fit], eval_set=[(train.iloc[stop], target_N[stop])], callbacks=[stopping])
    return np.asarray(kind(n_estimators=max(1, trial.best_iteration_), **settings).fit(train, target_N).predict(test))


def catboost(train: pd.DataFrame, target_N: np.ndarray, test: pd.DataFrame, is_number: bool, seed: int, jobs: int) -> np.ndarray:
    """Return the predictions of CatBoost."""
    boosting = importlib.import_module("catboost")
    kind = boosting.CatBoostRegressor if is_number else boosting.CatBoostClassifier
    categories = [name for name in train.columns if isinstance(train[name].dtype, pd.CategoricalDtype)]
    train, test = (rows.assign(**{name: rows[name].astype(object).fillna("").astype(str) for name in categories}) for rows in (train, test))
    settings = {"random_seed": seed, "thread_count": jobs, "verbose": False, "allow_writing_files": False, "cat_features": categories}
    fit, stop = _tenth(len(train), seed)
    trial = kind(iterations=MOST_ROUNDS, early_stopping_rounds=PATIENCE, **settings)
    trial.fit(train.iloc[fit], target_N[fit], eval_set=(train.iloc[stop], target_N[stop]))
    model = kind(iterations=max(1, trial.get_best_iteration() + 1), **settings).fit(train, target_N)
    return np.asarray(model.predict(test)).reshape(-1)


def forest(train: pd.DataFrame, target_N: np.ndarray, test: pd.DataFrame, is_number: bool, seed: int, jobs: int) -> np.ndarray:
    """Return the predictions of a random forest, in which a category is its number in alphabetical order."""
    kind = RandomForestRegressor if is_number else RandomForestClassifier
    model = kind(TREES_OF_A_FOREST, random_state=seed, n_jobs=jobs).fit(coded(train), target_N)
    return np.asarray(model.predict(coded(test)))


def histogram_boosting(train: pd.DataFrame, target_N: np.ndarray, test: pd.DataFrame, is_number: bool, seed: int) -> np.ndarray:
    """Return the predictions of scikit-learn's gradient boosting with its defaults."""
    kind = HistGradientBoostingRegressor if is_number else HistGradientBoostingClassifier
    return np.asarray(kind(random_state=seed).fit(coded(train), target_N).predict(coded(test)))


def linear(train: pd.DataFrame, target_N: np.ndarray, test: pd.DataFrame, is_number: bool, seed: int) -> np.ndarray:
    """Return the predictions of a ridge regression with cross-validated penalty, or of a logistic regression."""
    last: Any = RidgeCV(np.logspace(-3, 4, 15)) if is_number else LogisticRegression(max_iter=5_000)
    return np.asarray(make_pipeline(StandardScaler(), last).fit(coded(train), target_N).predict(coded(test)))


def limited(limit: str) -> tuple[str, str | None]:
    """Return the name of polymodal under a time limit, and the limit; None = there is none, but the preset of this name."""
    return (f"polymodal, preset {limit}", None) if limit in PRESETS else (f"polymodal, {limit}", limit)


def contenders_of_folders(arguments: argparse.Namespace) -> dict[str, Contender]:
    """Return the contenders on tables in folders, by name."""
    made: dict[str, Contender] = {}
    for at, words in enumerate([arguments.time_limit, *arguments.other_limits]):
        name, limit = limited(words)
        made.setdefault(name, partial(
            polymodal, name=name, limit=limit, with_parts=at == 0, seed=arguments.seed,
            overrides=[*arguments.overrides, *([] if limit else [f"training.preset={words}"])],
        ))  # fmt: skip
    baselines: dict[str, tuple[Features, Estimator]] = {
        "LightGBM on TF-IDF": (tfidf_features, partial(lightgbm, jobs=arguments.jobs)),
        "random forest on TF-IDF": (tfidf_features, partial(forest, jobs=arguments.jobs)),
    }
    if importlib.util.find_spec("catboost") is None:
        print("CatBoost is not installed: left out (pip install catboost)")
    else:
        baselines["CatBoost on TF-IDF"] = (tfidf_features, partial(catboost, jobs=arguments.jobs))
    if arguments.e5 is not None:
        encode = partial(encoded_features, encoder=TextEncoder(arguments.e5, arguments.e5_tokens))
        baselines[f"LightGBM on {arguments.e5.name}"] = (encode, partial(lightgbm, jobs=arguments.jobs))
    for name, (features, estimator) in baselines.items():
        made[name] = partial(on_features, name=name, features=features, estimator=estimator, seed=arguments.seed)
    return made


def contenders_of_columns(arguments: argparse.Namespace) -> dict[str, Contender]:
    """Return the contenders on tables of plain columns, by name."""
    name, limit = limited(arguments.sklearn_limit)
    made: dict[str, Contender] = {
        name: partial(polymodal, name=name, limit=limit, with_parts=True, seed=arguments.seed, overrides=arguments.overrides)
    }
    for title, estimator in (("histogram gradient boosting", histogram_boosting), ("logistic or ridge regression", linear)):
        made[title] = partial(on_features, name=title, features=plain_features, estimator=estimator, seed=arguments.seed)
    return made


# -- results -----------------------------------------------------------------------------------------------------------


def read(path: Path) -> list[Result]:
    """Return the measurements of a file; the end of a line that was being written is left out."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    made = []
    for line in lines:
        try:
            made.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return made


def append(path: Path, results: Sequence[Result]) -> None:
    """Append measurements to a file, after a line that may have been broken off."""
    broken = path.exists() and path.stat().st_size > 0 and not path.read_bytes().endswith(b"\n")
    with path.open("a", encoding="utf-8") as file:
        file.write("\n" * broken + "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in results))


def run(folds: Iterable[Fold], contenders: Mapping[str, Contender], path: Path) -> None:
    """Measure each contender on each fold, unless the file has it already. A contender that fails is reported, and the others go on."""
    for fold in folds:
        for name, contender in contenders.items():
            if any((one["table"], one["fold"], one["contender"]) == (fold.table, fold.number, name) for one in read(path)):
                continue
            try:
                results = list(contender(fold))
            except Exception as error:  # of any library
                print(f"{fold.table} {fold.number}  {name}: {error}", flush=True)
                continue
            append(path, results)
            for one in results:
                seconds = "" if one["seconds"] is None else f"  {one['seconds']:,.0f} s"
                print(f"{fold.table} {fold.number}  {one['contender']:40} {one['metric']} {one['value']:.4f}{seconds}", flush=True)


def summary(results: Sequence[Result], reference: Sequence[str]) -> Iterator[str]:
    """Yield a table in Markdown for each table, the best contender first.

    :param reference: the contenders to which others are compared; the first that a table has is used
    """
    for table in dict.fromkeys(one["table"] for one in results):
        latest = {(one["contender"], one["fold"]): one for one in results if one["table"] == table}
        by_contender: dict[str, dict[int, Result]] = {}
        for (name, number), one in latest.items():
            by_contender.setdefault(name, {})[number] = one
        base = next((by_contender[name] for name in reference if name in by_contender), {})
        metric = next(iter(latest.values()))["metric"]
        yield f"\n### {table}, {metric}\n"
        yield "| contender | folds | mean | spread | polymodal minus it | seconds |"
        yield "|---|---|---|---|---|---|"
        for name, by_fold in sorted(by_contender.items(), key=lambda pair: -statistics.mean(one["value"] for one in pair[1].values())):
            values = [one["value"] for one in by_fold.values()]
            gains = [base[number]["value"] - one["value"] for number, one in by_fold.items() if number in base and by_fold is not base]
            seconds = [one["seconds"] for one in by_fold.values() if one["seconds"] is not None]
            gain = f"{statistics.mean(gains):+.4f}{_bracketed(gains)}" if gains else ""
            spread = f"{statistics.stdev(values):.4f}" if len(values) > 1 else "-"
            time_taken = f"{statistics.mean(seconds):,.0f}" if seconds else ""
            yield f"| {name} | {len(values)} | {statistics.mean(values):.4f} | {spread} | {gain} | {time_taken} |"


def _bracketed(gains: Sequence[float]) -> str:
    """Return the standard error of a mean in brackets; "" for a single value."""
    return f" ({statistics.stdev(gains) / math.sqrt(len(gains)):.4f})" if len(gains) > 1 else ""


def main() -> None:
    """Measure what the options select, and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folders", nargs="*", type=Path, metavar="FOLDER")
    parser.add_argument("--out", type=Path, required=True, metavar="JSONL", help="the file of the measurements; existing ones are kept")
    parser.add_argument("--print", action="store_true", dest="print_only", help="print the tables of the file, and measure nothing")
    parser.add_argument("--target", action="append", default=[], metavar="NAME=COLUMN", help="the target of a table; may be given again")
    parser.add_argument("--time-limit", default="10m", metavar="TIME", help="of the run whose parts are measured; a preset = no limit")
    parser.add_argument("--other-limits", nargs="*", default=[*PRESETS], metavar="TIME", help="of further runs; a preset = no limit")
    parser.add_argument("--e5", type=Path, metavar="FOLDER", help="a local Hugging Face folder of a text encoder")
    parser.add_argument("--e5-tokens", type=int, default=256, metavar="N", help="the number of tokens at which texts are cut")
    parser.add_argument("--sklearn", action="store_true", help="scikit-learn's tables and a generated one")
    parser.add_argument("--sklearn-limit", default="3m", metavar="TIME")
    parser.add_argument("--splits", type=int, default=5, metavar="N", help="random splits of each of these tables")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="only this contender or table; may be given again")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="threads of LightGBM, CatBoost and the forest")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="PATH=VALUE", help="a setting of polymodal")
    arguments = parser.parse_args()
    if not arguments.print_only:
        targets = TARGETS | dict(words.split("=", 1) for words in arguments.target)
        if arguments.folders:
            run((fold_of(folder, targets) for folder in arguments.folders), _selected(contenders_of_folders(arguments), arguments.only),
                arguments.out)  # fmt: skip
        if arguments.sklearn:
            tables = _selected(plain_tables(), arguments.only)
            folds = (fold for name, rows in tables.items() for fold in splits_of(name, rows, arguments.splits))
            run(folds, _selected(contenders_of_columns(arguments), arguments.only), arguments.out)
    for line in summary(read(arguments.out), [limited(arguments.time_limit)[0], limited(arguments.sklearn_limit)[0]]):
        print(line)


def _selected(named: Mapping[str, Any], only: Sequence[str]) -> dict[str, Any]:
    """Return the entries that ``--only`` selects; all of them if it selects none of these."""
    chosen = {name: one for name, one in named.items() if name in only}
    return chosen or dict(named)


if __name__ == "__main__":
    main()
