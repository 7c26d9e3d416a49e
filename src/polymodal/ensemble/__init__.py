"""Ensembles: one model for each fold, trained within a time limit, validated, and calibrated. ``runs``, ``preflight`` and ``comparison``
train by this room."""
