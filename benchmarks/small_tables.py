"""Compares the default model with its best single field and with a regression, on small tables of pictures, text and numbers.

For each table and seed there is a random split of 75/25 (stratified if the target is a class), and the test score of

* **fused**: ``pm.train`` with the target and the time limit as the only settings;
* **single**: each field alone, from the same run (``model.baselines``);
* **regression**: logistic regression (ridge if the target is a number) on TF-IDF (word 1-2-grams and character 2-4-grams; character
  1-3-grams if the text is Chinese, Japanese or Korean), the 64 principal components of 32 x 32 pixels, and the numbers (standardised)
  and categories (one-hot), of all fields and of each single one; C out of {0.1, 1, 10} by three folds of the training rows;
* **balanced**: the same on all fields, with dense blocks scaled to rows of unit length, as those of TF-IDF are. Standardised pixels
  otherwise dominate the text, so this is the better regression most of the time.

Scores are accuracies, or r2 if the target is a number. Figures are means and standard deviations over the seeds; each difference has its
standard error over the seeds, which share their split.

Tables can be any folders with a ``table.csv`` (pictures as relative paths) and a ``target.txt`` (the name of the target column)::

    python benchmarks/small_tables.py --data FOLDER

The names and pictures of 1,906 emoji in 9 groups, in English and in Chinese, from two npm packages::

    npm pack emoji-datasource-google@16.0.0 && npm pack emojibase-data@17.0.0
    mkdir google emojibase
    tar xzf emoji-datasource-google-16.0.0.tgz -C google --strip-components=1
    tar xzf emojibase-data-17.0.0.tgz -C emojibase --strip-components=1
    python benchmarks/small_tables.py --emoji google emojibase

easy-VQA's 13 answers on its own split (``pip install easy-vqa``)::

    python benchmarks/small_tables.py --vqa
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_score, train_test_split
from sklearn.preprocessing import OneHotEncoder, StandardScaler

Row = dict[str, str]
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff")
STRENGTHS = (0.1, 1.0, 10.0)
CHOSEN_ON, FITTED_ON = 3_000, 8_000
"""Rows that C is chosen on, and that the regression is fitted on, at most."""


@dataclass
class Table:
    """Rows of text cells, the folder of their pictures, and the column to predict."""

    name: str
    folder: Path
    target: str
    rows: list[Row]
    test: list[Row] = field(default_factory=list)
    """A test split of its own; empty: a random quarter of the rows."""

    @property
    def regression(self) -> bool:
        """Whether the target is a number (more than 20 different ones, or one with a fraction)."""
        values = {row[self.target] for row in self.rows}
        try:
            numbers = [float(value) for value in values]
        except ValueError:
            return False
        return len(values) > 20 or not all(number.is_integer() for number in numbers)

    def split(self, seed: int) -> tuple[list[Row], list[Row]]:
        """Return training and test rows."""
        if self.test:
            return self.rows, self.test
        labels = [row[self.target] for row in self.rows]
        stratify = None if self.regression or min(Counter(labels).values()) < 2 else labels
        train, test = train_test_split(self.rows, test_size=0.25, random_state=seed, stratify=stratify)
        return train, test


@dataclass
class Scores:
    """The scores of each model, one for each seed, and the seconds that training took."""

    fused: list[float] = field(default_factory=list)
    single: dict[str, list[float]] = field(default_factory=dict)
    regression: list[float] = field(default_factory=list)
    balanced: list[float] = field(default_factory=list)
    regression_single: dict[str, list[float]] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    regression_seconds: list[float] = field(default_factory=list)


def fields_of(table: Table, rows: Sequence[Row]) -> dict[str, tuple[str, list[str]]]:
    """Return kind (picture, text, tabular) and columns by field; numbers and categories are one field."""
    fields: dict[str, tuple[str, list[str]]] = {}
    for column in rows[0]:
        if column == table.target:
            continue
        cells = [row[column] for row in rows if row[column]]
        if cells and all(cell.lower().endswith(SUFFIXES) for cell in cells):
            fields[column] = ("picture", [column])
        elif _numeric(cells) or len(set(cells)) <= max(2, len(cells) // 5):
            fields.setdefault("numbers", ("tabular", []))[1].append(column)
        else:
            fields[column] = ("text", [column])
    return fields


def _numeric(cells: Sequence[str]) -> bool:
    try:
        return bool(np.isfinite([float(cell) for cell in cells]).all())
    except ValueError:
        return False


class Pixels:
    """The 32 x 32 pixels of pictures, on white; each picture is read once."""

    def __init__(self) -> None:
        self._read: dict[Path, np.ndarray] = {}

    def __call__(self, path: Path) -> np.ndarray:
        """Return the pixels of a picture, (3072,) from 0 to 1."""
        if path not in self._read:
            with Image.open(path) as image:
                picture = image.convert("RGBA")
            ground = Image.new("RGBA", picture.size, "white")
            small = Image.alpha_composite(ground, picture).convert("RGB").resize((32, 32), Image.Resampling.BILINEAR)
            self._read[path] = np.asarray(small, dtype=np.float32).ravel() / 255
        return self._read[path]


def features(table: Table, kind: str, columns: list[str], train: list[Row], test: list[Row], pixels: Pixels) -> Iterator[tuple[Any, Any]]:
    """Return feature matrices of the training and the test rows, several for one field."""
    if kind == "picture":
        (column,) = columns
        names = sorted({row[column] for row in train if row[column]})
        pca = PCA(min(64, len(names) - 1), svd_solver="randomized", random_state=0)
        pca.fit(np.stack([pixels(table.folder / name) for name in names[:10_000]]))
        known = {name: pca.transform(pixels(table.folder / name)[None])[0] for name in {row[column] for row in (*train, *test)} if name}
        shown = [np.stack([known.get(row[column], np.zeros(pca.n_components_)) for row in rows]) for rows in (train, test)]
        scaler = StandardScaler().fit(shown[0])
        yield scaler.transform(shown[0]), scaler.transform(shown[1])
    elif kind == "text":
        (column,) = columns
        texts = [[row[column] for row in rows] for rows in (train, test)]
        for settings in _grams(texts[0]):
            vectorizer = TfidfVectorizer(sublinear_tf=True, **settings)
            try:
                yield vectorizer.fit_transform(texts[0]), vectorizer.transform(texts[1])
            except ValueError:  # no words at all
                continue
    else:
        numeric = [column for column in columns if _numeric([row[column] for row in train if row[column]])]
        categories = [column for column in columns if column not in numeric]
        if numeric:
            cells = [np.array([[float(row[column] or "nan") for column in numeric] for row in rows]) for rows in (train, test)]
            means = np.nan_to_num(np.nanmean(cells[0], 0))
            filled = [np.where(np.isnan(part), means, part) for part in cells]
            scaler = StandardScaler().fit(filled[0])
            yield tuple(np.hstack([scaler.transform(a), np.isnan(b)]) for a, b in zip(filled, cells))  # type: ignore[misc]
        if categories:
            encoder = OneHotEncoder(handle_unknown="ignore")
            named = [[[row[column] for column in categories] for row in rows] for rows in (train, test)]
            yield encoder.fit_transform(named[0]), encoder.transform(named[1])


def _grams(texts: Sequence[str]) -> list[dict[str, Any]]:
    joined = "".join("".join(texts).split())
    wide = sum("぀" <= letter <= "鿿" or "가" <= letter <= "힯" for letter in joined)
    if wide > 0.3 * len(joined):
        return [{"analyzer": "char", "ngram_range": (1, 3)}]
    return [{"analyzer": "word", "ngram_range": (1, 2)}, {"analyzer": "char_wb", "ngram_range": (2, 4)}]


def regressions(table: Table, train: list[Row], test: list[Row], pixels: Pixels) -> tuple[float, float, dict[str, float]]:
    """Return the test scores of the regression on all fields, of the balanced one, and of the one on each field alone."""
    blocks = {name: list(features(table, kind, columns, train, test, pixels)) for name, (kind, columns) in fields_of(table, train).items()}
    alone = {name: _fitted(table, block, train, test) for name, block in blocks.items() if block}
    pairs = [pair for block in blocks.values() for pair in block]
    even = [pair if sparse.issparse(pair[0]) else tuple(part / pair[0].shape[1] ** 0.5 for part in pair) for pair in pairs]
    return _fitted(table, pairs, train, test), _fitted(table, even, train, test), alone


def _fitted(table: Table, blocks: Sequence[tuple[Any, ...]], train: list[Row], test: list[Row]) -> float:
    seen, unseen = (sparse.hstack([sparse.csr_matrix(pair[at]) for pair in blocks], format="csr") for at in (0, 1))
    labels = _targets(table, train)
    some = np.random.default_rng(0).permutation(len(train))[:FITTED_ON]
    few = some[:CHOSEN_ON]
    models: list[BaseEstimator] = (
        [Ridge(alpha=1 / strength) for strength in STRENGTHS]
        if table.regression
        else [LogisticRegression(C=strength, max_iter=300) for strength in STRENGTHS]
    )
    rare = not table.regression and min(Counter(labels[few].tolist()).values()) < 3
    folds = (KFold if table.regression or rare else StratifiedKFold)(3, shuffle=True, random_state=0)
    scores = [cross_val_score(model, seen[few], labels[few], cv=folds).mean() for model in models]
    best = models[int(np.argmax(scores))].fit(seen[some], labels[some])
    return score(table, best.predict(unseen), test)


def _targets(table: Table, rows: Sequence[Row]) -> np.ndarray:
    return np.array([float(row[table.target]) if table.regression else row[table.target] for row in rows])


def score(table: Table, answers: Any, rows: Sequence[Row]) -> float:
    """Return the accuracy, or r2 if the target is a number."""
    if table.regression:
        return float(r2_score(_targets(table, rows), np.asarray(answers, dtype=float)))
    return float(accuracy_score(_targets(table, rows), [str(answer) for answer in answers]))


def trained(table: Table, train: list[Row], test: list[Row], seed: int, limit: str) -> tuple[float, dict[str, float]]:
    """Return the test scores of polymodal's default, and of each field alone."""
    import polymodal as pm

    with tempfile.TemporaryDirectory() as folder:
        paths = [write(Path(folder) / f"{part}.csv", rows) for part, rows in (("train", train), ("test", test))]
        root = [table.folder]
        model = pm.train(paths[0], target=table.target, time_limit=limit, seed=seed, root=root, out=None)
        fused = score(table, model.predict(paths[1], root=root), test)
        alone = {
            name: score(table, pm.Predictor(bundle).predict(paths[1], root=root), test) for name, bundle in sorted(model.baselines.items())
        }
    return fused, alone


def write(path: Path, rows: Sequence[Row]) -> Path:
    """Write rows as CSV."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def read_folder(folder: Path) -> Iterator[Table]:
    """Return a table for each subfolder with a ``table.csv`` and a ``target.txt``."""
    for path in sorted(folder.glob("*/table.csv")):
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
        target = (path.parent / "target.txt").read_text(encoding="utf-8").strip()
        yield Table(path.parent.name, path.parent, target, rows)


def emoji(google: Path, emojibase: Path) -> Iterator[Table]:
    """Return the tables of emoji: picture and short name -> group, with English and with Chinese names."""
    images = google / "img" / "google" / "64"
    shown = json.loads((google / "emoji.json").read_text(encoding="utf-8"))
    for language in ("en", "zh"):
        labels = {
            entry["hexcode"]: entry["label"] for entry in json.loads((emojibase / language / "data.json").read_text(encoding="utf-8"))
        }
        rows = []
        for entry in shown:
            code = entry["unified"]
            name = labels.get(code) or labels.get(code.replace("-FE0F", ""))
            if name and entry["category"] != "Component" and (images / entry["image"]).exists():
                rows.append({"picture": entry["image"], "name": name, "group": entry["category"]})
        yield Table(f"emoji_{language}", images, "group", rows)


def vqa(folder: Path) -> Iterator[Table]:
    """Return easy-VQA's table of 13 answers, on its own split."""
    import easy_vqa

    parts = {
        "train": (easy_vqa.get_train_questions(), easy_vqa.get_train_image_paths()),
        "test": (easy_vqa.get_test_questions(), easy_vqa.get_test_image_paths()),
    }
    rows: dict[str, list[Row]] = {}
    for part, ((questions, answers, images), paths) in parts.items():
        (folder / part).mkdir()
        for number, path in paths.items():
            shutil.copyfile(path, folder / part / f"{number}.png")
        rows[part] = [
            {"picture": f"{part}/{image}.png", "question": question, "answer": answer}
            for question, answer, image in zip(questions, answers, images, strict=True)
        ]
    yield Table("easy_vqa_13", folder, "answer", rows["train"], rows["test"])


def spread(values: Sequence[float]) -> str:
    """Return mean and standard deviation as text."""
    return f"{statistics.mean(values):.4f} +- {statistics.stdev(values) if len(values) > 1 else float('nan'):.4f}"


def best_of(single: dict[str, list[float]]) -> str:
    """Return the field with the highest mean."""
    return max(single, key=lambda name: statistics.mean(single[name]))


def difference(ours: Sequence[float], theirs: Sequence[float]) -> str:
    """Return the mean difference of paired scores, its standard error, and a verdict, as text."""
    gaps = [a - b for a, b in zip(ours, theirs, strict=True)]
    mean = statistics.mean(gaps)
    error = statistics.stdev(gaps) / len(gaps) ** 0.5 if len(gaps) > 1 else float("nan")
    verdict = "" if np.isnan(error) else "  better" if mean > error else "  equal" if mean >= -error else "  WORSE"
    return f"{mean:+.4f} (standard error {error:.4f}){verdict}"


def report(scores: Scores) -> None:
    """Print the results of one table."""
    for name, values in scores.regression_single.items():
        print(f"  regression, only {name:20} {spread(values)}")
    print(f"  regression, all fields           {spread(scores.regression)}   {statistics.mean(scores.regression_seconds):.0f} s a run")
    print(f"  regression, balanced             {spread(scores.balanced)}")
    if scores.fused:
        for name, values in scores.single.items():
            print(f"  polymodal, only {name:21} {spread(values)}")
        print(f"  polymodal                        {spread(scores.fused)}   {statistics.mean(scores.seconds):.0f} s a run")
        print(f"    - regression                   {difference(scores.fused, scores.regression)}")
        print(f"    - regression, balanced         {difference(scores.fused, scores.balanced)}")
        if scores.single:
            best = best_of(scores.single)
            print(f"    - only {best:24} {difference(scores.fused, scores.single[best])}")
    print(flush=True)


def compare(table: Table, seeds: int, limit: str, baseline_only: bool) -> Scores:
    """Measure all models on one table, over the seeds."""
    scores, pixels = Scores(), Pixels()
    for seed in range(seeds):
        train, test = table.split(seed)
        start = time.monotonic()
        if not (table.test and scores.regression):
            joint, even, alone = regressions(table, train, test, pixels)
        scores.regression.append(joint)
        scores.balanced.append(even)
        for name, value in alone.items():
            scores.regression_single.setdefault(name, []).append(value)
        scores.regression_seconds.append(time.monotonic() - start)
        line = f"  seed {seed}: regression {joint:.4f}, balanced {even:.4f}"
        if not baseline_only:
            start = time.monotonic()
            fused, single = trained(table, train, test, seed, limit)
            scores.seconds.append(time.monotonic() - start)
            scores.fused.append(fused)
            for name, value in single.items():
                scores.single.setdefault(name, []).append(value)
            line += f", polymodal {fused:.4f} in {scores.seconds[-1]:.0f} s; " + ", ".join(f"only {k} {v:.4f}" for k, v in single.items())
        print(line, flush=True)
    return scores


def main() -> None:
    """Read the options, make the tables, and compare the models on each of them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="subfolders with a table.csv and a target.txt each")
    parser.add_argument("--emoji", type=Path, nargs=2, metavar=("GOOGLE", "EMOJIBASE"), help="the two npm packages, unpacked")
    parser.add_argument("--vqa", action="store_true", help="easy-VQA's 13 answers")
    parser.add_argument("--seeds", type=int, default=3, metavar="N")
    parser.add_argument("--time-limit", default="10m", metavar="TIME")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="only this table; may be given again")
    parser.add_argument("--baseline-only", action="store_true", help="the regressions alone")
    options = parser.parse_args()
    if not (options.data or options.emoji or options.vqa):
        parser.error("name some tables: --data, --emoji or --vqa")
    with tempfile.TemporaryDirectory() as folder:
        tables: list[Table] = []
        if options.data:
            tables += read_folder(options.data)
        if options.emoji:
            tables += emoji(*options.emoji)
        if options.vqa:
            tables += vqa(Path(folder))
        for table in tables:
            if options.only and table.name not in options.only:
                continue
            metric = "r2" if table.regression else f"accuracy, {len({row[table.target] for row in table.rows})} classes"
            print(f"{table.name}: {len(table.rows) + len(table.test):,} rows, target {table.target!r} ({metric})")
            report(compare(table, options.seeds, options.time_limit, options.baseline_only))


if __name__ == "__main__":
    main()
