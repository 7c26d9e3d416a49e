"""The tracker of MLflow: parameters, metrics, files, and a model that MLflow loads and serves."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .. import __version__
from ..bundle import find
from ..errors import requires
from ..language import Sentence
from ..outputs import PredictionTable
from ..predictor import Predictor, load
from ..quiet import ignore_warnings_of
from .tracker import FILES, Tracker

MODEL = "model"
"""The name of the model in MLflow."""
_MOST_CHARACTERS, _MOST_PARAMETERS = 6000, 100
"""The maximum number of characters of a parameter, and of parameters in one request to a server."""
_CALLED = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "15",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}
"""Settings of MLflow while it is called, unless the user has set them: a server that does not answer does not delay training for minutes,
and no progress bar is shown."""
_EXAMPLES = 2


class MLflow(Tracker):
    """Write a run to the tracking server or folder that MLflow is set to use (``pip install 'polymodal[mlflow]'``).

    The run of MLflow that is active is used; if there is none, a new one is made in the experiment that MLflow is set to use.

    :param run: the folder of the run; None = only what the events contain is written
    :param settings: the settings of the run by path
    :param note: called with a line that states where the run is written
    """

    name = "mlflow"
    package = "mlflow"
    environment = {"MLFLOW_DISABLE_TELEMETRY": "true"}  # MLflow otherwise reports its use to its makers

    def __init__(
        self, run: Path | None = None, settings: Mapping[str, Any] | None = None, note: Callable[[str], None] | None = None
    ) -> None:
        super().__init__(run, settings, note)
        ignore_warnings_of("mlflow")  # about its own code
        self._mlflow = requires("mlflow", "mlflow")
        self._client: Any = None
        self._is_own = False
        """Whether the run of MLflow was made here, so that it is finished here."""

    @property
    def _id(self) -> str:
        """The identifier of the run of MLflow."""
        return str(self.state["id"])

    def begin(self) -> None:
        """Use the active run of MLflow, continue the earlier one, or make one; and write the settings as parameters."""
        with _called():
            self._client = self._mlflow.MlflowClient()
            place, active = self._client.tracking_uri, self._mlflow.active_run()
            if active is not None:
                self._is_own = False
                is_new, identifier = self.state.get("id") != active.info.run_id, active.info.run_id
            elif self.state.get("uri") == place and self._exists(self.state.get("id")):
                self._is_own, is_new, identifier = True, False, self._id
                self._client.update_run(identifier, status="RUNNING")
            else:
                name = self.run.name if self.run is not None else None
                run = self._client.create_run(self._experiment(), run_name=name, tags={"polymodal.version": __version__})
                self._is_own, is_new, identifier = True, True, run.info.run_id
            if is_new:
                self.state = {"id": identifier, "uri": place, "seen": {}}
                self._write_parameters()
        self.note(Sentence("track.mlflow", run=str(identifier), place=str(place)))

    def _experiment(self) -> str:
        """Return the identifier of the experiment that MLflow is set to use, which is made if it does not exist."""
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME")
        if name is None:
            return os.environ.get("MLFLOW_EXPERIMENT_ID", "0")
        experiment = self._client.get_experiment_by_name(name)
        return str(experiment.experiment_id if experiment is not None else self._client.create_experiment(name))

    def _exists(self, identifier: str | None) -> bool:
        """Return whether there is a run of MLflow with this identifier that was not deleted."""
        if identifier is None:
            return False
        try:
            run = self._client.get_run(identifier)
        except self._mlflow.exceptions.MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return False
        return bool(run.info.lifecycle_stage == "active")

    def _write_parameters(self) -> None:
        """Write the settings as parameters."""
        written = [self._mlflow.entities.Param(path, _text(value)[:_MOST_CHARACTERS]) for path, value in self.settings.items()]
        for at in range(0, len(written), _MOST_PARAMETERS):
            self._client.log_batch(self._id, params=written[at : at + _MOST_PARAMETERS])

    def log(self, figures: Mapping[str, float], epoch: int) -> None:
        """Write figures of one epoch."""
        now = round(time.time() * 1000)
        metrics = [self._mlflow.entities.Metric(name, value, now, epoch) for name, value in figures.items()]
        with _called():
            self._client.log_batch(self._id, metrics=metrics)

    def conclude(self, figures: Mapping[str, float]) -> None:
        """Write the final figures, the files of the run, and the model."""
        self.log(figures, 0)
        if self.run is None:
            return
        with _called():
            for name in FILES:
                self._client.log_artifact(self._id, str(self.run / name))
            if self._mlflow.active_run() is not None:
                self._log_model(self.run)
            else:
                with self._mlflow.start_run(run_id=self._id):
                    self._log_model(self.run)

    def _log_model(self, run: Path) -> None:
        """Write the model to the active run of MLflow. Its code is a file of this package, so that nothing is pickled."""
        requires("mlflow.pyfunc", "mlflow").log_model(name=MODEL, **stored(run))

    def finish(self, ended: bool) -> None:
        """Set the status of the run of MLflow, if it was made here."""
        if self._client is not None and self._is_own:
            with _called():
                self._client.set_terminated(self._id, status="FINISHED" if ended else "KILLED")


def stored(run: Path) -> dict[str, Any]:
    """Return the arguments of ``mlflow.pyfunc.log_model`` and ``save_model`` for the model of a run.

    :param run: the folder of the run
    """
    from mlflow.models import ModelSignature

    predictor = load(run)
    examples = _example_rows(run, predictor)
    signature = ModelSignature(inputs=_inputs(predictor), outputs=_outputs(PredictionTable(predictor)))
    return {
        "python_model": str(Path(__file__).parent / "stored_model.py"),
        "artifacts": {"bundle": str(find(run))},
        "signature": signature,
        "model_config": {"trust": False, "root": ""},  # MLflow ignores what is passed at loading unless it is here
        "input_example": requires("pandas", "mlflow").DataFrame(examples, dtype=object),
        "pip_requirements": [f"polymodal=={__version__}", "pandas"],
    }


def _inputs(predictor: Predictor) -> Any:
    """Return the schema of the input: the columns that the model reads. Each may be missing, and contain a value in any notation."""
    from mlflow.types import ColSpec, Schema
    from mlflow.types.schema import AnyType

    kind: Any = AnyType
    return Schema([ColSpec(kind(), name, required=False) for name in predictor.bundle.experiment.columns()])


def _outputs(table: PredictionTable) -> Any:
    """Return the schema of the output."""
    from mlflow.types import ColSpec, DataType, Schema
    from mlflow.types.schema import Array

    types = {"int64": DataType.long, "double": DataType.double, "bool": DataType.boolean, "string": DataType.string}
    columns: list[Any] = []
    for name, kind in table.columns.items():
        one = types[kind.removeprefix("list ")]
        columns.append(ColSpec(Array(one) if kind.startswith("list ") else one, name))
    return Schema(columns)


def _example_rows(run: Path, predictor: Predictor) -> list[dict[str, Any]]:
    """Return rows of the table that the run keeps as examples; one row without values if it keeps none, as where rows are private."""
    try:
        rows = json.loads((run / "examples.json").read_bytes())["rows"][:_EXAMPLES]
    except FileNotFoundError:
        rows = []
    return [{name: _sent(value) for name, value in row.items()} for row in rows] or [dict.fromkeys(predictor.bundle.experiment.columns())]


def _sent(value: Any) -> Any:
    """Return a cell of ``examples.json`` as a cell of a table: the content of a file as a data URI."""
    if isinstance(value, list):
        return [_sent(one) for one in value]
    return f"data:application/octet-stream;base64,{value['b64']}" if isinstance(value, Mapping) else value


def _text(value: Any) -> str:
    """Return a setting as the text of a parameter."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


@contextmanager
def _called() -> Iterator[None]:
    """A block in which MLflow is called: it is patient for seconds instead of minutes, and reports only errors."""
    given = {name: value for name, value in _CALLED.items() if name not in os.environ}
    loggers = {name: logging.getLogger(name) for name in ("mlflow", "alembic")}
    levels = {name: logger.level for name, logger in loggers.items()}
    os.environ.update(given)
    for logger in loggers.values():
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for name, logger in loggers.items():
            logger.setLevel(levels[name])
        for name in given:
            os.environ.pop(name, None)
