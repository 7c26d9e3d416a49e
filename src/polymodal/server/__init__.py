"""Trained models as an HTTP service: ``polymodal serve``, or ``make_app`` for another ASGI server."""

from .app import make_app
from .limits import Limits
from .models import Models
from .serving import serve
from .workers import Settings, serve_in_processes

__all__ = ["Limits", "Models", "Settings", "make_app", "serve", "serve_in_processes"]
