"""Predictions as the rows of a table: the names and types of its columns, its rows, and the files that they are written to.

``PredictionTable`` is what ``polymodal predict`` writes. Python code and other interfaces, such as a server, use it in the same way::

    table = PredictionTable(polymodal.load("runs/products"), coverage=0.9, abstain_below=0.6)
    for row in table.predict("new_products.csv"):
        print(json_line(row))
"""

from .columns import ColumnNames
from .files import check_path, csv_lines, json_line
from .table import PredictionTable

__all__ = ["ColumnNames", "PredictionTable", "check_path", "csv_lines", "json_line"]
