# %% [markdown]
# # A5 SIGN in depth
#
# What [notebook 05](05_sign.ipynb) leaves out: SIGN under SmoothGrad and on a photograph, padded pictures, relevance
# against voltage; then, for readers who write software, why the maps of the authors' PyTorch package differ from those
# that its names promise, found out line by line. No other notebook needs it.
#
# **Before:** 05. **Teaching, not diagnosis:** nothing here may be used to decide about a patient.

# %% imports
import importlib.metadata
import json
import re
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn

import leadwise
from leadwise.attribution import MethodWarning
from leadwise.comparison import title_of
from leadwise.images.io import load_photograph, photographs
from leadwise.images.scenes import make_scene
from leadwise.inspection import top_k
from leadwise.networks.alexnet import MEAN, STD, load_alexnet, preprocess
from leadwise.paths import checkout
from leadwise.plotting import number, percent, plot_tiles

warnings.simplefilter("ignore", MethodWarning)

# %% two networks
network = load_alexnet("embedded")
scene = make_scene(23, "rooster")
x, c = preprocess(scene.image), scene.objects[0].index

record, info = next(iter(leadwise.records("AVB").items()))
voltage = leadwise.load_record(record).preprocess().window().tensor()
model = leadwise.load_ecg_model("AVB")
print(f"record {info.title} [{info.origin}]")


# %% helpers
def share(relevance, where):
    """Share of the absolute relevance that lies in a mask."""
    relevance = relevance.abs()
    return float((relevance * where).sum() / relevance.sum())


def correlation(a, b):
    """Correlation of two maps."""
    return float(torch.corrcoef(torch.stack([a.flatten(), b.flatten()]).double())[0, 1])


def side_by_side(image, maps, title, mask=None, columns=4, notes=None):
    """A picture and maps of it: sums over the colours, means of 4 x 4 pixels, the largest 0.5 % cut."""
    tiles = {"picture": image}
    for name, relevance in maps.items():
        cells = nn.functional.avg_pool2d(relevance.sum(0)[None, None], 4)
        limit = cells.abs().flatten().quantile(0.995)
        tiles[name] = nn.functional.interpolate(cells.clamp(-limit, limit), scale_factor=4)[0, 0]
    masks = {} if mask is None else dict.fromkeys(tiles, mask)
    label = "R, mean of 4 × 4 pixels, peaks cut"
    return plot_tiles(tiles, columns=columns, side=42, masks=masks, notes=notes, title=title, label=label)


# %% [markdown]
# ## 1 More pictures
#
# **SIGN under SmoothGrad.** The factor in front does not care where the gradient comes from. Averaged over noisy
# copies, it is calmer under both factors:

# %% smoothgrad
maps = {
    leadwise.METHODS[method].title: leadwise.attribute(network, x, method, target=c, seed=1)
    for method in ("smoothgrad", "smoothgrad_x_input", "smoothgrad_x_sign")
}
side_by_side(scene.image, maps, "The logit of the rooster", scene.objects[0].mask)

# %% [markdown]
# **A photograph** has many dark places. The explained class is the one that the network finds most probable, right or
# wrong: the embedded network knows twelve drawn classes and was never shown a photograph; with ImageNet's weights
# (`python -m leadwise download alexnet`) the same cell explains a sensible class.


# %% photograph
class FromBlack(nn.Module):
    """The same network for inputs that are counted from black."""

    def forward(self, u):
        return photo_network(u + black)


photo_network = load_alexnet("auto")
black = (-torch.tensor(MEAN) / torch.tensor(STD)).view(3, 1, 1)
photo = load_photograph(next(name for name in ("camera", "grace_hopper") if name in photographs()))
seen = preprocess(photo)
name, probability = top_k(photo_network, seen, 1)[0]
dark = (0.25 / torch.tensor(STD)).view(3, 1, 1) + black > seen
print(f"most probable: {name}, {percent(probability)}")
print(f"{percent(float(dark.float().mean()))} of the values are dark, below a quarter of full brightness")

# %% dark places
maps = {
    "Gradient × input, zero = black": leadwise.attribute(FromBlack(), seen - black, "gradient_x_input"),
    "Gradient × input": leadwise.attribute(photo_network, seen, "gradient_x_input"),
    "Gradient × SIGN": leadwise.attribute(photo_network, seen, "gradient_x_sign"),
}
notes = {title: f"{percent(share(R, dark))} of |R| on dark values" for title, R in maps.items()}
maps = {title: R.abs() for title, R in maps.items()}
side_by_side(seen, maps, "One network, one photograph, |R|: what lies in the dark", notes=notes)

# %% [markdown]
# Compare the two maps of gradient × input: dark places are either gone (zero is black) or strong (zero is a
# medium grey, black is far from it). Where the map of gradient × SIGN is large does not depend on
# that; its signs do.

# %% [markdown]
# ## 2 A frame of nothing
#
# Many pipelines pad a picture to a square. The padding is exactly 0, carries no information,
# and SIGN has to give it a sign. The course follows the authors' TensorFlow software: $\operatorname{sign}(0) = +1$.
# PyTorch's `torch.sign(0)` is 0, which lets *times input* in again, for values of exactly zero only; the slightest
# noise lets them out.

# %% padding
scenes = [make_scene(seed) for seed in range(400, 424)]
pictures = torch.stack([preprocess(scene.image) for scene in scenes])
classes = torch.tensor([scene.objects[0].index for scene in scenes])
small = nn.functional.interpolate(pictures, size=160, mode="area")
padded = nn.functional.pad(small, (32, 32, 32, 32))
frame = nn.functional.pad(torch.zeros_like(small), (32, 32, 32, 32), value=1.0)
noise = 1e-3 * frame * torch.randn(padded.shape, generator=torch.Generator().manual_seed(0))
frames = {"exactly 0": padded, "noise of 0.001": padded + noise}

# %% what the frame gets
print(f"the frame covers {percent(float(frame.mean()))} of the picture; of |R| it gets")
print(" " * 29 + "".join(f"{name:>16s}" for name in frames))
slopes = {name: leadwise.attribute(network, image, "gradient", target=classes) for name, image in frames.items()}
for title, factor in {
    "gradient × input": lambda image: image,
    "gradient × SIGN, sign(0) = 1": lambda image: torch.where(image >= 0, 1.0, -1.0),
    "gradient × torch.sign": torch.sign,
}.items():
    cells = [percent(share(slopes[name] * factor(image), frame)) for name, image in frames.items()]
    print(f"{title:29s}" + "".join(f"{cell:>16s}" for cell in cells))

# %% [markdown]
# ## 3 Relevance against voltage
#
# The curves of notebook 05, section 2, for an ECG. Both axes are logarithmic.


# %% voltage curves
def mean_by(value, relevance, edges):
    """Mean |R| of the samples between two edges each, relative to the mean over all samples."""
    bins = torch.bucketize(value.flatten(), torch.as_tensor(edges, dtype=value.dtype))
    size = relevance.abs().double().flatten()
    total, count = torch.bincount(bins, size, len(edges) + 1), torch.bincount(bins, minlength=len(edges) + 1)
    return (total / count / size.mean())[1:-1]


edges = np.geomspace(0.005, 1, 17)
fig, axis = plt.subplots(figsize=(7, 3.2), layout="constrained")
for method in ("gradient_x_input", "lrp_epsilon_0_1", "gradient_x_sign", "lrpsign_epsilon_0_1"):
    curve = mean_by(voltage.abs(), leadwise.attribute(model, voltage, method, target=1), edges)
    axis.loglog(np.sqrt(edges[1:] * edges[:-1]), curve, "o-", markersize=4, label=title_of(method))
axis.axhline(1, color="grey", linewidth=0.8)
axis.set(xlabel="|x|, mV", ylabel="mean |R|, relative", title="Times input tilts the curve")
axis.legend(frameon=False)
plt.show()

# %% [markdown]
# In each bin, gradient × input is gradient × SIGN times $|x|$: the multiplication tilts the
# whole curve, by one decade up for each decade of voltage. LRP-ε and LRP-SIGN are related
# in nearly the same way; the ε of the first layer differs. The SIGN curves show what the network itself does.

# %% [markdown]
# ## 4 The authors' package
#
# `signxai` is the software of SIGN's authors. The original runs on TensorFlow; its successor, the distribution
# `signxai2`, brings PyTorch. Examined here, line by line, is version 0.5.0, which the course pins; section 7 has later
# ones. Its front door is `signxai.explain`:

# %% signxai
import signxai

print("signxai2", importlib.metadata.version("signxai2"))
front = signxai.explain(network, x[None], "gradient_x_sign", target_class=c)[0]
print(type(front).__name__, front.shape)
difference = np.abs(front - leadwise.attribute(network, x, "gradient_x_sign", target=c).numpy()).max()
print(f"largest difference from ours: {difference:.0e}")

# %% [markdown]
# The line that begins with *Warning* is the package's: before it explains, it rebuilds the model from its attributes to
# remove a softmax, ours cannot be built that way, and it goes on with the model as it is. Our models end in logits, so
# nothing is lost. The cells below call the PyTorch entry behind the front door, which the package names for direct use,
# and which leaves the model alone.
#
# A check needs two numbers. The *correlation* compares the pattern; the *largest difference*, relative to the largest
# relevance, notices scale and single samples.

# %% compare
from signxai.torch_signxai import calculate_relevancemap


def by_signxai(network, x, name, target):
    """The package's map of one sample."""
    return torch.tensor(calculate_relevancemap(network, x[None], name, target_class=target)[0])


def compare(network, x, name, target):
    """Correlation and largest relative difference between the package's map and ours; the reason where it has none."""
    ours = leadwise.attribute(network, x, name, target=target)
    try:
        theirs = by_signxai(network, x, name, target)
    except ValueError:
        return "       not supported"
    return f"{correlation(ours, theirs):12.4f}{float((ours - theirs).abs().max() / ours.abs().max()):8.2g}"


# %% names to compare
NAMES = (
    "gradient",
    "gradient_x_input",
    "gradient_x_sign",
    "gradient_x_sign_mu_0_5",
    "integrated_gradients",
    "guided_backprop",
    "deconvnet",
    "lrp_z",
    "lrp_epsilon_0_25_std_x",
    "lrp_epsilon_1_std_x",
    "lrpsign_epsilon_0_25_std_x",
    "lrpsign_epsilon_0_25_std_x_mu_0_5",
)

# %% comparison table
relu_free = ("guided_backprop", "deconvnet")  # on the ECG network, which has no ReLU, these are the plain gradient

print(f"{'':34s}    AlexNet, scene        ECG network")
print(f"{'':34s} correlation   diff. correlation   diff.")
for name in NAMES:
    image_part = compare(network, x, name, c)
    ecg_part = "" if name in relu_free else compare(model, voltage, name, 1)
    print(f"{name:34s}{image_part:20s}{ecg_part}")

# %% [markdown]
# The gradients agree. So do SIGN and SIGN-μ, except where a value is exactly 0 or exactly μ: there the package has the
# 0 of `torch.sign`, as in section 2 (digitised recordings hold such values, our simulated ones hardly any). Integrated
# gradients agree up to the number of steps. Three groups differ: a name the entry does not take, deconvnet, and every
# LRP map whose ε depends on the standard deviation of the input.

# %% [markdown]
# ## 5 Two names, looked into
#
# When two programs disagree, at least one question is worth asking of each. The source of the package is open; here is
# what it says.
#
# **Deconvnet.** Its rules for the ReLUs are set up, but the backward pass then runs on the network without them:

# %% deconvnet
slope = by_signxai(network, x, "gradient", c)
print("deconvnet equals the gradient:", bool((by_signxai(network, x, "deconvnet", c) == slope).all()))

# %% [markdown]
# **LRP with ε·std(x).** Three names, three different methods. First observation:

# %% three names
base = by_signxai(network, x, "lrp_epsilon_0_25_std_x", c)
for name in ("lrp_epsilon_1_std_x", "lrpsign_epsilon_0_25_std_x", "lrpsign_epsilon_0_25_std_x_mu_0_5"):
    print(f"{name:34s}differs by {float((by_signxai(network, x, name, c) - base).abs().max()):g}")

# %% [markdown]
# Neither the factor nor SIGN arrives at a rule. For SIGN the source is plain: this path attaches one rule to all
# layers, and the class `SIGNRule`, which the package has, is not used on it. For the factor it is a subtlety of Python.
# The rule `StdxEpsilon` inherits from zennit's `Epsilon` and defines a *method* `gradient_mapper`; zennit's constructor
# stores a function under the same name in the *object*. Python looks at the object first, so the method is never
# called:

# %% shadowed
from signxai.torch_signxai.methods.zennit_impl import StdxEpsilon

rule = StdxEpsilon(stdfactor=0.25)
print("in the object:", rule.gradient_mapper.__qualname__)
print("in the class: ", type(rule).gradient_mapper.__qualname__)

# %% [markdown]
# What runs is zennit's ε-rule with its fixed ε of one millionth. Two more conventions differ from the authors'
# TensorFlow software, and show on the ECG network alone: activations and average pooling have no rule, so autograd's
# own derivative acts there. For ReLU that is the same thing as passing relevance on; for an ELU it scales relevance
# down wherever the input is negative. And an average hands each sample the same share, while the z-rule gives more to
# those that contributed more.

# %% [markdown]
# ## 6 From their map to ours
#
# A hypothesis about a difference can be tested: change one convention after the other, and see with whom the map
# agrees. The first rung must be the package, the last must be ours.
#
# The rules that zennit lacks are a few lines each, on its `BasicHook`: `gradient_mapper` turns $R_k$ into what the
# backward pass of the layer starts with, `reducer` makes $R_j$ of what arrives, by default by multiplying with the
# input.

# %% three rules
from zennit.core import BasicHook


def over(R, z):
    """R / z, where an exact 0 counts as 1e-7."""
    return R / torch.where(z == 0, 1e-7, z)


def epsilon_std_x(factor):
    """The ε-rule of one sample, with ε = factor · standard deviation of the layer's own input."""
    kept = {}

    def remember(a):
        kept["ε"] = factor * a.std(unbiased=False)
        return a

    def weigh(R, outputs):
        return [over(R, z + kept["ε"] * torch.where(z >= 0, 1, -1)) for z in outputs]

    return BasicHook(input_modifiers=[remember], gradient_mapper=weigh)


# %% z and sign
def over_z(R, outputs):
    """The z-rule's share: R / z."""
    return [over(R, z) for z in outputs]


def times_sign(inputs, gradients):
    """The side of zero, instead of the input itself."""
    return torch.where(inputs[0] >= 0, 1.0, -1.0) * gradients[0]


Z = BasicHook(gradient_mapper=over_z)
SIGN = BasicHook(gradient_mapper=over_z, reducer=times_sign)

# %% by rules
from zennit.core import Composite
from zennit.rules import Epsilon, Pass
from zennit.types import Activation, AvgPool, Linear


def by_rules(network, x, target, weighted, first=None, activation=None, average=None):
    """LRP by zennit with a rule for each kind of layer; None leaves a layer to autograd."""
    layers = iter([first or weighted])

    def choose(context, name, module):
        if isinstance(module, Linear):
            return next(layers, weighted)
        return activation if isinstance(module, Activation) else average if isinstance(module, AvgPool) else None

    x = x[None].clone().requires_grad_()
    with Composite(module_map=choose).context(network) as hooked:
        return torch.autograd.grad(hooked(x)[0, target], x)[0][0]


# %% ladder
RUNGS = {
    "ε = 1e-6, the rest by autograd": {"weighted": Epsilon(1e-6)},
    "+ relevance passes activations": {"activation": Pass()},
    "+ z-rule in average pooling": {"average": Z},
    "+ ε = 0.25 std of the layer's input": {"weighted": epsilon_std_x(0.25)},
    "+ SIGN in the first layer": {"first": SIGN},
}
name, cells = "lrpsign_epsilon_0_25_std_x", {rung: [] for rung in RUNGS}
for net, signal, target in ((network, x, c), (model, voltage, 1)):
    ends = by_signxai(net, signal, name, target), leadwise.attribute(net, signal, name, target=target)
    rules = {}
    for rung, change in RUNGS.items():
        rules |= change
        relevance = by_rules(net, signal, target, **rules)
        cells[rung] += [correlation(relevance, end) for end in ends]
print(f"{'correlation with':36s}   AlexNet: signxai    ours     ECG: signxai    ours")
for rung, (a, b, d, e) in cells.items():
    print(f"{rung:36s}{a:19.4f}{b:8.4f}{d:17.4f}{e:8.4f}")

# %% [markdown]
# The ladder starts at 1 on the left and ends at 1 on the right: the named conventions are the whole difference in
# pattern. What remains is scale. The package starts the backward pass with 1, the authors' TensorFlow software, and
# this course, with the explained logit.

# %% two maps
theirs, ours = by_signxai(network, x, name, c), leadwise.attribute(network, x, name, target=c)
maps = {"signxai2 on PyTorch": theirs, "leadwise": ours}
title = f"One name, two maps, correlation {correlation(theirs, ours):.2f}: {name}"
side_by_side(scene.image, maps, title, scene.objects[0].mask)

# %% [markdown]
# ## 7 Which one deserves the name?
#
# The name was coined by the TensorFlow software that the papers used [1, 2]. The maps it
# gives for two published ECG models and two real recordings are the course's reference. They are not part of the
# repository; where they are present, `tests/test_reference_maps.py` compares forty methods on both with ours, and asks
# for a correlation of at least 0.999.
#
# **And today's versions?** Which one `pip install signxai2` gives depends on the Python, for each version declares
# which ones it is for. `benchmarks/peers.py` has installed all of them side by side and compared their maps with the
# authors' reference, on both recordings. The table shows the lowest and the highest correlation in each group of names;
# a dash, that the version has no map of these names.

# %% pip chooses
root = checkout() or Path.cwd().parent
stored = json.loads((root / "benchmarks" / "peers.json").read_text())
print("pip chooses", *(f"{version} for {python}" for python, version in stored["pip chooses"].items()), sep="\n  ")

# %% three versions
tables = [table for title, table in stored.items() if title.endswith("against the authors'")]
GROUPS = {
    "gradient, × input": r"gradient(_x_input)?",
    "gradient × SIGN": r"gradient_x_sign.*",
    "LRP-ε": r"lrp_epsilon_[\d_]+",
    "LRP with ε·std(x)": r"lrp_epsilon_.*_std_x",
    "the same with SIGN": r"lrpsign_epsilon_.*_std_x(_mu.*)?",
    "the same, no ε in the first layer": r"lrpsign_.*signstdfactor=0",
    "LRP-αβ": r"lrp_alpha_.*",
}
VERSIONS = ("signxai2 0.5.0", "signxai2 0.14.1", "signxai2 0.15.10")
print("correlation with the authors' maps".ljust(36) + "".join(f"{version:>22s}" for version in VERSIONS))
for group, pattern in GROUPS.items():
    cells = []
    for version in VERSIONS:
        found = [row.get(version) for table in tables for name, row in table.items() if re.fullmatch(pattern, name)]
        found = [value for value in found if isinstance(value, float)]
        cells.append(f"{min(found):.4f} to {max(found):.4f}" if found else "-")
    print(f"{group:36s}" + "".join(f"{cell:>22s}" for cell in cells))

# %% [markdown]
# Where a map is not what its name says, it may be something else that has a name. On AlexNet:

# %% behind the names
for version in VERSIONS:
    behind = stored["behind the names"][version]
    print(f"{version}: {len(behind)} names stand for another method")
    for method in dict.fromkeys(behind.values()):
        names = [name for name, other in behind.items() if other == method]
        print(f"  {method}: {len(names)}, among them {min(names, key=len)}")
alone = next(iter(stored["in a batch"]["signxai2 0.15.10"].values()))
print(f"signxai2 0.15.10, ε·std(x): a map alone and in a batch with a larger sample correlate {alone:.3f}")

# %% [markdown]
# Three programs under one name:
#
# - **0.5.0** is right on gradients, and on SIGN except at exact zeros, which a digitised recording has. The ladder above
#   explains the rest: on ReLUs, ε = 1e-6 everywhere is nearly gradient × input.
# - **0.14.1** takes nearly every name, and is the more dangerous for it: where 0.5.0 refuses, it returns something. Its
#   `lrp_alpha_1_beta_0` is the plain gradient; its `lrp_z` has the z⁺-rule in the convolutions.
# - **0.15.10** is another program: module `signxai2`, no names and no front door, but composites for zennit 1.0. Its
#   `EpsilonStdX` gives the authors' maps. `EpsilonStdXSIGN` comes close, for it keeps an ε in the first layer where the
#   authors' TensorFlow software divides by $z$ alone; with `signstdfactor=0` it agrees as well. It takes the standard
#   deviation over the whole batch, so that a map depends on what else is in it: explain one sample at a time. The other
#   rules are zennit's; in αβ its bias convention shows ([notebook 04](04_layer_wise_relevance.ipynb)).

# %% [markdown]
# ## 8 What an explanation leaves behind
#
# zennit 1.0 itself gives the maps of 0.5.1 to every stored digit, and leaves something behind where it merges a batch
# normalisation:

# %% merged batch norm
for version, row in stored["a merged batch norm"].items():
    print(version)
    for what, value in row.items():
        print(f"  {what:50s}{value if isinstance(value, bool) else number(value)}")

# %% [markdown]
# The network still computes what it did, from attributes that hide its parameters; whoever *saves* it after an
# explanation saves another network.
#
# The moral is not about one package. Method names are not specifications. Before a map of any software, this course's
# included, enters a paper: compare it with a second implementation on your own model, look at sums as well as patterns,
# and write the version down.

# %% [markdown]
# ## Go further
#
# - Another way to leave *times input*: rules for the first layer that know the range of a pixel. Montavon et al. 2017,
#   Explaining nonlinear classification decisions with deep Taylor decomposition, section 5,
#   [doi:10.1016/j.patcog.2016.11.008](https://doi.org/10.1016/j.patcog.2016.11.008)
# - Which direction in the input is signal, and which distraction, can be learned. Kindermans et al. 2018, Learning how to
#   explain neural networks: PatternNet and PatternAttribution,
#   [doi:10.48550/arXiv.1705.05598](https://doi.org/10.48550/arXiv.1705.05598)

# %% [markdown]
# ## References
#
# 1. Gumpfer et al. 2023, SIGNed explanations: Unveiling relevant features by reducing bias, Information Fusion 99,
#    101883, [doi:10.1016/j.inffus.2023.101883](https://doi.org/10.1016/j.inffus.2023.101883)
# 2. Gumpfer et al. 2024, Towards trustworthy AI in cardiology, AIME 2024,
#    [doi:10.1007/978-3-031-66535-6_36](https://doi.org/10.1007/978-3-031-66535-6_36)
