"""Folders of a known layout, read into rows of a table: ``nuscenes`` and ``mimic_cxr``. They stand before the line: folder -> rows."""
