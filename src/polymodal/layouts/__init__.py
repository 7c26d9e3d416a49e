"""Readers of data sets with a known folder layout, ``nuscenes`` and ``mimic_cxr``: they turn a folder into the rows of a table, before any
training."""
