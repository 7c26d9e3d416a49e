"""The code of a model that MLflow stores (models from code): MLflow copies this file, and runs it when the model is loaded.

Nothing is pickled. The stored model contains the bundle, and an instance of the class contains only what ``load`` makes of it.
"""

from __future__ import annotations

from typing import Any

import pandas
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel

import polymodal
import polymodal.outputs


class StoredModel(PythonModel):  # type: ignore[misc,unused-ignore]  # without MLflow its type is unknown
    """Answers as ``Predictor`` and ``polymodal predict`` do."""

    predictor: polymodal.Predictor

    def load_context(self, context: Any) -> None:
        """Load the bundle. External components are allowed if ``model_config={"trust": True}`` is passed to MLflow."""
        self.predictor = polymodal.load(context.artifacts["bundle"], trust=bool((context.model_config or {}).get("trust")))

    def predict(self, context: Any, model_input: pandas.DataFrame, params: dict[str, Any] | None = None) -> pandas.DataFrame:
        """Return the columns that ``polymodal predict`` writes: predictions, probabilities, present fields, and unreadable cells."""
        table = polymodal.outputs.PredictionTable(self.predictor)
        return pandas.DataFrame(table.as_columns(table.predict(model_input)))


set_model(StoredModel())
