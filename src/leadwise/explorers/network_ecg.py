"""Look inside a network that sees ECGs: the feature maps of any layer, in time, under the recording."""

from functools import lru_cache

from torch import Tensor, nn

from leadwise.explorers.base import WIDE, FigureExplorer, drop, whole, worded
from leadwise.explorers.network import ORDERS, strongest, title_of_layer
from leadwise.explorers.recording_subject import Menu, titles
from leadwise.explorers.script import complete
from leadwise.inspection import feature_maps, layer_table
from leadwise.language import pieces, tr
from leadwise.networks.network import Network
from leadwise.plotting.channels import plot_channels
from leadwise.recordings.catalogue import load_record, records

# Their outputs are channels, then times. Of others only where nothing outside the modules came before: the layers of a
# transformer give pieces, and then the parts of a vector.
OVER_TIME = ("Conv1d", "BatchNorm1d", "MaxPool1d", "AvgPool1d")


class ECGNetworkExplorer(FigureExplorer):
    """Choose a recording, a network and a layer, and see what its strongest channels do in time.

    Parameters
    ----------
    record : name of a recording, see ``leadwise.records``
    model : a name of ``NETWORKS``, or a network of your own, which says what it takes
    """

    stage = WIDE

    def __init__(self, record: str = "sim-lbbb-1", model: nn.Module | Network | str = "LBBB"):
        available = records()
        if record not in available:
            raise ValueError(f"record is {record!r}; expected one of {', '.join(available)}.")
        self.menu = Menu(model)
        self.maps = lru_cache(maxsize=4)(self._maps)  # while the choice of channels moves
        controls = {
            "record": drop(tr("record"), titles(available), record),
            "model": drop(tr("network"), self.menu.options, self.menu.first),
            "layer": drop(tr("layer"), *self._layers(record, self.menu.first)),
            "order": drop(tr("sorted by"), worded(ORDERS), next(iter(ORDERS))),
            "count": whole(tr("channels"), 6, 1, 16),
        }
        super().__init__(controls)

    def _layers(self, record: str, model: str) -> tuple[list[tuple[str, str]], str]:
        """Return the layers that are known to give channels and then times, for a menu, and the one to begin with."""
        net = self.menu[model]
        table = layer_table(net, net.input(load_record(record)))
        rows = [row for row in table if len(row.shape) == 2 and (row.kind in OVER_TIME or row.receptive_field)]
        if not rows:
            raise ValueError(tr("{network} has no layer that gives channels over time.", network=net.title))
        return [(title_of_layer(row), row.name) for row in rows], rows[len(rows) // 3].name

    def _maps(self, record: str, model: str, layer: str) -> tuple[Tensor, Tensor]:
        """Return the network's input, and what a layer gives of it (channels, times)."""
        net = self.menu[model]
        x = net.input(load_record(record))
        return x, feature_maps(net, x, layer)[0]

    def _changed(self, change) -> None:
        if not self.quiet and change.owner is self.controls["model"]:
            try:
                with self.quietly():
                    options, first = self._layers(self.controls["record"].value, change.new)
                    self.controls["layer"].options, self.controls["layer"].value = options, first
            except Exception as error:
                self._refuse(change, error)
                return
        super()._changed(change)

    def figure(self):
        """Return the figure of a layer's channels, and a line that says what is seen."""
        record, model, layer, order, count = self.values().values()
        net = self.menu[model]
        x, maps = self.maps(record, model, layer)
        best = strongest(maps, order, count)
        signal = net.by_leads(x)[0, 0].cpu().numpy()
        rows = {net.leads[0]: signal}
        rows |= {tr("channel {number}", number=index): maps[index].detach().cpu().numpy() for index in best}
        silent = int((maps.amax(1) <= 0).sum())
        figure = plot_channels(
            rows,
            len(signal) / net.fs,
            title=tr("{network}, layer {layer}: {record}", network=pieces(net.title), layer=layer, record=record),
        )
        line = tr(
            "{count} channels of {places} places, {silent} of them silent everywhere",
            count=len(maps), places=maps.shape[1], silent=silent,
        )  # fmt: skip
        return figure, line

    def code(self) -> str:
        """Return the code that makes the maps that are shown."""
        record, model, layer = (self.controls[name].value for name in ("record", "model", "layer"))
        line, fill = self.menu.script(model)
        lines = (f'x = net.input(load_record("{record}"))', f"maps = feature_maps(net, x, {layer!r})[0]")
        return complete(line, *lines, fill=(fill,))
