"""Code that makes what an explorer shows, complete: pasted into an empty notebook, it gives the same."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from leadwise.ecg.record import ECG
from leadwise.language import mark, tr
from leadwise.plotting.style import printable
from leadwise.recordings.catalogue import records

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
OWN_NETWORK = mark("my_network: the network of your own that the explorer was given; its name can't be known here")
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
    asked = [f"# {tr('Fill in {one}.', one=one)}" for one in dict.fromkeys(fill) if one]
    return "\n".join([*imports, "", *asked, *lines])


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
        return f"net = {like}(my_network)" if like else "net = my_network", tr(OWN_NETWORK)
    weights = f', "{net.source}"' if net.source in WEIGHTS else ""
    return f'net = NETWORKS.load("{name}"{weights})', ""


def recording_code(source: ECG | Mapping[str, bytes] | str, said: str = "") -> tuple[str, str]:
    """Return the expression that makes a raw recording, and what has to be filled in: "" where nothing has.

    Parameters
    ----------
    source : an ECG that was given, the files of an upload, the name of a record, or a path
    said : further arguments of ``read_ecg``, as :func:`written` writes them
    """
    if isinstance(source, ECG):
        return "my_recording", tr("my_recording: the ECG that the explorer was given; its name can't be known here")
    if isinstance(source, Mapping):
        first, *rest = map(printable, source)
        fill = tr("my_file: the path of the upload {name}", name=repr(first))
        beside = tr(", with {names} beside it", names=", ".join(map(repr, rest))) if rest else ""
        return f"read_ecg(my_file{said})", fill + beside
    return (f"load_record({source!r})" if source in records() else f"read_ecg({source!r}{said})"), ""


def written(settings: dict) -> str:
    """Return settings as they are written behind other arguments of a call: ``, epsilon=10.0``."""
    return "".join(f", {name}={value!r}" for name, value in settings.items())
