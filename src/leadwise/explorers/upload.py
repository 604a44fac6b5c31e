"""What an upload widget holds, whichever version of ipywidgets made it."""

from collections.abc import Mapping


def uploaded_files(widget) -> dict[str, bytes]:
    """Return the files of a ``FileUpload``: name -> content; empty where nothing has been uploaded.

    ipywidgets 7 keeps a dictionary name -> {"metadata": ..., "content": bytes}, ipywidgets 8 a tuple of
    {"name": ..., "content": memoryview, ...}. A name that comes again gets its number in front, as a folder:
    "1/rec.dat", so that neither file replaces the other and ``read_ecg`` can refuse them.
    """
    value = widget.value
    if isinstance(value, Mapping):
        return {name: bytes(file["content"]) for name, file in value.items()}
    files: dict[str, bytes] = {}
    for number, file in enumerate(value):
        name = file["name"]
        files[f"{number}/{name}" if name in files else name] = bytes(file["content"])
    return files
