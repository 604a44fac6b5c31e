"""A line of code with a button that copies it."""

import anywidget
import traitlets

from leadwise.explorers.live import STATIC


class CodeLine(anywidget.AnyWidget):
    """Shows ``code`` and copies it to the clipboard; where a browser forbids that, the code is selected instead."""

    _esm = STATIC / "code_line.js"
    _css = STATIC / "code_line.css"
    code = traitlets.Unicode().tag(sync=True)
