"""A line of code with a button that copies it."""

import anywidget
import traitlets

from leadwise.explorers.live import STATIC, Text, in_use, module


class CodeLine(anywidget.AnyWidget):
    """Shows ``code`` and copies it to the clipboard; where a browser forbids that, the code is selected instead."""

    _esm = module("code_line")
    _css = STATIC / "code_line.css"
    code = Text().tag(sync=True)
    phrases = traitlets.Dict().tag(sync=True)

    @traitlets.default("phrases")
    def _phrases(self):
        return in_use("code_line")
