"""One peer's maps: ``peers.py`` runs this in a process that sees the peer's packages, and reads its answer.pt."""

import copy
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from leadwise.attribution.names import resolve

NO_EPSILON = ", signstdfactor=0"  # behind a name: without the epsilon that EpsilonStdXSIGN has in the first layer


@dataclass(frozen=True)
class Case:
    """One network and one input, x (12, T) or (3, H, W), with the index of the explained logit."""

    model: nn.Module
    x: Tensor
    target: int
    authors: Path | None = None  # the authors' maps of it, SIGN-XAI name -> (T, 12)


def correlation(one: np.ndarray, other: np.ndarray) -> float | str:
    """Return Pearson's correlation of two maps, rounded, or why there is none."""
    if one.shape != other.shape:
        return f"shape {'x'.join(map(str, one.shape))}"
    if not np.isfinite(one).all():
        return "not finite"
    if np.ptp(one) == 0:
        return "constant"
    return round(float(np.corrcoef(one.ravel(), other.ravel())[0, 1]), 5)


# A map by name -------------------------------------------------------------------------------------------------------


def by_name(model: nn.Module, x: Tensor, target: int, name: str) -> np.ndarray:
    """Ask the PyTorch entry of signxai2 until 0.14; ``signxai.explain`` gives the same maps and no others."""
    from signxai.torch_signxai import calculate_relevancemap

    return np.asarray(calculate_relevancemap(model, x[None], name, target_class=target))[0]


def by_rules(model: nn.Module, x: Tensor, target: int, name: str) -> np.ndarray:
    """Read a name as the rules of zennit that it stands for."""
    if "sign" in name:
        raise NotImplementedError("no SIGN")
    method, parameters = resolve(name)
    if method in SLOPES:
        return by_slope(model, x, target, method)
    dense, conv = zennit_rules(method, parameters)
    return propagated(model, x, target, composite_of(dense, conv, zennit_first(parameters)))


def by_composites(model: nn.Module, x: Tensor, target: int, name: str) -> np.ndarray:
    """Use what signxai2 0.15 adds to zennit, and zennit for the rest."""
    from signxai2.composites import EpsilonStdX, EpsilonStdXSIGN
    from signxai2.sign import sign_mu

    method, parameters = resolve(name)
    if method == "gradient_x_sign" or parameters.get("times") == "sign":
        return propagated(model, x, target, None) * sign_mu(x.numpy().copy(), parameters.get("mu", 0))
    if method != "lrp_epsilon_std_x" and "sign" in name:
        raise NotImplementedError("SIGN with ε·std(x) only")
    if method != "lrp_epsilon_std_x":
        return by_rules(model, x, target, name)
    factor = parameters["factor"]
    if parameters["input_rule"] == "sign":
        mu = parameters.get("mu", 0)
        return propagated(model, x, target, EpsilonStdXSIGN(stdfactor=factor, signstdfactor=factor, mu=mu))
    return propagated(model, x, target, EpsilonStdX(stdfactor=factor, first_map=zennit_first(parameters)))


SLOPES = ("gradient", "gradient_x_input", "integrated_gradients", "guided_backprop", "deconvnet")


def by_slope(model: nn.Module, x: Tensor, target: int, method: str) -> np.ndarray:
    """Return a map of a gradient method by zennit's attributors and composites."""
    from zennit.attribution import IntegratedGradients
    from zennit.composites import DeconvNet, GuidedBackprop

    if method == "integrated_gradients":
        return propagated(model, x, target, None, IntegratedGradients, n_iter=50)
    composite = {"guided_backprop": GuidedBackprop, "deconvnet": DeconvNet}.get(method, lambda: None)()
    slope = propagated(model, x, target, composite)
    return slope * x.numpy() if method == "gradient_x_input" else slope


def zennit_rules(method: str, parameters: dict) -> tuple:
    """Return zennit's rules for dense layers and for convolutions."""
    from zennit.rules import AlphaBeta, Epsilon

    if method == "lrp_z":
        return Epsilon(), Epsilon()  # zennit's own stabiliser, one millionth
    if method == "lrp_epsilon":
        return Epsilon(parameters["epsilon"]), Epsilon(parameters["epsilon"])
    if method == "lrp_alpha_beta":
        alpha, beta = parameters["alpha"], parameters["beta"]
        return AlphaBeta(alpha, beta), AlphaBeta(alpha, beta)
    if method.startswith("lrp_sequential_composite"):
        return Epsilon(0.1), AlphaBeta(1, 0) if method.endswith("a") else AlphaBeta(2, 1)
    raise NotImplementedError("no such rule")


def zennit_first(parameters: dict) -> list:
    """Return what the first layer gets, as zennit's ``first_map``."""
    from zennit.rules import Epsilon, Flat, WSquare
    from zennit.types import Linear

    rule = parameters.get("input_rule", "same")
    return [] if rule == "same" else [(Linear, {"z": Epsilon, "flat": Flat, "wsquare": WSquare}[rule]())]


def composite_of(dense, conv, first: list):
    """Return a composite with zennit's rules for all that is neither dense nor a convolution."""
    from zennit.composites import SpecialFirstLayerMapComposite, layer_map_base
    from zennit.types import Convolution, Linear

    return SpecialFirstLayerMapComposite([*layer_map_base(), (Convolution, conv), (Linear, dense)], first)


def propagated(model, x, target: int, composite, attributor=None, **parameters) -> np.ndarray:
    """Return the map of one sample by zennit, starting with 1 at the explained logit."""
    from zennit.attribution import Gradient

    start = torch.eye(model(x[None]).shape[1])[[target]]
    with (attributor or Gradient)(model=model, composite=composite, **parameters) as explain:
        return explain(x[None], start)[1][0].detach().numpy()


# What else is worth a number ------------------------------------------------------------------------------------------


def merged() -> dict:
    """Explain a network whose batch norm zennit merges into the convolution, and look at the network afterwards."""
    from zennit.attribution import Gradient
    from zennit.canonizers import SequentialMergeBatchNorm
    from zennit.composites import EpsilonPlus

    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv1d(12, 8, 3), nn.BatchNorm1d(8), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 30, 2)).eval()
    for values in (model[1].running_mean, model[1].bias.data):
        values.uniform_(-1, 1)
    for values in (model[1].running_var, model[1].weight.data):
        values.uniform_(0.5, 2)
    x, untouched = torch.randn(1, 12, 32), copy.deepcopy(model)
    before = {name: values.clone() for name, values in model.state_dict().items()}
    with Gradient(model=model, composite=EpsilonPlus(canonizers=[SequentialMergeBatchNorm()])) as explain:
        explain(x, torch.eye(2)[[1]])
    after = model.state_dict()
    saved = copy.deepcopy(untouched)
    saved.load_state_dict(after)
    with torch.no_grad():
        wanted = untouched(x)
        return {
            "the network's own logits change by": float((model(x) - wanted).abs().max()),
            "its state_dict changes by": max(float((after[name] - before[name]).abs().max()) for name in before),
            "logits of a copy with that state_dict change by": float((saved(x) - wanted).abs().max()),
            "runs in float64 afterwards": runs(model.double(), x.double()),
        }


def runs(model: nn.Module, x: Tensor) -> bool:
    """Say whether a network takes an input."""
    try:
        model(x)
    except RuntimeError:
        return False
    return True


def together(case: Case) -> dict:
    """Compare the map of a sample alone with its map beside a sample that is ten times as large."""
    from signxai2.composites import EpsilonStdX
    from zennit.attribution import Gradient

    alone = propagated(case.model, case.x, case.target, EpsilonStdX(stdfactor=0.25))
    start = torch.eye(2)[[case.target, case.target]]
    with Gradient(model=case.model, composite=EpsilonStdX(stdfactor=0.25)) as explain:
        pair = explain(torch.stack([case.x, 10 * case.x]), start)[1][0].detach().numpy()
    return {"ε·std(x): correlation with the map alone": correlation(pair, alone)}


def without_epsilon_below(case: Case) -> np.ndarray:
    """Return the map of EpsilonStdXSIGN with no epsilon in the first layer, as the authors' own software has it."""
    from signxai2.composites import EpsilonStdXSIGN

    composite = EpsilonStdXSIGN(stdfactor=0.25, signstdfactor=0.0)
    return propagated(case.model, case.x, case.target, composite)


@dataclass(frozen=True)
class Peer:
    """A program: what is installed for it, and how it is asked for a map."""

    packages: tuple[str, ...]
    ask: Callable[[nn.Module, Tensor, int, str], np.ndarray]
    refuses: type[Exception] = NotImplementedError  # where it has no map; anything else would be our mistake


PEERS = {
    "signxai2 0.5.0": Peer(("signxai2==0.5.0", "zennit==0.5.1"), by_name, Exception),
    "signxai2 0.14.1": Peer(("signxai2==0.14.1", "zennit==0.5.1"), by_name, Exception),
    "signxai2 0.15.10": Peer(("signxai2==0.15.10", "zennit==1.0.0"), by_composites),
    "zennit 0.5.1": Peer(("zennit==0.5.1",), by_rules),
    "zennit 1.0.0": Peer(("zennit==1.0.0",), by_rules),
}


def answer(peer: str, request: Path) -> None:
    """Compute all maps of a peer, in a process that sees its packages, and put them beside the request."""
    asked = torch.load(request, weights_only=False)
    maps, instead, extra = {}, {}, {}
    for title, case in asked["cases"].items():
        for name in asked["names"]:
            try:  # a copy each time: nothing that a map leaves behind may reach the next
                found = PEERS[peer].ask(copy.deepcopy(case.model), case.x.clone(), case.target, name)
                maps[f"{title}/{name}"] = np.asarray(found, dtype=np.float32)
            except PEERS[peer].refuses as error:
                ours = type(error) is NotImplementedError  # raised above, for what a peer does not have
                instead[f"{title}/{name}"] = str(error) if ours else type(error).__name__
        if peer == "signxai2 0.15.10":
            maps[f"{title}/lrpsign_epsilon_0_25_std_x{NO_EPSILON}"] = without_epsilon_below(case)
    if peer == "signxai2 0.15.10":
        extra["in a batch"] = together(asked["cases"]["LBBB embedded"])
    if peer.startswith("zennit"):
        extra["a merged batch norm"] = merged()
    torch.save({"maps": maps, "instead": instead, "extra": extra}, request.with_name("answer.pt"))


if __name__ == "__main__":
    answer(sys.argv[1], Path(sys.argv[2]))
