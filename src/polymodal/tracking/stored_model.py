"""The code of a model that MLflow stores (models from code): MLflow copies this file, and runs it when the model is loaded.

Nothing is pickled. The stored model contains the bundle, and an instance of the class contains only what ``load`` makes of it.
"""

from __future__ import annotations

from typing import Any

import pandas
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.pyfunc import PythonModel

import polymodal
import polymodal.outputs

NO_FOLDER = "this table has no folder"
"""The end of what the predictor states about cells that are paths."""
FIX = (
    "expected the content of the files, data:image/png;base64,...; or name the folder that the paths are relative to: "
    "mlflow.pyfunc.load_model(MODEL, model_config={'root': FOLDER})"
)
"""What to do where cells are paths."""


class StoredModel(PythonModel):  # type: ignore[misc,unused-ignore]  # without MLflow its type is unknown
    """Answers as ``Predictor`` and ``polymodal predict`` do."""

    predictor: polymodal.Predictor

    def load_context(self, context: Any) -> None:
        """Load the bundle, with what is passed to MLflow as ``model_config``: ``{"trust": True}`` allows external components, ``{"root":
        FOLDER}`` names the folder that paths in cells are relative to."""
        given = context.model_config or {}
        self.predictor = polymodal.load(context.artifacts["bundle"], trust=bool(given.get("trust")), root=given.get("root") or ())

    def predict(self, context: Any, model_input: pandas.DataFrame, params: dict[str, Any] | None = None) -> pandas.DataFrame:
        """Return the columns that ``polymodal predict`` writes: predictions, probabilities, present fields, and unreadable cells."""
        table = polymodal.outputs.PredictionTable(self.predictor)
        try:
            return pandas.DataFrame(table.as_columns(table.predict(model_input)))
        except polymodal.UserError as error:  # MLflow answers a request with this text and status 400
            found, has_paths, _ = str(error).partition(f"{NO_FOLDER}; ")
            raise MlflowException(f"{found}{has_paths}{FIX if has_paths else ''}", error_code=INVALID_PARAMETER_VALUE) from None


set_model(StoredModel())
