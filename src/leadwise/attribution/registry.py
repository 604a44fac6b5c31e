"""Every method of the course, one declarative row each.

A row drives ``attribute``, the sliders of the explorers, the tables in the notebooks, the tests and the benchmarks. To
add a method, write its function and add a row.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any

from torch import Tensor

from leadwise.attribution import cam, controls, gradients, lrp, occlusion, perturbation
from leadwise.attribution.rules import Layers
from leadwise.ecg.filters import PUBLISHED_FS
from leadwise.language import mark


@dataclass(frozen=True)
class Parameter:
    """A parameter of a method, with all that a slider, a check or a table needs.

    Parameters
    ----------
    name : keyword of ``attribute``
    kind : "float", "int", "choice", "bool" or "text"
    default : value when it is not given; None means "found from the input or the model"
    low, high : admissible range, both ends included, for numbers
    scale : "linear" or "log": how a slider should run
    choices : admissible words, for "choice"
    tensor : whether a tensor is admissible too (a baseline, a background)
    image_default : default for images, where it differs
    help : one line for the learner
    unit : "ms" for a duration: it counts ms where the network says its rate (``Network(..., fs=...)``), samples where
        it does not, and pixels of pictures
    """

    name: str
    kind: str
    default: float | int | str | bool | None
    low: float | None = None
    high: float | None = None
    scale: str = "linear"
    choices: tuple[str, ...] = ()
    tensor: bool = False
    image_default: int | None = None
    help: str = ""
    unit: str = ""

    def samples(self, value: float, fs: float | None, stated: bool) -> int:
        """Return a duration in samples.

        Parameters
        ----------
        fs : the network's rate, Hz; None where it does not say it
        stated : whether somebody chose the value; the default is in ms also where no rate is known: that of the
            published networks stands in
        """
        if fs is None and stated:
            return int(value)
        return max(1, round(value * (fs or PUBLISHED_FS) / 1000))

    def check(self, value: object):
        """Return the value in the parameter's type.

        Raises
        ------
        ValueError : not admissible; the message names the range
        """
        if (value is None and self.default is None) or (self.tensor and isinstance(value, Tensor)):
            return value
        if self.kind in ("float", "int"):
            return self._number(value)
        admissible = self.choices if self.kind == "choice" else (True, False) if self.kind == "bool" else None
        if (admissible and value not in admissible) or (self.kind == "text" and not isinstance(value, str)):
            wanted = f"one of {', '.join(map(repr, admissible))}" if admissible else "text"
            raise ValueError(f"{self.name} is {value!r}; expected {wanted}{' or a tensor' * self.tensor}.")
        return value

    def _number(self, value: Any):
        expected = f"{self.name} is {value!r}; expected {'a whole' if self.kind == 'int' else 'a'} number"
        expected += f" from {self.low:g} to {self.high:g}."
        if isinstance(value, (bool, str)) or not hasattr(value, "__float__"):
            raise ValueError(expected)
        number = float(value)
        if not self.low <= number <= self.high or (self.kind == "int" and number != round(number)):
            raise ValueError(expected)
        return int(number) if self.kind == "int" else number


@dataclass(frozen=True)
class Method:
    """One row of ``METHODS``.

    Parameters
    ----------
    name : key in ``METHODS``
    family : "gradient", "cam", "perturbation", "LRP" or "control" (asks no network)
    title : for menus and figures
    function : (question, x, **parameters) -> relevance shaped like x
    parameters : its parameters, in the order in which they should be shown
    formula : LaTeX, without dollar signs
    citation : authors, year, title, and a DOI or arXiv number
    times : what the map is multiplied with afterwards: "nothing", "input", "sign" or "input_sign"
    ranks : the word of ``leadwise.maps.SIGNS`` by which its samples are ranked: "signed" where the sign says for or
        against, "absolute" where it does not (slopes and their means, differences)
    caveat : (what the method told while it ran) -> why it degenerates on this network, or None
    note : what to mind when reading its maps, on any network
    """

    name: str
    family: str
    title: str
    function: Callable[..., Tensor]
    parameters: tuple[Parameter, ...] = ()
    formula: str = ""
    citation: str = ""
    times: str = "nothing"
    ranks: str = "signed"
    caveat: Callable[[Mapping], str | None] | None = None
    note: str = ""

    @property
    def random(self) -> bool:
        """Whether the result depends on ``seed``."""
        return any(parameter.name == "seed" for parameter in self.parameters)

    def defaults(self, images: bool = False) -> dict:
        """Return the default of every parameter, for ECGs or for images."""
        return {
            p.name: p.image_default if images and p.image_default is not None else p.default for p in self.parameters
        }


def number(
    name: str,
    default: float | None,
    low: float,
    high: float,
    scale: str = "linear",
    help: str = "",
    kind: str = "float",
    image_default: int | None = None,
    unit: str = "",
) -> Parameter:
    """Make a row for a number."""
    return Parameter(name, kind, default, low, high, scale, image_default=image_default, help=help, unit=unit)


integer = partial(number, kind="int")
duration = partial(integer, scale="log", unit="ms")

SAMPLES = integer("samples", 50, 1, 5000, "log", "noisy copies of the input")
NOISE = number("noise", 0.1, 0.0, 1.0, help="standard deviation of the noise, as a fraction of the input's range")
SEED = integer("seed", 0, 0, 2**31 - 1, help="seed of the random numbers")
MU = number("mu", 0.0, -5.0, 5.0, help="threshold of the sign: +1 from mu upwards, else -1 (input units)")
BASELINE = Parameter(
    "baseline", "choice", "zero", choices=("zero", "mean", "noise"), tensor=True, help="input that means: nothing there"
)
BACKGROUND = Parameter(
    "background", "choice", "noise", choices=("noise", "shifts"), tensor=True, help="inputs that stand for the data"
)
BACKGROUND_SAMPLES = integer("samples", 16, 2, 1000, "log", "inputs drawn from the background")
LAYER = Parameter("layer", "text", None, help="name of a module; by default the activation after the last convolution")
SEGMENT = partial(
    duration, "segment", low=5, high=2000, image_default=56,
    help="ms in a segment (pixels along a patch's side): fewer segments are less noisy",
)  # fmt: skip

EPSILON = number("epsilon", 0.1, 0.0, 100.0, "log", "added to z with z's sign: absorbs weak and contradicting evidence")
FACTOR = number("factor", 0.25, 0.0, 10.0, "log", "epsilon in units of the standard deviation of the layer's input")
GAMMA = number("gamma", 0.25, 0.0, 10.0, "log", "how much positive weights are favoured")
ALPHA = number("alpha", 1.0, 1.0, 10.0, help="weight of the positive part; alpha - beta = 1")
BETA = number("beta", None, 0.0, 9.0, help="weight of the negative part; by default alpha - 1")
INPUT_RULES = ("same", "z", "sign", "flat", "wsquare", "zbox")
FIRST = (
    Parameter("input_rule", "choice", "same", choices=INPUT_RULES, help="rule of the first layer"),
    MU,
    number(
        "low", None, -1e6, 1e6, help="smallest admissible input, for the z-box rule; found from the input by default"
    ),
    number(
        "high", None, -1e6, 1e6, help="largest admissible input, for the z-box rule; found from the input by default"
    ),
    Parameter(
        "attention",
        "choice",
        "constant",
        choices=("constant", "attnlrp"),
        help="weights of attention: held constant, or with a share of their own (AttnLRP)",
    ),
)

SIMONYAN = "Simonyan, Vedaldi, Zisserman 2014, Deep inside convolutional networks, arXiv:1312.6034"
SHRIKUMAR_2016 = "Shrikumar et al. 2016, Not just a black box, arXiv:1605.01713"
GUMPFER = "Gumpfer et al. 2023, SIGNed explanations, Information Fusion 99, doi:10.1016/j.inffus.2023.101883"
SMILKOV = "Smilkov et al. 2017, SmoothGrad, arXiv:1706.03825"
ADEBAYO = "Adebayo et al. 2018, Local explanation methods lack sensitivity to parameter values, arXiv:1810.03307"
ADEBAYO_SANITY = "Adebayo et al. 2018, Sanity checks for saliency maps, arXiv:1810.03292"
SUNDARARAJAN = "Sundararajan, Taly, Yan 2017, Axiomatic attribution for deep networks, arXiv:1703.01365"
ERION = "Erion et al. 2021, Improving performance of deep learning models with axiomatic attribution priors and expected gradients, doi:10.1038/s42256-021-00343-w"  # noqa: E501
DEEPLIFT = "Shrikumar, Greenside, Kundaje 2017, Learning important features, arXiv:1704.02685"
LUNDBERG = "Lundberg, Lee 2017, A unified approach to interpreting model predictions, arXiv:1705.07874"
COVERT = "Covert, Lee 2021, Improving KernelSHAP, arXiv:2012.01536"
SPRINGENBERG = "Springenberg et al. 2015, Striving for simplicity, arXiv:1412.6806"
ZEILER = "Zeiler, Fergus 2014, Visualizing and understanding convolutional networks, arXiv:1311.2901"
SELVARAJU = "Selvaraju et al. 2017, Grad-CAM, arXiv:1610.02391"
CHATTOPADHAY = "Chattopadhay et al. 2018, Grad-CAM++, arXiv:1710.11063"
DRAELOS = "Draelos, Carin 2020, Use HiResCAM instead of Grad-CAM for faithful explanations, arXiv:2011.08891"
PETSIUK = "Petsiuk, Das, Saenko 2018, RISE, arXiv:1806.07421"
RIBEIRO = "Ribeiro, Singh, Guestrin 2016, Why should I trust you?, doi:10.1145/2939672.2939778"
BACH = "Bach et al. 2015, Layer-wise relevance propagation, doi:10.1371/journal.pone.0130140"
MONTAVON = "Montavon et al. 2019, Layer-wise relevance propagation: an overview, doi:10.1007/978-3-030-28954-6_10"
DEEP_TAYLOR = "Montavon et al. 2017, Deep Taylor decomposition, doi:10.1016/j.patcog.2016.11.008"
LAPUSCHKIN = "Lapuschkin et al. 2019, Unmasking Clever Hans predictors, doi:10.1038/s41467-019-08987-4"
KOHLBRENNER = "Kohlbrenner et al. 2020, Towards best practice in explaining neural network decisions with LRP, doi:10.1109/IJCNN48605.2020.9206975"  # noqa: E501
ALBER = "Alber et al. 2019, iNNvestigate neural networks!, JMLR 20(93)"


# Found on the embedded AlexNet by comparing with captum (the same map) and with HiResCAM (another map).
MEAN_GRADIENT = (
    "it weighs each activation map by its gradient averaged over all places, those where the map is silent included. "
    "Where dense layers follow the maps, as in AlexNet and VGG, they weigh each place by itself; the mean may then fit "
    "no place, and the map may point beside what was used (Draelos & Carin 2020). HiResCAM multiplies place by place."
)


def _without_relu(ran: Mapping) -> str | None:
    """Guided backpropagation and deconvnet change ReLUs; a network without any leaves the plain gradient."""
    if any(ran.get("rectifiers", [])):
        return None
    return mark(
        "it changes the backward pass of ReLU only, and none ran in this network: the map is the plain gradient"
    )


def _no_leads(ran: Mapping) -> str | None:
    if ran["dims"] != 2 or not all(ran.get("copied", [])):
        return None
    return mark("it copies one map over time to all leads: read when the network looked, never in which lead")


def _guided_cam(ran: Mapping) -> str | None:
    return _without_relu(ran) and mark("this network has no ReLU, so the guided part is the plain gradient")


def _lrp(
    name: str,
    title: str,
    conv: tuple[str, dict],
    dense: tuple[str, dict],
    parameters: tuple[Parameter, ...] = (),
    first: tuple[str, dict] | None = None,
    formula: str = "",
    citation: str = BACH,
) -> Method:
    layers = Layers(conv, dense, first)
    return Method(
        name, "LRP", title, partial(lrp.lrp, layers=layers), (*parameters, *FIRST), formula=formula, citation=citation
    )


def _same(rule: str) -> tuple[tuple[str, dict], tuple[str, dict]]:
    return (rule, {}), (rule, {})


_ZPLUS: tuple[str, dict]
_ZPLUS, _ALPHA_ONE = ("zplus", {}), ("alpha_beta", {"alpha": 1.0, "beta": 0.0})
_ALPHA_TWO, _ALPHA_TWO_ZENNIT = (("alpha_beta" + end, {"alpha": 2.0, "beta": 1.0}) for end in ("", "_zennit"))
_WEAK_EPSILON, _TENTH = ("epsilon", {"epsilon": 1e-6}), ("epsilon", {"epsilon": 0.1})

_ROWS = (
    Method("gradient", "gradient", "Gradient", gradients.gradient,
           formula=r"R = \partial f_c / \partial x", citation=SIMONYAN, ranks="absolute"),
    Method("gradient_x_input", "gradient", "Gradient × input", gradients.gradient, times="input",
           formula=r"R = x \odot \partial f_c / \partial x", citation=SHRIKUMAR_2016),
    Method("gradient_x_sign", "gradient", "Gradient × SIGN", gradients.gradient, (MU,), times="sign",
           formula=r"R = s_\mu(x) \odot \partial f_c / \partial x,\; s_\mu(x) = \pm 1 \text{ for } x \gtrless \mu",
           citation=GUMPFER),
    Method("smoothgrad", "gradient", "SmoothGrad", gradients.smoothgrad, (SAMPLES, NOISE, SEED),
           formula=r"R = \tfrac1n \sum_i \nabla f_c(x + \epsilon_i)", citation=SMILKOV, ranks="absolute"),
    Method("smoothgrad_x_input", "gradient", "SmoothGrad × input", gradients.smoothgrad, (SAMPLES, NOISE, SEED),
           times="input", formula=r"R = x \odot \tfrac1n \sum_i \nabla f_c(x + \epsilon_i)", citation=SMILKOV),
    Method("smoothgrad_x_sign", "gradient", "SmoothGrad × SIGN", gradients.smoothgrad, (SAMPLES, NOISE, SEED, MU),
           times="sign", formula=r"R = s_\mu(x) \odot \tfrac1n \sum_i \nabla f_c(x + \epsilon_i)", citation=GUMPFER),
    Method("vargrad", "gradient", "VarGrad", gradients.vargrad, (SAMPLES, NOISE, SEED),
           formula=r"R = \operatorname{Var}_i\, \nabla f_c(x + \epsilon_i)", citation=ADEBAYO, ranks="absolute"),
    Method("integrated_gradients", "gradient", "Integrated gradients", gradients.integrated_gradients,
           (integer("steps", 50, 2, 1000, "log", "points on the path, both ends included"), BASELINE,
            Parameter("reselect_target", "bool", False, help="explain each point's arg-max class: a known flaw"), SEED),
           formula=r"R = (x - x') \odot \int_0^1 \nabla f_c(x' + \alpha (x - x'))\, d\alpha", citation=SUNDARARAJAN),
    Method("expected_gradients", "gradient", "Expected gradients", gradients.expected_gradients,
           (SAMPLES, BACKGROUND, SEED),
           formula=r"R = \mathbb{E}_{x', \alpha}\,(x - x') \odot \nabla f_c(x' + \alpha (x - x'))", citation=ERION),
    Method("deeplift", "gradient", "DeepLIFT", gradients.deeplift, (BASELINE, SEED),
           formula=r"R_i = m_i (x_i - x'_i),\; m = \Delta y / \Delta x,\; \sum_i R_i = f_c(x) - f_c(x')",
           citation=DEEPLIFT),
    Method("deepshap", "gradient", "DeepSHAP", gradients.deepshap, (BACKGROUND_SAMPLES, BACKGROUND, SEED),
           formula=r"R = \mathbb{E}_{x'}\, R^{\mathrm{DeepLIFT}}(x, x')", citation=LUNDBERG),
    Method("guided_backprop", "gradient", "Guided backpropagation", gradients.guided_backprop,
           formula=r"R^{(l)} = \mathbf{1}[a^{(l)} > 0]\,\mathbf{1}[R^{(l+1)} > 0]\, R^{(l+1)}",
           citation=SPRINGENBERG, caveat=_without_relu, ranks="absolute"),
    Method("deconvnet", "gradient", "Deconvnet", gradients.deconvnet,
           formula=r"R^{(l)} = \mathbf{1}[R^{(l+1)} > 0]\, R^{(l+1)}", citation=ZEILER,
           caveat=_without_relu, ranks="absolute"),
    Method("grad_cam", "cam", "Grad-CAM", cam.grad_cam, (LAYER,),
           formula=r"R = \operatorname{ReLU} \sum_k \bar g_k A_k", citation=SELVARAJU, caveat=_no_leads,
           note=MEAN_GRADIENT),
    Method("grad_cam_pp", "cam", "Grad-CAM++", cam.grad_cam_pp, (LAYER,),
           formula=r"R = \operatorname{ReLU} \sum_k \big(\sum_t \alpha_{kt} \operatorname{ReLU} g_{kt}\big) A_k",
           citation=CHATTOPADHAY, caveat=_no_leads, note=MEAN_GRADIENT),
    Method("hirescam", "cam", "HiResCAM", cam.hirescam, (LAYER,),
           formula=r"R = \sum_k g_k \odot A_k", citation=DRAELOS, caveat=_no_leads),
    Method("guided_grad_cam", "cam", "Guided Grad-CAM", cam.guided_grad_cam, (LAYER,),
           formula=r"R = R^{\mathrm{CAM}} \odot R^{\mathrm{guided}}", citation=SELVARAJU,
           caveat=_guided_cam, ranks="absolute"),
    Method("occlusion", "perturbation", "Occlusion", occlusion.occlusion,
           (duration("window", 200, 1, 4000, help="ms (pixels) hidden at once", image_default=32),
            duration("stride", 100, 1, 2000, help="ms (pixels) between windows", image_default=16),
            Parameter("leads", "choice", "each", choices=("each", "all"), help="hide each lead alone or all together"),
            BASELINE, SEED),
           formula=r"R_w = f_c(x) - f_c(x \text{ without } w)", citation=ZEILER),
    Method("kernel_shap", "perturbation", "KernelSHAP", perturbation.kernel_shap,
           (integer("samples", 2000, 10, 20000, "log", "coalitions of segments"), SEGMENT(default=1000), BASELINE,
            SEED),
           formula=r"R_i = \phi_i:\; \textstyle\sum_i \phi_i = f_c(x) - f_c(x')", citation=f"{LUNDBERG}; {COVERT}"),
    Method("lime", "perturbation", "LIME", perturbation.lime,
           (integer("samples", 1000, 10, 20000, "log", "perturbed copies"), SEGMENT(default=500),
            number("width", 0.25, 0.01, 10.0, "log", "kernel width, in cosine distance"),
            number("ridge", 1.0, 0.0, 1000.0, "log", "weight of the ridge penalty"), BASELINE, SEED),
           formula=r"R = \arg\min_w \sum_z \pi_x(z) (f_c(z) - w^\top z)^2 + \lambda \|w\|^2", citation=RIBEIRO),
    Method("rise", "perturbation", "RISE", perturbation.rise,
           (integer("samples", 2000, 10, 20000, "log", "random masks"),
            duration("cell", 400, 2, 2000, help="ms (pixels) in a cell of the mask: larger ones are less noisy",
                     image_default=32),
            number("keep", 0.5, 0.05, 0.95, help="probability that a cell stays"), SEED),
           formula=r"R = \frac{1}{n\,p} \sum_i \big(f_c(x \odot M_i) - \bar f_c\big) M_i", citation=PETSIUK),
    _lrp("lrp_z", "LRP-z", *_same("z"), formula=r"R_j = \sum_k \frac{a_j w_{jk}}{z_k} R_k"),
    _lrp("lrp_epsilon", "LRP-ε", *_same("epsilon"), (EPSILON,),
         formula=r"R_j = \sum_k \frac{a_j w_{jk}}{z_k + \epsilon \operatorname{sign} z_k} R_k"),
    _lrp("lrp_epsilon_std_x", "LRP-ε·std(x)", *_same("epsilon_std_x"), (FACTOR,),
         formula=r"R_j = \sum_k \frac{a_j w_{jk}}{z_k + f\,\sigma(a) \operatorname{sign} z_k} R_k", citation=GUMPFER),
    _lrp("lrp_gamma", "LRP-γ", *_same("gamma"), (GAMMA,), citation=MONTAVON,
         formula=r"R_j = \sum_k \frac{a_j (w_{jk} + \gamma w_{jk}^+)}{\sum_j a_j (w_{jk} + \gamma w_{jk}^+)} R_k"),
    _lrp("lrp_alpha_beta", "LRP-αβ", *_same("alpha_beta"), (ALPHA, BETA),
         formula=r"R_j = \sum_k \big(\alpha\, z_{jk}^+ / z_k^+ - \beta\, z_{jk}^- / z_k^-\big) R_k"),
    _lrp("lrp_zplus", "LRP-z⁺", *_same("zplus"), citation=DEEP_TAYLOR,
         formula=r"R_j = \sum_k \frac{(a_j w_{jk})^+}{z_k^+} R_k"),
    _lrp("lrp_flat", "LRP-flat", *_same("flat"), citation=LAPUSCHKIN, formula=r"R_j = \sum_k \frac{1}{\sum_j 1} R_k"),
    _lrp("lrp_wsquare", "LRP-w²", *_same("wsquare"), citation=DEEP_TAYLOR,
         formula=r"R_j = \sum_k \frac{w_{jk}^2}{\sum_j w_{jk}^2} R_k"),
    _lrp("lrp_zbox", "Deep Taylor (z⁺, z-box)", *_same("zplus"), first=("zbox", {}), citation=DEEP_TAYLOR,
         formula=r"R_j = \sum_k \frac{q_{jk}}{\sum_j q_{jk}} R_k,\; q_{jk} = x_j w_{jk} - l_j w_{jk}^+ - h_j w_{jk}^-"),
    _lrp("lrp_epsilon_plus", "LRP ε, z⁺", _ZPLUS, _WEAK_EPSILON, citation=MONTAVON,
         formula=r"\text{dense: } \epsilon{=}10^{-6},\; \text{conv: } z^+"),
    _lrp("lrp_epsilon_gamma_box", "LRP ε, γ, z-box", ("gamma", {}), _WEAK_EPSILON, (GAMMA,), first=("zbox", {}),
         formula=r"\text{dense: } \epsilon{=}10^{-6},\; \text{conv: } \gamma,\; \text{first: z-box}",
         citation=MONTAVON),
    _lrp("lrp_epsilon_plus_flat", "LRP ε, z⁺, flat", _ZPLUS, _WEAK_EPSILON, first=("flat", {}), citation=KOHLBRENNER,
         formula=r"\text{dense: } \epsilon{=}10^{-6},\; \text{conv: } z^+,\; \text{first: flat}"),
    _lrp("lrp_epsilon_alpha2_beta1_flat", "LRP ε, α2β1, flat", _ALPHA_TWO_ZENNIT, _WEAK_EPSILON, first=("flat", {}),
         formula=r"\text{dense: } \epsilon{=}10^{-6},\; \text{conv: } \alpha 2 \beta 1,\; \text{first: flat}",
         citation=KOHLBRENNER),
    _lrp("lrp_sequential_composite_a", "LRP sequential a", _ALPHA_ONE, _TENTH, citation=ALBER,
         formula=r"\text{dense: } \epsilon{=}0.1,\; \text{conv: } \alpha 1 \beta 0"),
    _lrp("lrp_sequential_composite_b", "LRP sequential b", _ALPHA_TWO, _TENTH, citation=ALBER,
         formula=r"\text{dense: } \epsilon{=}0.1,\; \text{conv: } \alpha 2 \beta 1"),
    Method("random", "control", "Random map", controls.random, (SEED,), formula=r"R \sim \mathcal N(0, 1)"),
    Method("magnitude", "control", "|x|", controls.magnitude, formula=r"R = |x|"),
    Method("square", "control", "x²", controls.square, formula=r"R = x^2"),
    Method("steepness", "control", "|dx/dt|", controls.steepness, formula=r"R = \|\nabla x\|",
           citation=ADEBAYO_SANITY),
    Method("smoothed_steepness", "control", "Smoothed |dx/dt|", controls.smoothed_steepness,
           (duration("width", 100, 1, 2000, help="ms (pixels) that are averaged", image_default=16),),
           formula=r"R = \tfrac1w \textstyle\sum_w \|\nabla x\|"),
    Method("difference", "control", "x − reference", controls.difference, (BASELINE, SEED), formula=r"R = x - x'",
           ranks="absolute"),
)  # fmt: skip

METHODS: Mapping[str, Method] = MappingProxyType({row.name: row for row in _ROWS})
