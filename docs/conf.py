"""Configuration of the documentation site: Sphinx, MyST Markdown and the theme Furo. ``make docs`` builds it; every warning is an error."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent / "src")]

import polymodal  # noqa: E402

project = "polymodal"
author = "the polymodal authors"
release = version = polymodal.__version__
language = "en"

extensions = ["myst_parser", "sphinx.ext.autodoc", "polymodal_reference", "polymodal_chinese"]
exclude_patterns = ["_build", "_ext"]
templates_path: list[str] = []

# A reference that cannot be resolved is a warning, and a warning fails the build (make docs).
nitpicky = True
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence", "deflist"]

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
maximum_signature_line_length = 100
python_use_unqualified_type_names = True

# The pages load nothing from another host: Furo uses the fonts of the system, and no page has formulas or remote scripts.
html_theme = "furo"
html_title = f"polymodal {version}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_search_language = "en"
