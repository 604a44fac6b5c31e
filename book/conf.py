"""Sphinx reads this. ``tools/book.py`` gathers the pages; nothing is executed, nothing is fetched."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from docstrings import to_fields

import leadwise

project = "From Saliency to Semantics"
author = "The From Saliency to Semantics authors"
project_copyright = f"{author}, MIT licence"
version = release = leadwise.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc"]
nb_execution_mode = "off"
nb_merge_streams = True
nb_ipywidgets_js = {}  # live views are shown by their static twins
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4
default_role = "code"
suppress_warnings = ["config.cache"]  # docstrings' hook is a function, which Sphinx can't pickle

autodoc_default_options = {"members": True, "member-order": "bysource", "show-inheritance": True}
autodoc_inherit_docstrings = False  # what PyTorch says of its base classes points at labels of its own pages
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
autodoc_class_signature = "separated"
add_module_names = False
toc_object_entries_show_parents = "hide"
python_maximum_signature_line_length = 88

html_theme = "furo"
html_title = project
html_static_path = ["static"]
exclude_patterns = ["_static"]
html_css_files = ["book.css"]
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {"navigation_with_keys": True}

mathjax_path = "mathjax/tex-chtml.js"
mathjax3_config = {"options": {"enableMenu": False}}

# `make links`. A DOI is looked up at its registry, since many publishers turn programs away.
linkcheck_workers = 4
linkcheck_timeout = 30
linkcheck_retries = 3
linkcheck_anchors = False
linkcheck_rate_limit_timeout = 120.0
linkcheck_report_timeouts_as_broken = True


def doi_registry(app, uri: str) -> str | None:
    """Return the address at which the DOI system says whether it knows a DOI: status 200 if so, 404 if not."""
    start = "https://doi.org/"
    return f"https://doi.org/api/handles/{uri.removeprefix(start)}" if uri.startswith(start) else None


def add_mathjax(app, config) -> None:
    """Serve MathJax from where ``tools/book.py`` has put it."""
    config.html_static_path.append(str(app.srcdir / "_static"))


def skip_others(app, what, name, obj, skip, options) -> bool | None:
    """Leave out what another package wrote, such as the ``set`` that matplotlib makes for each of its subclasses."""
    return True if (getattr(obj, "__module__", None) or "leadwise").split(".")[0] == "matplotlib" else None


def setup(app):
    """Connect the hooks."""
    app.connect("autodoc-skip-member", skip_others)
    app.connect("config-inited", add_mathjax)
    app.connect("autodoc-process-docstring", to_fields)
    app.connect("linkcheck-process-uri", doi_registry)
