"""What the tests of several explorers ask."""

import datetime

import pytest
import traitlets


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


def says(verdict, state: str, word: str = "") -> None:
    """The verdict of a check has this state, and its text contains a word."""
    assert verdict.state == state, verdict
    assert word in verdict.text, verdict


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


def stops(control) -> list:
    """Return values of a control to try: every option, or both ends of a range."""
    if hasattr(control, "options"):
        return [option[1] if isinstance(option, tuple) else option for option in control.options]
    return [control.min, control.max] if hasattr(control, "min") else [not control.value, control.value]


def changes(canvas, act) -> set[str]:
    """Return the synced traits that an action changes: these, and no others, travel to the browser."""
    seen = set()

    def note(change):
        seen.add(change.name)

    canvas.observe(note, traitlets.All)
    act()
    canvas.unobserve(note, traitlets.All)
    return {name for name in seen if canvas.trait_metadata(name, "sync")}


def is_drawn_by_the_browser(explorer, name, monkeypatch) -> None:
    """A display control is linked to the canvas and asks nothing of the kernel; the figure follows each value."""
    monkeypatch.setattr(explorer, "refresh", lambda: pytest.fail("the kernel was asked"))
    control, trait = explorer.controls[name], explorer.display[name]
    (link,) = [link for link in explorer.links if link.source[0] is control]
    assert link.target == (explorer.canvas, trait)
    figures = {}
    for value in stops(control):
        control.value = value
        figures[value] = explorer.plot()._repr_png_()[0]
        assert getattr(explorer.canvas, trait) == getattr(control, link.source[1])
    assert len(set(figures.values())) == len(figures)
