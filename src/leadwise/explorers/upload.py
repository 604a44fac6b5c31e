"""What an upload widget holds, whichever version of ipywidgets made it."""

from collections.abc import Mapping


def uploaded_files(widget) -> dict[str, bytes]:
    """Return the files of a ``FileUpload``: name -> content; empty where nothing has been uploaded.

    ipywidgets 7 keeps a dictionary name -> {"metadata": ..., "content": bytes}, ipywidgets 8 a tuple of
    {"name": ..., "content": memoryview, ...}.
    """
    value = widget.value
    if isinstance(value, Mapping):
        return {name: bytes(file["content"]) for name, file in value.items()}
    return {file["name"]: bytes(file["content"]) for file in value}
