"""Readers of data sets with a known folder layout, ``nuscenes``, ``mimic_cxr`` and those of ``mmf``: they turn a folder into the rows of a
table, before any training."""
