"""Move the parameters of an LRP rule and watch one layer share out its relevance."""

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import ipywidgets as widgets
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from leadwise.attribution.layerwise import Shares, share_out
from leadwise.attribution.registry import ALPHA, EPSILON, FACTOR, GAMMA, number
from leadwise.attribution.rules import RULES, STABILISER
from leadwise.explorers.base import FIELD, LABEL, WIDE, FigureExplorer, called, control_for, drop, grid, whole, worded
from leadwise.explorers.script import complete
from leadwise.language import tr
from leadwise.plotting.rule import plot_rule, short
from leadwise.plotting.style import number as figures

INPUTS, OUTPUTS = 6, 4
RELEVANCE = (0.4, 0.3, 0.2, 0.1)  # of the outputs of a drawn layer: shares of a logit
REACH = 2.0  # drawn inputs lie between minus and plus this
KINDS = {"behind a ReLU": 0.0, "pixels": -REACH}  # what the inputs are -> their least value

PARAMETERS = {
    row.name: row
    for row in (
        *(EPSILON, FACTOR, GAMMA, ALPHA),
        number("low", -REACH, -5.0, 0.0, help="smallest admissible input"),
        number("high", REACH, 0.0, 5.0, help="largest admissible input"),
        number("stabiliser", STABILISER, 1e-9, 10.0, "log", "added to a denominator with its sign"),
    )
}


class Row(NamedTuple):
    """A rule of the lab: its name in the menu, its sliders, what input j receives from output k (HTML)."""

    title: str
    parameters: tuple[str, ...]
    formula: str


ROWS = {
    "z": Row("z", (), "z<sub>jk</sub> / z<sub>k</sub> · R<sub>k</sub>"),
    "epsilon": Row("ε", ("epsilon",), "z<sub>jk</sub> / (z<sub>k</sub> + ε sign z<sub>k</sub>) · R<sub>k</sub>"),
    "epsilon_std_x": Row(
        "ε·std(a)", ("factor",), "z<sub>jk</sub> / (z<sub>k</sub> + f σ(a) sign z<sub>k</sub>) · R<sub>k</sub>"
    ),
    "gamma": Row(
        "γ", ("gamma", "stabiliser"), "(z<sub>jk</sub> + γ z<sub>jk</sub><sup>+</sup>) / Σ(...) · R<sub>k</sub>, "
        "where z<sub>k</sub> &gt; 0; with z<sub>jk</sub><sup>−</sup> where z<sub>k</sub> &lt; 0",
    ),
    "alpha_beta": Row(
        "αβ, whole bias in both parts", ("alpha",), "(α z<sub>jk</sub><sup>+</sup> / (Σz<sup>+</sup> + b<sub>k</sub>) "
        "− β z<sub>jk</sub><sup>−</sup> / (Σz<sup>−</sup> + b<sub>k</sub>)) · R<sub>k</sub>, β = α − 1",
    ),
    "alpha_beta_zennit": Row(
        "αβ, bias split by sign", ("alpha", "stabiliser"), "(α z<sub>jk</sub><sup>+</sup> / (Σz<sup>+</sup> + "
        "b<sub>k</sub><sup>+</sup>) − β z<sub>jk</sub><sup>−</sup> / (Σz<sup>−</sup> + b<sub>k</sub><sup>−</sup>)) "
        "· R<sub>k</sub>, β = α − 1",
    ),
    "zplus": Row(
        "z⁺", ("stabiliser",),
        "z<sub>jk</sub><sup>+</sup> / (Σz<sup>+</sup> + b<sub>k</sub><sup>+</sup>) · R<sub>k</sub>",
    ),
    "flat": Row("flat", ("stabiliser",), "1 / J · R<sub>k</sub>"),
    "wsquare": Row(
        "w²", ("stabiliser",), "w<sub>jk</sub>² / (Σw² + b<sub>k</sub>²) · R<sub>k</sub>"
    ),
    "zbox": Row(
        "z-box", ("low", "high", "stabiliser"), "q<sub>jk</sub> / Σq · R<sub>k</sub>, q<sub>jk</sub> = a<sub>j</sub> "
        "w<sub>jk</sub> − low · w<sub>jk</sub><sup>+</sup> − high · w<sub>jk</sub><sup>−</sup>",
    ),
    "sign": Row("SIGN", (), "sign(a<sub>j</sub>) w<sub>jk</sub> / z<sub>k</sub> · R<sub>k</sub>"),
}  # fmt: skip


def draw_layer(seed: int, kind: str) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Draw a layer whose outputs are all positive, as those with relevance are in a ReLU network.

    Returns
    -------
    inputs (6,), weights (6, 4), bias (4,) and relevance of the outputs (4,), float64
    """
    generator = torch.Generator().manual_seed(seed)
    inputs = REACH * (2 * torch.rand(INPUTS, generator=generator, dtype=torch.float64) - 1)
    inputs = inputs.clamp(min=KINDS[kind])
    weights, bias = (
        torch.randn(shape, generator=generator, dtype=torch.float64) for shape in ((INPUTS, OUTPUTS), (OUTPUTS,))
    )
    bias = 0.5 * bias
    flip = torch.where(inputs @ weights + bias < 0, -1.0, 1.0)
    return inputs, weights * flip, bias * flip, torch.tensor(RELEVANCE, dtype=torch.float64)


class RuleLab(FigureExplorer):
    """One dense layer: contributions, relevance in and out, and what went into the bias and into epsilon.

    Parameters
    ----------
    inputs, weights : tensors or arrays (J,) and (J, K), J at most 12 and K at most 6; by default a layer of 6 inputs
        and 4 outputs is drawn
    bias, relevance : (K,); by default no bias, and the outputs themselves as their relevance
    rule : a key of ``leadwise.attribution.lrp.RULES``
    kind : what the inputs of a drawn layer are, "behind a ReLU" (none is negative) or "pixels"
    seed : of the drawn layer
    parameters : epsilon, factor, gamma, alpha, low, high, stabiliser, where they should not start at their defaults

    Raises
    ------
    ValueError : an unknown rule or parameter, a value out of range, or a layer whose parts do not fit together
    """

    stage = WIDE

    def __init__(
        self,
        inputs: ArrayLike | None = None,
        weights: ArrayLike | None = None,
        bias: ArrayLike | None = None,
        relevance: ArrayLike | None = None,
        *,
        rule: str = "epsilon",
        kind: str = "behind a ReLU",
        seed: int = 2,
        **parameters: float,
    ):
        asked: list[tuple[str, str, Mapping]] = [("rule", rule, ROWS), ("kind", kind, KINDS)]
        for what, value, known in [*asked, *(("parameter", k, PARAMETERS) for k in parameters)]:
            if value not in known:
                raise ValueError(f"{what} is {value!r}; expected one of {', '.join(known)}.")
        if (inputs is None) != (weights is None) or (inputs is None and not (bias is None and relevance is None)):
            raise ValueError("a layer of your own needs inputs and weights; bias and relevance may be left out.")
        self.given = None if inputs is None else _layer(inputs, weights, bias, relevance)
        controls = self._controls(rule, kind, seed, parameters)
        self.box = grid([])
        shape = self.box.layout  # of three rows, so that a rule with more sliders moves nothing
        shape.align_content, shape.min_height = "flex-start", "104px"
        self._offer(controls, rule)
        super().__init__(controls)

    def _controls(self, rule, kind, seed, parameters) -> dict[str, widgets.Widget]:
        menu = [(tr(row.title), name) for name, row in ROWS.items()]
        rows = {
            name: replace(row, default=row.check(parameters.get(name, row.default))) for name, row in PARAMETERS.items()
        }
        controls = {"rule": drop(tr("rule"), menu, rule)}
        controls |= {name: control_for(row) for name, row in rows.items()}
        controls["bias"] = widgets.Checkbox(description=tr("bias"), value=True, indent=True, style=LABEL, layout=FIELD)
        if self.given is None:
            controls["kind"] = drop(tr("inputs"), worded(KINDS), kind)
            controls["seed"] = whole(tr("layer"), seed, 0, max(20, seed))
        return controls

    def panel(self) -> widgets.Widget:
        """Return the rule, the sliders that it has, and the layer."""
        return self.box

    def _offer(self, controls, rule: str) -> None:
        shown = [controls["rule"], *(controls[name] for name in ROWS[rule].parameters)]
        self.box.children = [
            *shown,
            *(control for name, control in controls.items() if name in ("bias", "kind", "seed")),
        ]

    def _changed(self, change) -> None:
        if change.owner is self.controls["rule"]:
            self._offer(self.controls, change.new)
        super()._changed(change)

    def layer(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return inputs (J,), weights (J, K), bias (K,) and relevance (K,) as they stand, float64."""
        values = self.values()
        inputs, weights, bias, relevance = self.given or draw_layer(values["seed"], values["kind"])
        return inputs, weights, bias * values["bias"], relevance

    def parameters(self) -> dict[str, float]:
        """Return the parameters of the rule as they stand."""
        values = self.values()
        chosen = {name: values[name] for name in ROWS[values["rule"]].parameters}
        if "alpha" in chosen:
            chosen["beta"] = chosen["alpha"] - 1
        return chosen | ({"mu": 0.0} if values["rule"] == "sign" else {})

    def shares(self) -> Shares:
        """Return what goes to the inputs, what the bias keeps and what is absorbed."""
        return share_out(RULES[self.controls["rule"].value](self.parameters()), *self.layer())

    def line(self) -> str:
        """Return the rule's formula, and where the relevance went, as HTML."""
        rule, relevance, shares = self.controls["rule"].value, self.layer()[3], self.shares()
        handed, kept, rest = (short(float(part.sum())) for part in shares)
        where = tr(
            "relevance in {all} = handed on {handed} + kept by the bias {kept} + absorbed {rest}",
            all=short(float(relevance.sum())), handed=handed, kept=kept, rest=rest,
        )  # fmt: skip
        return f"R<sub>j←k</sub> = {tr(ROWS[rule].formula)}<br>{where}"

    def code(self) -> str:
        """Return the call of ``share_out`` that makes what is shown, with the layer."""
        values, names = self.values(), "inputs, weights, bias, relevance"
        layer = f"{names} = my_layer" if self.given else f"{names} = draw_layer({values['seed']}, {values['kind']!r})"
        fill = tr(
            "my_layer: the layer that the explorer was given, as tensors of float64: inputs, weights, bias, relevance"
        )
        lines = [layer] + ["bias = 0 * bias"] * (not values["bias"])
        call = f'shares = share_out(RULES["{values["rule"]}"]({self.parameters()}), {names})'
        plot = f"plot_rule({names}, *shares)"
        return complete(*lines, call, plot, fill=(fill,) if self.given else ())

    def figure(self):
        """Return the figure and the line below it."""
        rule = self.controls["rule"].value
        *layer, relevance = self.layer()
        settings = ", ".join(
            f"{called(name)} = {figures(value)}" for name, value in self.parameters().items() if name != "mu"
        )
        title = tr("Rule {rule}", rule=tr(ROWS[rule].title)) + f": {settings}" * bool(settings)
        figure = plot_rule(*layer, relevance, *self.shares(), title=title)
        return figure, self.line()


def _layer(
    inputs: ArrayLike, weights: ArrayLike, bias: ArrayLike | None, relevance: ArrayLike | None
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return a layer given by the learner as float64, with what was left out."""
    inputs, weights = (torch.as_tensor(part, dtype=torch.float64) for part in (inputs, weights))
    if weights.ndim != 2 or inputs.shape != weights.shape[:1]:
        raise ValueError(
            f"inputs have shape {tuple(inputs.shape)}, weights {tuple(weights.shape)}; expected (J,) and (J, K)."
        )
    outputs = weights.shape[1:]
    bias = torch.zeros(outputs) if bias is None else torch.as_tensor(bias)
    relevance = inputs @ weights + bias if relevance is None else torch.as_tensor(relevance)
    for name, part in (("bias", bias), ("relevance", relevance)):
        if part.shape != outputs:
            raise ValueError(f"{name} has shape {tuple(part.shape)}; expected {tuple(outputs)}, one for each output.")
    return inputs, weights, bias.double(), relevance.double()
