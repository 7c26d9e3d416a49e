"""Trained models as an HTTP service: ``polymodal serve``, or ``make_app`` for another ASGI server."""

from .app import make_app
from .limits import Limits
from .models import Models
from .serving import serve

__all__ = ["Limits", "Models", "make_app", "serve"]
