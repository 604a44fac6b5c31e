"""Code that makes what an explorer shows, complete: pasted into an empty notebook, it gives the same."""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from leadwise.networks.network import Network

MODULES = {
    "leadwise": ("METHODS", "NETWORKS", "attribute", "load_record", "read_ecg"),
    "leadwise.attribution.layerwise": ("share_out",),
    "leadwise.attribution.rules": ("RULES",),
    "leadwise.ecg.calibration": ("cut_calibration",),
    "leadwise.explorers.rule_lab": ("draw_layer",),
    "leadwise.images.io": ("load_image", "load_photograph"),
    "leadwise.images.scenes": ("make_scene",),
    "leadwise.inspection": ("feature_maps", "first_layer_filters", "maximise_activation", "top_k"),
    "leadwise.networks.alexnet": ("preprocess",),
    "leadwise.networks.network": ("network_of",),
    "leadwise.plotting": ("plot_ecg", "plot_grid", "plot_image", "plot_image_grid"),
    "leadwise.plotting.heart": ("plot_heartbeat",),
    "leadwise.plotting.rule": ("plot_rule",),
    "leadwise.report": ("explain_ecg", "plot_explanation"),
    "leadwise.simulation.simulate": ("heart_beat",),
}
OWN_NETWORK = "my_network: the network of your own that the explorer was given; its name can't be known here"
WEIGHTS = ("embedded", "published", "imagenet", "clever hans")  # what a source is called, and what ``load`` takes


def complete(*lines: str, fill: tuple[str, ...] = ()) -> str:
    """Return lines of code behind the imports that they need.

    Parameters
    ----------
    lines : of Python
    fill : names that can't be known, each with what it stands for: "my_image: the picture ..."

    Examples
    --------
    >>> print(complete("net = NETWORKS.load('LBBB')"))
    from leadwise import NETWORKS
    <BLANKLINE>
    net = NETWORKS.load('LBBB')
    """
    names = set(re.findall(r"\w+", "\n".join(lines)))
    needed = {module: sorted(names.intersection(known)) for module, known in MODULES.items()}
    imports = [f"from {module} import {', '.join(found)}" for module, found in needed.items() if found]
    return "\n".join([*imports, "", *(f"# Fill in {one}." for one in dict.fromkeys(fill) if one), *lines])


def network_line(name: str, net: "Network", *, own: bool, like: str = "") -> tuple[str, str]:
    """Return the line of code that makes a network, and what has to be filled in: "" for one of the course.

    Parameters
    ----------
    name : its key in ``NETWORKS``
    net : the Network
    own : whether it is the learner's, so that no other notebook knows it
    like : of a learner's network: the call that makes a Network of it, such as "network_of"
    """
    if own:
        return f"net = {like}(my_network)" if like else "net = my_network", OWN_NETWORK
    weights = f', "{net.source}"' if net.source in WEIGHTS else ""
    return f'net = NETWORKS.load("{name}"{weights})', ""


def written(settings: dict) -> str:
    """Return settings as they are written behind other arguments of a call: ``, epsilon=10.0``."""
    return "".join(f", {name}={value!r}" for name, value in settings.items())
