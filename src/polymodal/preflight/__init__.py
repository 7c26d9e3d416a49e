"""The check before training (``polymodal check``): what would stop a run, and the time, memory and disk that the run would take.

The room is not called ``check``: a module of that name would take the place of the public function ``polymodal.check``.
"""

from .api import check
from .result import Check

__all__ = ["Check", "check"]
