"""The method names of the SIGN-XAI package, read as a method of ours with parameters.

The names are a small language: ``lrpsign_epsilon_0_25_std_x_mu_0_5`` is the epsilon*std_x rule with factor 0.25 and the
SIGN rule with mu = 0.5 in the first layer. Any map may be followed by ``_x_input`` and ``_x_sign``.
"""

import re
from difflib import get_close_matches

from leadwise.attribution.registry import METHODS

NUMBER = r"(?:neg_)?\d+(?:_\d+)?"
NETWORKS = r"(?:_(?:VGG16ILSVRC|VGG16MITPL365|MNISTCNN|timeseries))?"

PREFIXES = {"lrp": "same", "lrpz": "z", "lrpsign": "sign", "w2lrp": "wsquare", "flatlrp": "flat", "zblrp": "zbox"}

# The rule's part of an LRP name -> method; groups named as parameters hold numbers.
LRP_RULES = {
    "z": "lrp_z",
    rf"epsilon_(?P<factor>{NUMBER})_std_x": "lrp_epsilon_std_x",
    rf"epsilon_(?P<epsilon>{NUMBER})": "lrp_epsilon",
    rf"alpha_(?P<alpha>{NUMBER})_beta_(?P<beta>{NUMBER})": "lrp_alpha_beta",
    "sequential_composite_a": "lrp_sequential_composite_a",
    "sequential_composite_b": "lrp_sequential_composite_b",
    "gamma": "lrp_gamma",
    "flat": "lrp_flat",
    "w_square": "lrp_wsquare",
    "z_plus": "lrp_zplus",
}

OTHERS = {
    "gradient": "gradient",
    "input_t_gradient": "gradient_x_input",
    "smoothgrad": "smoothgrad",
    "vargrad": "vargrad",
    "integrated_gradients": "integrated_gradients",
    "deeplift": "deeplift",
    "deeplift_method": "deeplift",
    "guided_backprop": "guided_backprop",
    "deconvnet": "deconvnet",
    "grad_cam": "grad_cam",
    "guided_grad_cam": "guided_grad_cam",
    "random_uniform": "random",
}


def read_number(text: str) -> float:
    """Read a number as the names spell it: "0_25" is 0.25, "neg_0_5" is -0.5."""
    sign = -1.0 if text.startswith("neg_") else 1.0
    return sign * float(text.removeprefix("neg_").replace("_", "."))


def resolve(name: str) -> tuple[str, dict]:
    """Return the method of ours and the parameters that a name stands for.

    ``name`` is a key of ``METHODS`` or a SIGN-XAI name. The networks that some of those end in (``_VGG16ILSVRC``) are
    dropped: here the layer and the input range are found from the model at hand.

    Raises
    ------
    ValueError : the name means nothing; the message suggests the nearest
    """
    if name in METHODS:
        return name, {}
    found = _read_times(name)
    if found:
        return found
    near = get_close_matches(name, [*METHODS, *OTHERS, *EXAMPLES], n=3, cutoff=0.5)
    hint = f"; did you mean {' or '.join(near)}?" if near else "."
    raise ValueError(f"no method {name!r}{hint} See leadwise.METHODS.")


# Names that a near miss may have meant.
EXAMPLES = (
    "lrpsign_z",
    "lrpsign_epsilon_0_1",
    "lrpsign_epsilon_0_25_std_x",
    "lrpz_epsilon_0_1",
    "w2lrp_z",
    "flatlrp_z",
    "lrp_alpha_1_beta_0",
    "lrp_alpha_2_beta_1",
    "lrpsign_alpha_1_beta_0",
    "gradient_x_sign_mu_0_5",
)


def _read_times(name: str) -> tuple[str, dict] | None:
    """Read ``base[_x_input][_x_sign[_mu[_NUMBER]]]``."""
    match = re.fullmatch(rf"(.+?)(_x_input)?(_x_sign(?:_mu)?(?:_(?P<mu>(?<=mu_){NUMBER}))?)?{NETWORKS}", name)
    found = match and _read_base(match[1])
    if not found:
        return None
    method, parameters = found
    times = "input" * bool(match[2]) + "_sign" * bool(match[3])
    if times:
        parameters["times"] = times.removeprefix("_")
    if match["mu"]:
        parameters["mu"] = read_number(match["mu"])
    return method, parameters


def _read_base(name: str) -> tuple[str, dict] | None:
    if name in METHODS:
        return name, {}
    if name in OTHERS:
        return OTHERS[name], {}
    prefix, _, rest = name.partition("_")
    if prefix not in PREFIXES:
        return None
    for pattern, method in LRP_RULES.items():
        match = re.fullmatch(rf"{pattern}(?:_mu_(?P<mu>{NUMBER}))?", rest)
        if match:
            given = {key: read_number(text) for key, text in match.groupdict().items() if text}
            return method, {"input_rule": PREFIXES[prefix], **given}
    return None
