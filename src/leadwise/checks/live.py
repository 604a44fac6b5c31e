"""What a quiz and a think-first field share: a live view, and beside it a twin that a page without a kernel shows."""


class Live:
    """A view of ipywidgets with a static twin. Subclasses set ``view`` and define ``static()`` and ``__repr__``."""

    def static(self) -> str:
        """Return what a page without a kernel shows, as HTML."""
        raise NotImplementedError(f"{type(self).__name__} has to say what a page without a kernel shows.")

    def _repr_mimebundle_(self, include=None, exclude=None, **options):
        # Written out, for a widget of ipywidgets 7 has no such method.
        live = {"version_major": 2, "version_minor": 0, "model_id": self.view.model_id}
        data = {"application/vnd.jupyter.widget-view+json": live, "text/html": self.static(), "text/plain": repr(self)}
        return data, {}
