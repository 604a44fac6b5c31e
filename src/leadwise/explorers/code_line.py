"""A line of code with a button that copies it."""

import anywidget

from leadwise.explorers.live import STATIC, Text


class CodeLine(anywidget.AnyWidget):
    """Shows ``code`` and copies it to the clipboard; where a browser forbids that, the code is selected instead."""

    _esm = STATIC / "code_line.js"
    _css = STATIC / "code_line.css"
    code = Text().tag(sync=True)
