"""Inspection of a table before training: the content of each column, faults, and columns that leak the target."""
