"""``NETWORKS``: every network by its name, those of the course and your own; the menus of the explorers show them."""

from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import dataclass, replace
from functools import partial

from torch import nn

from leadwise.networks.alexnet import load_alexnet
from leadwise.networks.card import load_network
from leadwise.networks.network import Network, network_of
from leadwise.networks.picture_nets import PICTURE_NETS, load_picture_net
from leadwise.networks.weights import ECG_MODELS, load_ecg_model
from leadwise.paths import ASSETS

KINDS = ("ecg", "image")


@dataclass(frozen=True)
class Row:
    """A network that can be had.

    Parameters
    ----------
    title : for menus
    kind : "ecg" or "image": what it takes
    load : (weights) -> Network; "auto" is what there is
    own : whether it was put there by the reader
    """

    title: str
    kind: str
    load: Callable[[str], Network]
    own: bool = False


class Networks(MutableMapping):
    """Name -> Network. A network of the course is loaded when it is asked for; your own are kept as they are given.

    Examples
    --------
    >>> from leadwise import NETWORKS
    >>> NETWORKS["LBBB"].classes
    ('no finding', 'LBBB')
    >>> "AlexNet" in NETWORKS.names("image")
    True
    """

    def __init__(self, rows: dict[str, Row]):
        self.rows = dict(rows)

    def __repr__(self):
        return f"NETWORKS: {', '.join(self.rows)}"

    def __iter__(self) -> Iterator[str]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __contains__(self, name) -> bool:
        return name in self.rows

    def __getitem__(self, name: str) -> Network:
        return self.load(name)

    def __setitem__(self, name: str, model: nn.Module | Network) -> None:
        """Put a network of your own into the registry, under a name that no network of the course has.

        Raises
        ------
        ValueError : the name is taken, or the network does not say what it takes
        """
        net = network_of(model)
        if not isinstance(name, str) or not name.strip() or (name in self.rows and not self.rows[name].own):
            raise ValueError(f"the name is {name!r}; expected one that no network of the course has: {self!r}.")
        kind = "image" if net.layout == "NCHW" else "ecg" if net.is_ecg else None
        if kind is None or (kind == "ecg" and net.classes is None):
            raise ValueError(
                f"{net!r} does not say enough for a menu; expected Network(module, leads=..., fs=..., samples=..., "
                'classes=..., outputs=...), or layout="NCHW" for pictures.'
            )
        net = net if net.name else replace(net, name=name)
        self.rows[name] = Row(name, kind, lambda weights: net, own=True)

    def __delitem__(self, name: str) -> None:
        """Take a network of your own out again; those of the course stay."""
        if name not in self.rows:
            raise KeyError(name)
        if not self.rows[name].own:
            raise ValueError(f"{name} belongs to the course and stays.")
        del self.rows[name]

    def load(self, name: str, weights: str = "auto") -> Network:
        """Return a network.

        Parameters
        ----------
        name : a key
        weights : for networks of the course, as in ``load_ecg_model`` and ``load_alexnet``

        Raises
        ------
        ValueError : no such network, or no such weights
        """
        if name not in self.rows:
            raise ValueError(f"no network {name!r}; expected one of {', '.join(self.rows)}.")
        return self.rows[name].load(weights)

    def names(self, kind: str) -> list[str]:
        """Return the names of a kind, "ecg" or "image"."""
        return [name for name, row in self.rows.items() if row.kind == kind]

    def menu(self, kind: str) -> list[tuple[str, str]]:
        """Return the networks of a kind for a menu: (title, name)."""
        return [(self.rows[name].title, name) for name in self.names(kind)]


def _ecg(name: str, weights: str) -> Network:
    return network_of(load_ecg_model(name, weights, verbose=False))


def _architecture(name: str, weights: str) -> Network:
    if weights not in ("auto", "embedded"):
        raise ValueError(
            f'weights is {weights!r}; of {name} there are only "embedded" ones, trained on simulated patients.'
        )
    return load_network(ASSETS / "architectures" / name)


def _alexnet(weights: str) -> Network:
    return network_of(load_alexnet(weights, verbose=False))


def _twin(load: Callable[[str], Network], weights: str) -> Network:
    return replace(load("clever hans"), name=f"{load('clever hans').name}, clever Hans")


NETWORKS = Networks(
    {
        **{name: Row(name, "ecg", partial(_ecg, name)) for name in ECG_MODELS},
        "AVB clever hans": Row("AVB, its clever Hans twin", "ecg", partial(_twin, partial(_ecg, "AVB"))),
        **{
            name: Row(f"{name}, five labels at 100 Hz", "ecg", partial(_architecture, name))
            for name in ("xresnet1d", "transformer")
        },
        "AlexNet": Row("AlexNet", "image", _alexnet),
        **{
            name: Row(f"{name} ({row.megabytes} MB)", "image", partial(load_picture_net, name))
            for name, row in PICTURE_NETS.items()
        },
        "AlexNet clever hans": Row("AlexNet, its clever Hans twin", "image", partial(_twin, _alexnet)),
    }
)
