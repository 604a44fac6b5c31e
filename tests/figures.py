"""What the tests of several figure explorers ask."""


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
