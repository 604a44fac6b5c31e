"""What the tests of several explorers ask."""

import datetime


def drawn(explorer) -> tuple:
    """Return what the canvas of an explorer has been given to draw."""
    canvas = explorer.canvas
    return canvas.drawing, canvas.points, canvas.codes, canvas.pixels


def drive(explorer, control, values) -> None:
    """Set a control to each value: the drawing must change where the value does, and only there."""
    for value in values:
        before, moved = drawn(explorer), control.value != value
        control.value = value
        assert explorer.error is None, (control.description, value, explorer.error)
        assert (drawn(explorer) != before) == moved, (control.description, value)


def upload(widget, files: dict[str, bytes]) -> None:
    """Put files, name -> content, into a ``FileUpload`` as the browser does with this version of ipywidgets."""
    now = datetime.datetime.now(datetime.timezone.utc)
    if isinstance(widget.value, dict):
        value = {name: {"metadata": {"name": name}, "content": data} for name, data in files.items()}
    else:
        kinds = {"type": "", "last_modified": now}
        value = tuple(
            {"name": name, "size": len(data), "content": memoryview(data), **kinds} for name, data in files.items()
        )
    widget.set_trait("value", value)  # read-only in ipywidgets 7
