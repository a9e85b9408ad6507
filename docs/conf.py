"""Settings of the site that ``make docs`` builds."""

from __future__ import annotations

import sys
from importlib.metadata import version as _version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

project = "auxnas"
author = copyright = "The auxnas maintainers"
version = release = _version("auxnas")

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_click",
    "sphinx_copybutton",
    "made",
    "mathml",
]
smartquotes = False
exclude_patterns = ["made"]
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "off"  # tests/test_docs.py runs the tutorials and compares what they print
copybutton_prompt_text = "$ "

autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_custom_sections = [("Returns", "prose")]  # ours is, and may have a colon

html_math_renderer = "mathml"
html_theme = "furo"
html_theme_options = {
    name: {"code-font-size": "var(--font-size--small--3)"}
    for name in ("light_css_variables", "dark_css_variables")
}
html_title = f"auxnas {version}"
html_copy_source = False
html_show_sourcelink = False
