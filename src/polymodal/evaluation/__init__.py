"""Evaluation: metrics of predictions with and without each field, intervals, calibration, and comparisons of models."""
