"""A line of code with a button that copies it."""

from leadwise.explorers.live import STATIC, Speaking, Text, module


class CodeLine(Speaking):
    """Shows ``code`` and copies it to the clipboard; where a browser forbids that, the code is selected instead."""

    _esm, view = module("code_line"), "code_line"
    _css = STATIC / "code_line.css"
    code = Text().tag(sync=True)
