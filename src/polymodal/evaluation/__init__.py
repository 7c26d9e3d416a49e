"""Measuring: metrics of answers, and of answers without each field."""
