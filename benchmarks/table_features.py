"""Folds of tables that ``tables.py`` compares on, and the features of their rows for trees, forests and linear models."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from real_tables import bundled
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import train_test_split

MOST_CATEGORIES, FEWEST_TEXTS, COMPONENTS = 1_000, 30, 50
MOSTLY = 0.9
"""The share of the cells of a column beyond which they are numbers or dates."""
MOST_CLASSES = 20
"""The maximum number of different numbers that are classes."""
CALIFORNIA_ROWS = 20_000
_FILE = re.compile(r"\.(?:jpe?g|png|gif|bmp|webp|tiff?)$", re.IGNORECASE)


@dataclass(frozen=True)
class Fold:
    """Training and test rows of one table.

    :param table: the name of the table
    :param number: the number of the fold
    :param target: the column to predict
    :param train: the training rows
    :param test: the test rows
    :param folder: the folder of the files of both; None = the rows are in memory only
    """

    table: str
    number: int
    target: str
    train: pd.DataFrame
    test: pd.DataFrame
    folder: Path | None = None

    @property
    def is_number(self) -> bool:
        """Whether the target is a number."""
        cells = self.train[self.target].dropna()
        return bool(pd.api.types.is_numeric_dtype(cells)) and cells.nunique() > MOST_CLASSES

    @property
    def metric(self) -> str:
        """The name of the metric on test rows: ``r2`` for a number, otherwise ``accuracy``."""
        return "r2" if self.is_number else "accuracy"

    def source(self, part: str) -> Any:
        """Return the ``train`` or the ``test`` rows as polymodal receives them."""
        return getattr(self, part) if self.folder is None else self.folder / f"{part}.csv"

    def labelled(self) -> tuple[pd.DataFrame, np.ndarray, pd.DataFrame, np.ndarray]:
        """Return features and targets of training rows and of test rows that have a target."""
        made: list[Any] = []
        for rows in (self.train, self.test):
            known = rows[rows[self.target].notna()]
            target = known[self.target]
            made += [known.drop(columns=self.target), target.to_numpy(float) if self.is_number else target.astype(str).to_numpy()]
        return made[0], made[1], made[2], made[3]


# -- tables ------------------------------------------------------------------------------------------------------------


def fold_of(folder: Path, targets: Mapping[str, str]) -> Fold:
    """Return the fold in a folder. ``targets`` are the target columns by table."""
    name, _, number = folder.name.rpartition("_")
    if not name or not number.isdigit():
        name, number = folder.name, "0"
    if name not in targets:
        raise SystemExit(f"{folder}: the target of {name!r} is not known; give it: --target {name}=COLUMN")
    train, test = (pd.read_csv(folder / f"{part}.csv", skipinitialspace=True) for part in ("train", "test"))
    return Fold(name, int(number), targets[name], train, test, folder)


def california(rng: np.random.Generator, rows: int) -> pd.DataFrame:
    """Return rows of eight columns and a value ``y`` that depends on them smoothly, with noise of Student's t distribution of 3 degrees of
    freedom, in proportion to the value. The columns resemble those of the California housing table, and are correlated as they are there.
    """
    place_N = rng.random(rows)  # the position along the coast, from south to north
    inland_N = rng.gamma(2.0, 0.5, rows)
    latitude_N = 32.5 + 9.0 * place_N + rng.normal(0, 0.3, rows)
    longitude_N = -117.0 - 7.0 * place_N + inland_N + rng.normal(0, 0.2, rows)
    city_N = np.exp(-((place_N - 0.2) ** 2) / 0.01) + np.exp(-((place_N - 0.6) ** 2) / 0.005)
    income_N = np.exp(1.2 + 0.25 * city_N - 0.1 * inland_N + rng.normal(0, 0.4, rows))
    age_N = rng.integers(1, 53, rows).astype(float)
    rooms_N = 3.0 + 0.5 * income_N**0.7 + rng.gamma(2.0, 0.4, rows)
    bedrooms_N = 0.2 * rooms_N * np.exp(rng.normal(0, 0.15, rows))
    population_N = np.exp(rng.normal(7.0 + 0.3 * city_N, 0.7, rows))
    occupancy_N = 2.0 + rng.gamma(3.0, 0.3, rows)
    value_N = 0.35 * income_N**1.1 * (1.0 + 0.8 * city_N) * np.exp(-0.25 * inland_N) + 0.3 * np.sin(age_N / 8.0) * city_N
    value_N += 0.8 * bedrooms_N / rooms_N * np.sqrt(income_N) + 1.2 / occupancy_N
    target_N = value_N * (1.0 + 0.12 * rng.standard_t(3, rows))
    return pd.DataFrame({
        "income": income_N, "age": age_N, "rooms": rooms_N, "bedrooms": bedrooms_N, "population": population_N, "occupancy": occupancy_N,
        "latitude": latitude_N, "longitude": longitude_N, "y": target_N,
    }).round(4)  # fmt: skip


def plain_tables(rows: int = CALIFORNIA_ROWS) -> dict[str, pd.DataFrame]:
    """Return the tables of scikit-learn as numbers and the target ``y``, and the generated one."""
    tables = {}
    for table in bundled():
        frame = pd.DataFrame(table.rows).astype({column: float for column in table.rows[0] if column != "y"})
        frame["y"] = frame["y"].astype(float) if table.regression else "class " + frame["y"]
        tables[table.name] = frame
    return tables | {"california_like": california(np.random.default_rng(0), rows)}


def splits_of(table: str, rows: pd.DataFrame, splits: int, share: float = 0.25) -> Iterator[Fold]:
    """Yield random splits of a table, stratified by class, with a ``share`` of test rows."""
    for number in range(splits):
        classes = None if pd.api.types.is_numeric_dtype(rows["y"]) else rows["y"]
        train, test = train_test_split(rows, test_size=share, random_state=number, stratify=classes)
        yield Fold(table, number, "y", train.reset_index(drop=True), test.reset_index(drop=True))


# -- features ----------------------------------------------------------------------------------------------------------


@dataclass
class Columns:
    """The names of the columns that are read as numbers, as categories and as texts. A column may be a category and a text."""

    numbers: list[str] = field(default_factory=list)
    categories: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)


def columns_of(train: pd.DataFrame) -> Columns:
    """Return how the columns of features are read, by training rows."""
    columns = Columns()
    for name in train.columns:
        cells = train[name].dropna()
        if pd.api.types.is_numeric_dtype(cells) or numbers_of(cells).notna().mean() > MOSTLY:
            columns.numbers.append(name)
            continue
        texts = cells.astype(str)
        if texts.empty or texts.str.contains(_FILE).mean() > 0.5:
            continue
        different = texts.nunique()
        if different <= MOST_CATEGORIES:
            columns.categories.append(name)
        if different > FEWEST_TEXTS:
            columns.texts.append(name)
    return columns


def numbers_of(cells: pd.Series) -> pd.Series:
    """Return cells as numbers, dates as days; NaN where a cell is neither. Commas are thousands separators."""
    if pd.api.types.is_numeric_dtype(cells):
        return cells.astype(float)
    texts = cells.astype(str).where(cells.notna(), "").str.strip()
    numbers = pd.to_numeric(texts.str.replace(",", ""), errors="coerce")
    if cells.notna().any() and numbers.notna().sum() <= MOSTLY * cells.notna().sum():
        without_th = texts.str.replace(r"(?<=\d)(?:st|nd|rd|th)\b", "", regex=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of dates in unusual orders
            dates = pd.to_datetime(without_th.where(without_th.str.contains(r"\d{4}")), errors="coerce", format="mixed", utc=True)
        if dates.notna().sum() > numbers.notna().sum():
            return (dates - pd.Timestamp("2000-01-01", tz="UTC")).dt.total_seconds() / 86_400.0
    return numbers.astype(float)


def column_features(train: pd.DataFrame, test: pd.DataFrame, columns: Columns) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return numbers and categories of training and test rows, named by position. Values that no training row has are missing."""
    made: list[pd.DataFrame] = []
    for rows in (train, test):
        values = {f"n{at}": numbers_of(rows[name]).to_numpy(float) for at, name in enumerate(columns.numbers)}
        for at, name in enumerate(columns.categories):
            cells, known = rows[name].astype(str), sorted(train[name].dropna().astype(str).unique())
            values[f"c{at}"] = pd.Categorical(cells.where(rows[name].notna() & cells.isin(known)), categories=known)
        made.append(pd.DataFrame(values))
    return made[0], made[1]


def texts_of(rows: pd.DataFrame, name: str) -> list[str]:
    """Return the texts of a column; "" for a missing cell."""
    return [str(cell) for cell in rows[name].fillna("")]


def tfidf_features(train: pd.DataFrame, test: pd.DataFrame, columns: Columns, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the column features, and components of the TF-IDF values of each text, fitted on training rows."""
    made = column_features(train, test, columns)
    for at, name in enumerate(columns.texts):
        vectorizer = TfidfVectorizer(ngram_range=(1, 2), min_df=2, max_features=50_000, sublinear_tf=True)
        try:
            train_NT = vectorizer.fit_transform(texts_of(train, name))
        except ValueError:  # no word occurs twice
            continue
        if train_NT.shape[1] < 2:
            continue
        reduction = TruncatedSVD(min(COMPONENTS, train_NT.shape[1] - 1), random_state=seed)
        parts = reduction.fit_transform(train_NT), reduction.transform(vectorizer.transform(texts_of(test, name)))
        made = _beside(made, f"t{at}", parts)
    return made


def _beside(frames: Sequence[pd.DataFrame], prefix: str, parts: Sequence[np.ndarray]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the features of training and test rows with further columns."""
    added = [pd.DataFrame(part, columns=[f"{prefix}_{at}" for at in range(part.shape[1])]) for part in parts]
    return pd.concat([frames[0], added[0]], axis=1), pd.concat([frames[1], added[1]], axis=1)


class TextEncoder:
    """The mean of the last hidden states of a frozen encoder. A text is encoded once, whatever the number of folds.

    :param folder: a local folder that ``save_pretrained`` of transformers has written
    :param tokens: the number of tokens at which a text is cut
    """

    def __init__(self, folder: Path, tokens: int) -> None:
        from transformers import AutoModel, AutoTokenizer

        self.tokenizer: Any = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
        self.network: Any = AutoModel.from_pretrained(str(folder), local_files_only=True).eval()
        self.tokens = tokens
        self.vectors: dict[str, np.ndarray] = {}

    @torch.inference_mode()
    def encode(self, texts: Sequence[str], batch: int = 32) -> np.ndarray:
        """Return the vectors (N, D) of texts, with the prefix that E5 prescribes for features."""
        new = sorted({text for text in texts if text not in self.vectors}, key=len)
        for start in range(0, len(new), batch):
            part = new[start : start + batch]
            words = self.tokenizer(
                [f"query: {text}" for text in part], padding=True, truncation=True, max_length=self.tokens, return_tensors="pt"
            )
            words.pop("token_type_ids", None)
            states_BLD = self.network(**words).last_hidden_state
            mask_BL1 = words["attention_mask"].unsqueeze(-1)
            mean_BD = (states_BLD * mask_BL1).sum(1) / mask_BL1.sum(1)
            self.vectors.update(zip(part, mean_BD.float().numpy(), strict=True))
        return np.stack([self.vectors[text] for text in texts])


def encoded_features(
    train: pd.DataFrame, test: pd.DataFrame, columns: Columns, seed: int, encoder: TextEncoder
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the column features, and the vectors of each text by a frozen encoder."""
    made = column_features(train, test, columns)
    for at, name in enumerate(columns.texts):
        made = _beside(made, f"t{at}", [encoder.encode(texts_of(rows, name)) for rows in (train, test)])
    return made


def plain_features(train: pd.DataFrame, test: pd.DataFrame, columns: Columns, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the columns alone."""
    return column_features(train, test, columns)


def coded(rows: pd.DataFrame) -> np.ndarray:
    """Return features as numbers (N, K); NaN = missing."""
    made = []
    for name in rows.columns:
        cells = rows[name]
        values_N = cells.cat.codes.replace(-1, np.nan) if isinstance(cells.dtype, pd.CategoricalDtype) else cells
        made.append(values_N.to_numpy(float))
    return np.stack(made, 1)
