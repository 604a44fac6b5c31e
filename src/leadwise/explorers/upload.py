"""What an upload widget holds, whichever version of ipywidgets made it."""

from collections import Counter
from collections.abc import Mapping

from ipywidgets import FileUpload

from leadwise.explorers.base import FIELD
from leadwise.recordings.reading import FORMATS


def recording_upload(description: str) -> FileUpload:
    """Return a control that uploads a recording: one file, or several that belong together."""
    accepted = ",".join(extension for extensions in FORMATS.values() for extension in extensions)
    return FileUpload(description=description, accept=accepted, multiple=True, layout=FIELD)


def uploaded_files(widget: FileUpload) -> dict[str, bytes]:
    """Return the files of a ``FileUpload``: name -> content; empty where nothing has been uploaded.

    ipywidgets 7 keeps a dictionary name -> {"metadata": ..., "content": bytes}, ipywidgets 8 a tuple of
    {"name": ..., "content": memoryview, ...}.

    Raises
    ------
    ValueError : two files of the same name, of which one would take the other's place (so would, on many computers, two
        whose names differ in capitals alone)
    """
    value = widget.value
    if isinstance(value, Mapping):
        files = [(name, file["content"]) for name, file in value.items()]
    else:
        files = [(file["name"], file["content"]) for file in value]
    counts = Counter(name.casefold() for name, _ in files)
    twice = [name for name, _ in files if counts[name.casefold()] > 1]
    if twice:
        raise ValueError(f"two of the files are called {twice[0]!r}: rename one, or upload one after the other.")
    return {name: bytes(content) for name, content in files}
