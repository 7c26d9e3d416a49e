"""``MultimodalClassifier`` and ``MultimodalRegressor``: estimators of scikit-learn that train by ``polymodal.train``."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from ..config import quote, unexpected
from ..errors import ConfigError, DataError, UserError
from ..experiment import Experiment
from ..flow import Cell
from ..request import Preset, is_nothing
from ..runs import Interrupted, train
from ..tasks import Task
from . import files, targets
from .tables import features_of

_NOT_EQUIVALENT = (
    "rows are divided into training rows, validation rows and batches by their positions, so that a row of weight 2 and a row that occurs "
    "twice are trained on in other batches and measured in other folds"
)
EXPECTED_FAILED_CHECKS = {"check_sample_weight_equivalence_on_dense_data": _NOT_EQUIVALENT}
"""The checks of ``sklearn.utils.estimator_checks`` that the estimators do not pass, with the reason for each."""


class EstimatorError(UserError, ValueError):
    """An error that the caller of an estimator can fix; a ``ValueError`` as well, as scikit-learn expects."""


@contextmanager
def _as_value_errors() -> Iterator[None]:
    """Raise every ``UserError`` as an ``EstimatorError``, and an interruption as ``KeyboardInterrupt``, which scikit-learn passes on."""
    try:
        yield
    except Interrupted as stopped:
        raise KeyboardInterrupt from stopped
    except EstimatorError:
        raise
    except UserError as error:
        raise EstimatorError(str(error)) from error


class _Multimodal(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """What the estimators of both kinds share. A subclass names the task of a target and converts its values."""

    def __init__(
        self,
        columns: Mapping[str, str] | None = None,
        *,
        ignore: str | Sequence[str] | None = None,
        group: str | None = None,
        preset: Preset | None = None,
        time_limit: str | float | None = None,
        epochs: int | None = None,
        folds: int | None = None,
        fusion: str | None = None,
        baselines: bool = False,
        overrides: Sequence[str] = (),
        root: str | Path | Sequence[str | Path] | None = None,
        device: str = "auto",
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.columns = columns
        self.ignore = ignore
        self.group = group
        self.preset = preset
        self.time_limit = time_limit
        self.epochs = epochs
        self.folds = folds
        self.fusion = fusion
        self.baselines = baselines
        self.overrides = overrides
        self.root = root
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    if not TYPE_CHECKING:  # type checkers read the parameters of __init__

        def __new__(cls, *_: Any, **parameters: Any) -> Self:
            """Return a new estimator.

            :raises TypeError: there is no such parameter; the message names the parameter or the setting that is probably meant
            """
            for name, value in parameters.items():
                if name not in cls._get_param_names():
                    raise TypeError(cls._unknown(name, value))
            return super().__new__(cls)

    @classmethod
    def _unknown(cls, name: str, value: Any) -> str:
        """Return the message for a parameter that the estimators do not have."""
        return unexpected(Experiment, cls.__name__, name, value, cls._get_param_names(), f"{cls.__name__}(overrides=[{{}}])")

    def set_params(self, **params: Any) -> Self:
        """Set parameters, as scikit-learn does, and return the estimator.

        :raises EstimatorError: there is no such parameter; the message names the parameter or the setting that is probably meant
        """
        for name, value in params.items():
            if name.partition("__")[0] not in self._get_param_names():
                raise EstimatorError(self._unknown(name, value))
        estimator: Self = super().set_params(**params)
        return estimator

    # -- what differs between the kinds ------------------------------------------------------------------------------

    def _cells(self, y_N: np.ndarray, weight_N: np.ndarray | None) -> tuple[list[Cell], str]:
        """Return the cells of the target column, and the kind of its task."""
        raise NotImplementedError

    _kinds: ClassVar[tuple[str, ...]]
    """The kinds of the tasks of its models."""

    # -- fitting and predicting --------------------------------------------------------------------------------------

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train a model.

        :param X: the features of the rows: a dataframe, an Arrow table, columns as a dict of lists, rows as dicts, or an array
        :param y: the target of each row
        :param sample_weight: the weight of each row in the loss, 0 or more; None = equal weights
        :returns: the estimator
        :raises EstimatorError: the data or a parameter is invalid
        """
        with _as_value_errors():
            table = features_of(self, X, fitting=True)
            self.columns_ = table.columns
            y_N = targets.checked(y, table.rows, type(self).__name__)
            weight_N = None if sample_weight is None else targets.weights(sample_weight, table.rows)
            cells, kind = self._cells(y_N, weight_N)
            self.target_ = self._free(getattr(y, "name", None))
            beside: dict[str, Sequence[Cell]] = {self.target_: cells}
            lines = [f"tasks.{quote(self.target_)}.kind={kind}", f"tasks.{quote(self.target_)}.missing=[]", *self._lines()]
            if weight_N is not None:
                weight = self._free("sample_weight", self.target_)
                beside[weight] = weight_N.tolist()
                lines.append(f"data.weight={quote(weight)}")
            given = dict.fromkeys(self.columns_, "number") if table.are_numbers else {}
            self.seed_ = self._seed()
            self.model_ = train(
                table.beside(beside), *lines, *self._overrides(), target=self.target_,
                columns={**given, **self.columns} if isinstance(self.columns, Mapping) else self.columns or given,
                ignore=self.ignore or (), group=self.group, preset=self.preset, time_limit=self.time_limit,
                root=self.root or (), seed=self.seed_, verbose=self.verbose,
            )  # fmt: skip
        return self

    def _lines(self) -> list[str]:
        """Return the parameters that fill one place of ``run.yaml``, as overrides."""
        folds = [] if self.folds is None else ["data.split.kind=folds", f"data.split.folds={self.folds}"]
        settings = {"training.epochs": self.epochs, "model.fusion.kind": self.fusion, "training.device": self.device}
        lines = [f"{path}={value}" for path, value in settings.items() if not is_nothing(value)]
        return [*folds, *lines, f"training.baselines={str(bool(self.baselines)).lower()}"]

    def _overrides(self) -> list[str]:
        """Return ``overrides`` as a list."""
        if isinstance(self.overrides, str):
            raise ConfigError(f"overrides: found the text {self.overrides!r}; expected a list of texts; write [{self.overrides!r}]")
        return [str(line) for line in self.overrides]

    def _seed(self) -> int:
        """Return the seed of a training: ``random_state``, or a number that it generates."""
        if self.random_state is None:
            return 0
        if isinstance(self.random_state, (int, np.integer)):
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(2**31 - 1))

    def _free(self, name: Any, *taken: str) -> str:
        """Return a name that no column has: ``name`` if it is text, else ``y``, with underscores after it if necessary."""
        free = name if isinstance(name, str) and name.strip() else "y"
        while free.strip() in {one.strip() for one in (*self.columns_, *taken)}:
            free += "_"
        return free

    def _predicted(self, method: str, X: Any) -> np.ndarray:
        """Return what a method of the model predicts for each row.

        :raises EstimatorError: the columns differ from those of ``fit``, or a row was skipped
        """
        check_is_fitted(self, "model_")
        with _as_value_errors():
            table = features_of(self, X, fitting=False)
            result = np.asarray(getattr(self.model_, method)(table), np.float64)
            if np.isnan(result).any():
                raise DataError("X: rows that the settings skip (on_error=skip); expected a prediction for each; set on_error to blank")
        return result

    def _task(self) -> Task:
        """Return the only task of the model."""
        return next(iter(self.model_.bundle.tasks.values()))

    def __sklearn_tags__(self) -> Any:
        """Return the tags of scikit-learn: cells may be missing, texts and categories."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = tags.input_tags.string = tags.input_tags.categorical = True
        return tags

    # -- files -------------------------------------------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Save the estimator in a folder: its model as a bundle, and ``estimator.json``.

        The folder contains no pickle. ``polymodal.load`` and every command read it as a bundle.

        :raises EstimatorError: a parameter cannot be written as JSON, or the folder cannot be written
        """
        check_is_fitted(self, "model_")
        with _as_value_errors():
            return files.save(self, Path(path))

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, trust: bool = False, device: str | None = None) -> Self:
        """Return the estimator that ``save`` wrote.

        :param path: the folder
        :param trust: whether to allow external components, whose code is executed
        :param device: the device of predictions, such as cpu; None = the parameter ``device`` of the saved estimator
        :raises EstimatorError: the folder contains no valid estimator of this class, or the device is not available
        """
        estimator = cls()
        with _as_value_errors():
            files.restore(estimator, Path(path), trust, device)
        return estimator

    def __getstate__(self) -> dict[str, Any]:
        """Return the state for ``pickle`` and ``copy``: plain parameters, and the content of the files that ``save`` writes."""
        with _as_value_errors():
            return files.packed(self)

    def __setstate__(self, state: Any) -> None:
        """Restore the state of ``__getstate__``. Its files are checked like those of a folder."""
        with _as_value_errors():
            files.unpack(self, state)


_Multimodal.__signature__ = inspect.signature(_Multimodal.__init__).replace(
    parameters=list(inspect.signature(_Multimodal.__init__).parameters.values())[1:]
)  # without it, the signature would be that of __new__


class MultimodalClassifier(ClassifierMixin, _Multimodal):  # type: ignore[misc]
    """A classifier of rows whose columns are pictures, texts, numbers, categories, sounds, series or point clouds.

    It trains by ``polymodal.train``, with its defaults. Every parameter may be set by ``set_params`` and tuned by ``GridSearchCV``. A table
    in memory has no folder: if cells are paths such as ``photos/0001.jpg``, ``MultimodalClassifier(root=".")`` finds them below the current
    folder.

    :param columns: the modality or type of columns whose inferred one is wrong: image, text, number, category, date or another kind
    :param ignore: one or several columns that are not features
    :param group: the column whose equal values stay in one part of the split of a training; it is not a feature
    :param preset: how much is trained: fast, good or best; None = good
    :param time_limit: the time limit of a training in seconds, or as 90s, 5m, 1h30m; None = no limit
    :param epochs: the maximum number of epochs; None = chosen from the number of rows
    :param folds: the number of folds, and thus of models; None = chosen from the number of rows
    :param fusion: the kind of the fusion, such as ``concat``; None = the default
    :param baselines: whether models of single fields are trained as well, for the leaderboard
    :param overrides: ``path=value`` settings of ``run.yaml``, which take precedence over other parameters
    :param root: one or several folders that the paths in cells are relative to, such as ``"."``; a table in memory with paths requires it
    :param device: where the model is trained and predicts: auto, cpu, cuda or mps
    :param random_state: the seed of a training, or a ``RandomState`` that generates it; None = 0, so that a training can be repeated
    :param verbose: whether the progress of a training is printed

    After ``fit``, the attributes are ``model_`` (a ``polymodal.Predictor``), ``classes_``, ``n_features_in_``, ``feature_names_in_`` (if
    ``X`` has names of text), ``columns_`` (the names of the columns of the training table), ``target_`` (that of the target) and ``seed_``.
    """

    _kinds = ("binary", "multiclass")

    def _cells(self, y_N: np.ndarray, weight_N: np.ndarray | None) -> tuple[list[Cell], str]:
        """Return the cells of the classes, and the kind of their task."""
        self.classes_, self.cells_, cells = targets.classes_of(y_N, weight_N)
        return cells, self._kinds[len(self.cells_) > 2]

    def predict_proba(self, X: Any) -> np.ndarray:
        """Predict the probabilities of the classes, (N, C) in the order of ``classes_``.

        :raises EstimatorError: the columns differ from those of ``fit``, or a cell cannot be read and the settings forbid it
        """
        scores_NC: np.ndarray = self._predicted("predict_proba", X)
        return targets.in_order(scores_NC, self._task().state["classes"], self.cells_)

    def predict(self, X: Any) -> np.ndarray:
        """Predict the most probable class of each row, (N,)."""
        scores_NC = self.predict_proba(X)
        labels_N: np.ndarray = self.classes_[scores_NC.argmax(1)]
        return labels_N


class MultimodalRegressor(RegressorMixin, _Multimodal):  # type: ignore[misc]
    """A regressor on rows whose columns are pictures, texts, numbers, categories, sounds, series or point clouds.

    The parameters, and the attributes after ``fit`` except ``classes_``, are those of ``MultimodalClassifier``.
    """

    _kinds = ("regression",)

    def _cells(self, y_N: np.ndarray, weight_N: np.ndarray | None) -> tuple[list[Cell], str]:
        """Return the numbers, and the kind of their task."""
        return targets.numbers_of(y_N), self._kinds[0]

    def predict(self, X: Any) -> np.ndarray:
        """Predict the number of each row, float64 (N,).

        :raises EstimatorError: as ``MultimodalClassifier.predict_proba``
        """
        return self._predicted("predict", X)
