"""Exports trained models to exchange formats: one program for the whole model, and files that read rows without torch."""

from .api import Export, export

__all__ = ["Export", "export"]
