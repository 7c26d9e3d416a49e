"""Estimators of scikit-learn: ``MultimodalClassifier`` and ``MultimodalRegressor``. They need the extra ``sklearn``.

Where cells are paths of files, ``root`` names the folder that they are relative to: ``MultimodalClassifier(root=".")``.
"""

from ..errors import requires

requires("sklearn", "sklearn")

from .estimators import (  # noqa: E402  # after the check that scikit-learn can be imported
    EXPECTED_FAILED_CHECKS,
    EstimatorError,
    MultimodalClassifier,
    MultimodalRegressor,
)

__all__ = ["EXPECTED_FAILED_CHECKS", "EstimatorError", "MultimodalClassifier", "MultimodalRegressor"]
