# %% [markdown]
# # 04 SIGN
#
# Many explanations end with [*times input*](../GLOSSARY.md#times-input). The multiplication makes maps look clean, and
# it has an opinion of its own: it hides whatever is near zero, dark pixels in one preprocessing, small voltages in an
# ECG. [SIGN](../GLOSSARY.md#sign) keeps the direction of the input and drops its size [1].
#
# **You will be able to**
#
# - say where zero lies in a preprocessed picture and in an ECG, and what *times input* does there,
# - measure this bias as a curve,
# - apply gradient × SIGN, and choose its threshold μ,
# - derive LRP-SIGN, write it in five lines, and combine it with any rule above,
# - say what SIGN costs,
# - call the authors' `signxai` package, check its maps, and find out why some differ.
#
# **Before:** notebooks 02 and 03. Section 6 meets a first ECG; nothing about ECGs is needed. **Teaching, not
# diagnosis:** nothing here may be used to decide about a patient.

# %% imports
import importlib.metadata
import json
import re
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from PIL import Image
from torch import nn

import leadwise
from leadwise.attribution import MethodWarning
from leadwise.checks import sign as check
from leadwise.comparison import title_of
from leadwise.ecg.delineation import delineate
from leadwise.images.io import load_photograph, photographs
from leadwise.images.scenes import drawings, make_scene
from leadwise.inspection import top_k
from leadwise.networks.alexnet import MEAN, STD, load_alexnet, preprocess
from leadwise.paths import checkout
from leadwise.plotting import number, percent, plot_ecg, plot_grid, plot_image_grid, plot_matrix, plot_tiles

# A map warns where it misses what it promises. Here maps of several packages are compared as they are.
warnings.simplefilter("ignore", MethodWarning)

# %% [markdown]
# ## 1 What multiplication hides
#
# **Gradient × input** multiplies the gradient of the explained logit $f_c$ with the input, value by value:
#
# $$R_i = x_i \, \frac{\partial f_c}{\partial x_i}$$
#
# The reason to multiply is contrast. Gradients of deep networks are noisy: from one input to a neighbouring one they change
# almost completely [2]. The product shows something that the eye knows: the picture.
#
# The price is in the formula. Where $x_i = 0$ the relevance is 0, *whatever the network does there*. With black encoded
# as 0, a black ball on a white table can never be highlighted [3].

# %% silhouette
width = height = 224
_, (drawing, *_) = drawings("rooster")[0]
shape = Image.new("L", (width, height))
shape.paste(drawing.getchannel("A").resize((168, 168)), (28, 28))
ink = np.asarray(shape)[..., None] / 255  # 1 on the object, 0 around it

black = np.repeat(255 * (1 - ink), 3, axis=2).astype(np.uint8)
white = 255 - black
rooster = torch.tensor(ink[..., 0] > 0.5)

network = load_alexnet("embedded")
c = network.class_names.index("rooster")
for name, image in {"black on white": black, "white on black": white}.items():
    best, probability = top_k(network, preprocess(image), 1)[0]
    print(f"{name}: the network says {best}, {percent(probability)}")

# %% [markdown]
# Explained below is the rooster, whatever the network says first. That is no obstacle: a map explains a logit, and
# every class has one.
#
# **Where is zero?** AlexNet does not see pixels from 0 to 1. Each colour is normalised with a mean and a standard
# deviation over ImageNet, $x = (p - m) / s$. So zero is not black. It is a medium grey, slightly different in each
# colour.

# %% zero in pixels
levels = np.arange(256)
fig, axis = plt.subplots(figsize=(7, 2.8), layout="constrained")
for colour, mean, std, ink_colour in zip(("red", "green", "blue"), MEAN, STD, ("C3", "C2", "C0"), strict=True):
    axis.plot(levels, (levels / 255 - mean) / std, color=ink_colour, label=f"{colour}: zero at {255 * mean:.0f}")
axis.axhline(0, color="grey", linewidth=0.8)
axis.imshow(levels[None], cmap="gray", extent=(0, 255, -3.2, -2.6), aspect="auto")
axis.set(xlabel="pixel value p", ylabel="what the network sees, x", xlim=(0, 255), ylim=(-3.2, 2.8))
axis.legend(frameon=False)
plt.show()

# %% [markdown]
# Zero can be moved without touching the function. Let $u = x - x_0$ be the input counted from another zero, and
# $g(u) = f(u + x_0)$ the network that undoes the shift, as a changed bias in the first layer would. The picture is the
# same, the logits are the same, the gradients are the same. Gradient × input becomes $(x - x_0)\, \partial f_c / \partial x$.
#
# An explanation that changes with such a shift reflects the preprocessing, not the network. Not to do so is called
# *input invariance* [4].


# %% moved zero
class FromAnotherZero(nn.Module):
    """The same network for inputs that are counted from another zero."""

    def __init__(self, network, zero):
        super().__init__()
        self.network, self.zero = network, zero

    def forward(self, u):
        return self.network(u + self.zero)


def grey(level):
    """What the network sees of a grey from 0 to 1: one value for each colour, (3, 1, 1)."""
    return ((level - torch.tensor(MEAN)) / torch.tensor(STD)).view(3, 1, 1)


ZEROS = {"zero = black": grey(0.0), "zero = ImageNet's mean": torch.zeros(3, 1, 1), "zero = white": grey(1.0)}


def from_each_zero(x, method, target):
    """The map of the same picture, by the same network, counted from each zero."""
    return {
        name: leadwise.attribute(FromAnotherZero(network, zero), x - zero, method, target=target)
        for name, zero in ZEROS.items()
    }


# %% [markdown]
# > **Think first.** A black rooster on white, explained by gradient × input. Write down two percentages: the share of
# > the relevance that lies on the rooster if zero is black, and if zero is white.

# %% think first 1
check.think_first("the share on the rooster")


# %% silhouettes
def coarse(relevance):
    """Sum over the colours, mean over cells of 4 x 4 pixels, the largest 0.5 % cut: for the eye only, (H, W)."""
    cells = nn.functional.avg_pool2d(relevance.sum(0)[None, None], 4)
    limit = cells.abs().flatten().quantile(0.995)
    return nn.functional.interpolate(cells.clamp(-limit, limit), scale_factor=4)[0, 0]


x = preprocess(black)
maps = {"gradient": leadwise.attribute(network, x, "gradient", target=c), **from_each_zero(x, "gradient_x_input", c)}
maps = {title: coarse(R.abs()) for title, R in maps.items()}
plot_image_grid(
    black,
    maps,
    columns=5,
    mask=rooster,
    label="|R|, mean of 4 × 4 pixels, peaks cut",
    title="Gradient, and gradient × input",
)


# %% share on the object
def share(relevance, where):
    """Share of the absolute relevance that lies in a mask, (H, W) or (T,)."""
    relevance = relevance.abs()
    return float((relevance * where).sum() / relevance.sum())


table, rows = [], []
for picture, image in {"black rooster": black, "white rooster": white}.items():
    x = preprocess(image)
    maps = [from_each_zero(x, method, c) for method in ("gradient_x_input", "gradient_x_sign")]
    for name, zero in ZEROS.items():
        logit = float(FromAnotherZero(network, zero)(x - zero)[c].detach())
        rows.append(f"{picture}, {name}, logit {number(logit)}")
        table.append([share(by_zero[name], rooster) for by_zero in maps])
columns = ["gradient × input", "gradient × SIGN"]
plot_matrix(table, rows, columns, title="Share of |R| on the rooster", write=percent)

# %% [markdown]
# Read the left column from top to bottom. The logit does not change from one zero to the next, the share does: on the
# colour that was chosen as zero it is nothing (anti-aliased rims apart), by arithmetic and for any network. The
# inverted picture swaps the roles.
#
# The right column is constant for each picture. SIGN multiplies by $+1$ or $-1$, so
# $|R_i| = |\partial f_c / \partial x_i|$ however zero is chosen. But that is the *magnitude*. The sign of the map is another
# matter: which side of zero a pixel lies on is exactly what the shift changes. A scene with greys and colours shows it:

# %% the sign moves with the zero
in_colour = make_scene(23, "rooster")
print("correlation of the maps R, signs included:")
for method in ("gradient_x_input", "gradient_x_sign"):
    maps = from_each_zero(preprocess(in_colour.image), method, in_colour.objects[0].index)
    for first, second in (("zero = black", "zero = ImageNet's mean"), ("zero = black", "zero = white")):
        pair = torch.stack([maps[first].flatten(), maps[second].flatten()])
        alike = float(torch.corrcoef(pair)[0, 1])
        print(f"  {leadwise.METHODS[method].title:18s}{first + ' and ' + second:42s}{alike:6.2f}")

# %% [markdown]
# With zero at black every pixel lies above, with zero at white nearly every pixel below: the two maps of gradient × SIGN are
# each other's negative. So gradient × SIGN is *not* input-invariant. Only $|R|$ is, and with it every statement about where the map is
# large; a statement about *for* or *against* depends on where zero, or μ, was put. Section 4 makes that choice explicit.

# %% [markdown]
# ## 2 The bias as a curve
#
# One silhouette is an anecdote. Here are 24 scenes with everyday objects. Every value of every pixel goes into a bin by
# its size; in each bin the mean of $|R|$ is taken, relative to the mean over all pixels. A method without the bias has
# a curve that follows the network alone; *times input* adds a V with its tip at zero.

# %% scenes
scenes = [make_scene(seed) for seed in range(400, 424)]
pictures = torch.stack([preprocess(scene.image) for scene in scenes])
classes = torch.tensor([scene.objects[0].index for scene in scenes])
objects = torch.tensor(np.stack([scene.objects[0].mask for scene in scenes]))
with torch.no_grad():
    right = (network(pictures).argmax(1) == classes).float().mean()
print(f"{len(scenes)} scenes; the network names {percent(float(right))} of the objects")


# %% curves
def mean_by(value, relevance, edges):
    """Mean |R| of the samples between two edges each, relative to the mean over all samples."""
    bins = torch.bucketize(value.flatten(), torch.as_tensor(edges, dtype=value.dtype))
    size = relevance.abs().double().flatten()
    total, count = torch.bincount(bins, size, len(edges) + 1), torch.bincount(bins, minlength=len(edges) + 1)
    return (total / count / size.mean())[1:-1]


def explain(method, **parameters):
    """The maps of all scenes, each for its own object."""
    return leadwise.attribute(network, pictures, method, target=classes, **parameters)


METHODS = ("gradient_x_input", "lrp_epsilon_0_1", "gradient_x_sign", "lrpsign_epsilon_0_1")
fig, (left, right) = plt.subplots(1, 2, figsize=(10, 3.4), sharey=True, layout="constrained")
edges = np.linspace(0, 1, 33)
pixels = pictures * torch.tensor(STD).view(3, 1, 1) + torch.tensor(MEAN).view(3, 1, 1)
gradient = explain("gradient")
for name, zero in ZEROS.items():
    left.plot(255 * (edges[1:] + edges[:-1]) / 2, mean_by(pixels, (pictures - zero) * gradient, edges), label=name)
left.set(xlabel="pixel value", ylabel="mean |R|, relative", title="gradient × input", ylim=(0, 4))
edges = np.linspace(-2, 2.5, 37)
for method in METHODS:
    right.plot((edges[1:] + edges[:-1]) / 2, mean_by(pictures, explain(method), edges), label=title_of(method))
right.axvline(0, color="grey", linewidth=0.8)
right.set(xlabel="x, as the network sees it", title="zero = ImageNet's mean")
for axis in (left, right):
    axis.legend(frameon=False)
plt.show()

# %% [markdown]
# The tip of the V moves with the zero (left). LRP-ε has one as well (right): its first layer multiplies by the input
# too, as section 5 shows. The two SIGN curves have no tip at zero. They need not be flat: where the network is really
# more sensitive to dark or to bright pixels, they say so.

# %% [markdown]
# ## 3 Gradient × SIGN
#
# SIGN keeps the side of zero on which the input lies, and drops its size [1]:
#
# $$R_i = \operatorname{sign}_\mu(x_i)\, \frac{\partial f_c}{\partial x_i}, \qquad
# \operatorname{sign}_\mu(x) = \begin{cases} +1 & x \ge \mu \\ -1 & x < \mu \end{cases}$$
#
# with a threshold μ, 0 by default. It reads well: $R_i$ is the slope of the logit when $x_i$ moves *away from* μ.
# Positive relevance: more of what this pixel already is (brighter than μ, or darker than μ) would raise the logit. The
# plain gradient cannot say so, for it does not know on which side the pixel is.
#
# Three lines, and the same map as the course's function:


# %% gradient times sign by hand
def gradient_x_sign(network, x, target, mu=0.0):
    """Gradient of a logit times the side of mu, shaped like x (3, H, W)."""
    x = x.clone().requires_grad_()
    gradient = torch.autograd.grad(network(x)[target], x)[0]
    return torch.where(x >= mu, 1.0, -1.0) * gradient


scene = make_scene(23, "rooster")
x, c = preprocess(scene.image), scene.objects[0].index
ours = gradient_x_sign(network, x, c)
print("largest difference:", float((ours - leadwise.attribute(network, x, "gradient_x_sign", target=c)).abs().max()))

# %% pictures
maps = {
    leadwise.METHODS[method].title: leadwise.attribute(network, x, method, target=c, seed=1)
    if leadwise.METHODS[method].random
    else leadwise.attribute(network, x, method, target=c)
    for method in ("gradient", "gradient_x_input", "gradient_x_sign", "smoothgrad_x_input", "smoothgrad_x_sign")
}


def side_by_side(image, maps, title, mask=None, columns=3, notes=None):
    """A picture and maps of it, coarse, the known object outlined."""
    tiles = {"picture": image, **{name: coarse(R) for name, R in maps.items()}}
    masks = {} if mask is None else dict.fromkeys(tiles, mask)
    label = "R, mean of 4 × 4 pixels, peaks cut"
    return plot_tiles(tiles, columns=columns, side=37, masks=masks, notes=notes, title=title, label=label)


side_by_side(scene.image, maps, "The logit of the rooster", scene.objects[0].mask)

# %% [markdown]
# A photograph has more dark places. The explained class is the one that the network finds most probable, right or
# wrong: the embedded network knows twelve drawn classes and was never shown a photograph; with ImageNet's weights
# (`python -m leadwise download alexnet`) the same cell explains a sensible class.

# %% photograph
photo_network = load_alexnet("auto")
photo = load_photograph(next(name for name in ("camera", "grace_hopper") if name in photographs()))
seen = preprocess(photo)
name, probability = top_k(photo_network, seen, 1)[0]
print(f"most probable: {name}, {percent(probability)}")
dark = grey(0.25).view(3, 1, 1) > seen
maps = {
    leadwise.METHODS[method].title: leadwise.attribute(photo_network, seen, method)
    for method in ("gradient_x_input", "gradient_x_sign")
}
shifted = FromAnotherZero(photo_network, grey(0.0))
maps["Gradient × input, zero = black"] = leadwise.attribute(shifted, seen - grey(0.0), "gradient_x_input")
notes = {title: f"{percent(share(R, dark))} of |R| on dark values" for title, R in maps.items()}
print(f"{percent(float(dark.float().mean()))} of the values are dark, below a quarter of full brightness")
side_by_side(seen, maps, f"A photograph: the logit of {name}", columns=4, notes=notes)

# %% [markdown]
# Compare the two maps of gradient × input: the same network and picture, and dark cloth is either strong (zero is a
# medium grey, black is far from it) or gone (zero is black). Where the map of gradient × SIGN is large does not depend on
# that; its signs do, as section 1 showed.

# %% [markdown]
# ## 4 The threshold μ
#
# μ is where "bright" begins. Moving it changes no magnitude: every value keeps $|\partial f_c / \partial x_i|$, and
# those that μ passes change their sign. Below the smallest input the map is the gradient, above the largest it is minus
# the gradient, and SIGN-μ walks from one to the other.
#
# > **Think first.** Which μ, from −2.2 to 2.7, would you choose for a black object on a bright background? Write down a
# > number, and whether any other would be wrong.

# %% think first 2
check.think_first("μ for a black object")

# %% row of thresholds
thresholds = (-2.2, 0.0, 2.7)
maps = {f"μ = {number(mu)}": gradient_x_sign(network, x, c, mu) for mu in thresholds}
notes = {f"μ = {number(mu)}": f"{percent(float((x >= mu).float().mean()))} of x is above μ" for mu in thresholds}
side_by_side(scene.image, maps, "Gradient × SIGN-μ", scene.objects[0].mask, columns=4, notes=notes)


# %% sweep
def on_object(relevance):
    """Share of the positive relevance on the object, mean over the scenes that have any; colours are summed first."""
    positive = relevance.sum(1).clamp(min=0)
    return float(((positive * objects).sum((1, 2)) / positive.sum((1, 2))).nanmean())


area = float(objects.float().mean())
sweep = np.linspace(-2.2, 2.7, 22)
fig, axis = plt.subplots(figsize=(7, 3), layout="constrained")
for method in ("gradient_x_sign", "lrpsign_epsilon_0_1"):
    slope = explain(method, mu=-5.0)  # every value is above -5, so every sign is +1; from there it is flipped
    curve = [on_object(torch.where(pictures >= mu, slope, -slope)) for mu in sweep.tolist()]
    axis.plot(sweep, curve, ".-", label=title_of(method))
axis.axhline(area, color="grey", linestyle="--", linewidth=0.8, label="the object's area: white noise")
axis.set(xlabel="μ", ylabel="positive R on the object", ylim=(0, None), title="24 scenes, every sign threshold")
axis.legend(frameon=False, loc="lower right")
plt.show()

# %% [markdown]
# How much the curves rise and fall tells how much the choice matters here. μ should have a meaning before it has a
# value: the background's colour, the mean of the data, in an ECG the isoelectric line. A μ chosen because the map looks
# best is a μ chosen by the wish.

# %% [markdown]
# ## 5 LRP-SIGN
#
# LRP multiplies too, only less visibly. In the first layer the z-rule gives input $j$ its part of each unit's relevance
# $R_k$:
#
# $$R_j = \sum_k \frac{x_j w_{jk}}{z_k} R_k = x_j \underbrace{\sum_k w_{jk} \frac{R_k}{z_k}}_{c_j}, \qquad z_k = \sum_j x_j w_{jk} + b_k$$
#
# Everything the network has to say about input $j$ is in $c_j$. The factor $x_j$ in front is *times input*. LRP-SIGN
# replaces it [1]:
#
# $$R_j = \operatorname{sign}_\mu(x_j)\; c_j$$
#
# The layers above keep their rules, whatever they are: they multiply by activations, which the network itself computed.
# In code, $c_j$ is the gradient of $z$, weighted with $R_k / z_k$:

# %% lrp sign by hand
first = network.features[0]
above = nn.Sequential(*network.features[1:], network.avgpool, network.flatten, *network.classifier)


def lrp_sign(x, target, epsilon, mu=0.0):
    """LRP-ε in all layers but the first, which has the SIGN rule."""
    x = x[None].clone().requires_grad_()
    z = first(x)
    relevance = leadwise.attribute(above, z, "lrp_epsilon", target=target, epsilon=epsilon)
    c = torch.autograd.grad(z, x, relevance / z)[0]
    return (torch.where(x >= mu, 1.0, -1.0) * c)[0].detach()


mine, theirs = lrp_sign(x, c, 0.1), leadwise.attribute(network, x, "lrpsign_epsilon_0_1", target=c)
print(
    f"largest difference, relative to the largest relevance: {float((mine - theirs).abs().max() / theirs.abs().max()):.0e}"
)

# %% [markdown]
# On a network of ReLUs and max-poolings, LRP with the z-rule in every layer *is* gradient × input, bias and all [5]. By
# the same argument, LRP-z with SIGN below is gradient × SIGN. Two derivations meet:


# %% identities
def correlation(a, b):
    """Correlation of two maps."""
    return float(torch.corrcoef(torch.stack([a.flatten(), b.flatten()]).double())[0, 1])


for one, other in (("lrp_z", "gradient_x_input"), ("lrpsign_z", "gradient_x_sign")):
    a, b = (leadwise.attribute(network, x, method, target=c) for method in (one, other))
    print(f"{one:10s} and {other:17s} correlation {correlation(a, b):.6f}")

# %% [markdown]
# So the rules *above* the first layer make the difference between LRP-SIGN and gradient × SIGN. `input_rule="sign"`
# puts SIGN under any of them; the names of SIGN-XAI, `lrpsign_...`, mean the same.

# %% combinations
above_first = {
    method: leadwise.METHODS[method].title for method in ("lrp_z", "lrp_epsilon", "lrp_gamma", "lrp_epsilon_plus")
}
plain = {title: leadwise.attribute(network, x, method, target=c) for method, title in above_first.items()}
signed = {
    f"{title}, SIGN": leadwise.attribute(network, x, method, target=c, input_rule="sign")
    for method, title in above_first.items()
}
plain.pop(above_first["lrp_z"])  # gradient × input: its place in the upper row is the picture's
maps = plain | signed
notes = {title: f"sum {number(float(R.sum()))}" for title, R in maps.items()}
logit = float(network(x)[c].detach())
title = f"The rules as they are, and below, with SIGN; logit {number(logit)}"
side_by_side(scene.image, maps, title, scene.objects[0].mask, columns=4, notes=notes)

# %% [markdown]
# The sums show a first price. The z-rule shares out what arrives at the first layer; the sum of its map is the logit,
# but for what biases and ε keep. A map of LRP-SIGN sums to something else: its unit is *logit per unit of input*, and
# there is nothing it should add up to.

# %% [markdown]
# ## 6 A first ECG
#
# An ECG is mostly zero. Between two heartbeats the twelve leads rest on the
# [isoelectric line](../GLOSSARY.md#isoelectric-line); the [P wave](../GLOSSARY.md#p-wave), with which the atria announce
# the beat, rises little above it; the [QRS complex](../GLOSSARY.md#qrs-complex) of the ventricles towers over both.
# *Times input* leans towards the QRS.
#
# The network here looks for a first-degree [AV block](../GLOSSARY.md#av-block): the time from P to QRS is longer than
# 200 ms [6]. What makes the finding is a small wave, and the flat line after it. The recording serves to compare methods,
# not to judge a heart.

# %% recording
record, info = next(iter(leadwise.records("AVB").items()))
recording = leadwise.load_record(record)
ecg = recording.preprocess().window()
model = leadwise.load_ecg_model("AVB")
voltage = ecg.tensor()
print(f"record {info.title} [{info.origin}], p(AVB) = {float(model.probability(voltage)):.3f}")

# %% parts of a beat
found = delineate(recording)
part = np.full(recording.samples, "between beats", dtype=object)
for wave in found.waves:
    part[wave.onset : wave.offset] = wave.kind
qrs = {wave.beat: wave for wave in found.of("QRS")}
for p in found.of("P"):
    part[p.offset : qrs[p.beat].onset] = "P to QRS"
part = part[: voltage.shape[1]]

waves = found.of("P") + found.of("QRS") + found.of("T")
plot_ecg(ecg, waves=waves, leads=["II", "V1", "V5"], stop=2, title="P, QRS and T, found by delineation")

# %% voltage by part
PARTS = ("P", "P to QRS", "QRS", "T", "between beats")
for name in PARTS:
    size = voltage.abs()[:, part == name]
    print(f"{name:14s}{percent((part == name).mean()):>5s} of the time, mean |x| = {float(size.mean()):.3f} mV")

# %% [markdown]
# > **Think first.** Gradient × input, gradient × SIGN, LRP-ε, LRP-SIGN: order them by the share of relevance that the P
# > wave and the line after it will get.

# %% think first 3
check.think_first("the order of four methods")

# %% maps of the ecg
maps = {title_of(method): leadwise.attribute(model, voltage, method, target=1) for method in METHODS}
notes = {
    title: f"{percent(share(R, torch.tensor((part == 'P') | (part == 'P to QRS'))))} P to QRS"
    for title, R in maps.items()
}
plot_grid(ecg, maps, leads=("II", "V1", "V5"), stop=2, notes=notes, title=f"AVB network, {info.title}")

# %% voltage curves
edges = np.geomspace(0.005, 1, 17)
fig, axis = plt.subplots(figsize=(7, 3.2), layout="constrained")
for title, relevance in maps.items():
    curve = mean_by(voltage.abs(), relevance, edges)
    axis.loglog(np.sqrt(edges[1:] * edges[:-1]), curve, "o-", markersize=4, label=title)
axis.axhline(1, color="grey", linewidth=0.8)
axis.set(xlabel="|x|, mV", ylabel="mean |R|, relative", title="Relevance against voltage")
axis.legend(frameon=False)
plt.show()

# %% [markdown]
# Both axes are logarithmic. In each bin, gradient × input is gradient × SIGN times $|x|$: the multiplication tilts the
# whole curve, by one decade up for each decade of voltage. LRP-ε and LRP-SIGN are related
# in nearly the same way; the ε of the first layer differs. The SIGN curves show what the network itself does.

# %% relevance by part
table = [[(part == name).mean() for name in PARTS]]
table += [[share(R, torch.tensor(part == name)) for name in PARTS] for R in maps.values()]
plot_matrix(table, ["share of the time", *maps], PARTS, title="Share of |R| by part of the beat", write=percent)

# %% [markdown]
# Which row is right? A recording does not come with its causes. A simulated patient does: the samples in which this AV
# block differs from the same patient without it, from P onset to QRS onset, are known. The table asks how much of the
# *positive* relevance lies in them, over twelve patients.

# %% known cause
patients = [leadwise.simulate_ecg("AVB", seed=seed).preprocess().window() for seed in range(9000, 9012)]
signals = torch.stack([patient.tensor() for patient in patients])
cause = torch.tensor(np.stack([patient.causal_mask for patient in patients]))
print(f"median p(AVB) of the patients: {float(model.probability(signals).median()):.2f}")
covered = percent(float(cause.float().mean()))
print(f"patient and healthy twin differ in {covered} of all samples; of the positive relevance these hold")
for method in ("random", "magnitude", "square", *METHODS):
    positive = leadwise.attribute(model, signals, method, target=1).clamp(min=0)
    inside = (positive * cause).sum((1, 2)) / positive.sum((1, 2))
    print(f"  {percent(float(inside.mean())):>5s}  {title_of(method)}")

# %% [markdown]
# White noise lands at the area, as it must. The next two ask no network either: |x| and x² are what any map inherits
# that multiplies by the input. Compare *times input* with them before you credit the network. A method below the area
# points away from the samples that differ from the healthy twin, and the reader of its map would look there last. Where the
# difference lies at small voltages, the choice of the last factor can decide between the two.

# %% [markdown]
# ## 7 What SIGN costs
#
# **Background.** Everything that the network is a little sensitive to now counts in full. On the scenes the object is
# known, so the cost can be measured: the same table for pictures, in pairs with and without SIGN.

# %% scene table
table, rows = [], []
for plain, signed in (
    ("gradient_x_input", "gradient_x_sign"),
    ("lrp_epsilon_0_1", "lrpsign_epsilon_0_1"),
    ("lrp_epsilon_0_25_std_x", "lrpsign_epsilon_0_25_std_x"),
    ("lrp_alpha_1_beta_0", "lrpsign_alpha_1_beta_0"),
):
    rows.append(title_of(plain))
    table.append([on_object(explain(plain)), on_object(explain(signed))])
plot_matrix(
    table,
    rows,
    ["times input", "SIGN"],
    title="Positive R on the object",
    label=f"area: {percent(area)}",
    write=percent,
)

# %% [markdown]
# Compare within a row. Pictures and ECGs differ in what lies near zero. In the AV block it was the evidence, in a scene
# it is as often background: there *times input* acts as a filter that happens to fit. Neither is a law; the curve of
# section 2 and a known cause tell which case one has.
#
# **A frame of nothing.** Many pipelines pad a picture to a square. The padding is exactly 0, carries no information,
# and SIGN has to give it a sign. The course follows the authors' TensorFlow software: $\operatorname{sign}(0) = +1$.
# PyTorch's `torch.sign(0)` is 0, which lets *times input* in again, for values of exactly zero only; the slightest
# noise lets them out.

# %% padding
small = nn.functional.interpolate(pictures, size=160, mode="area")
padded = nn.functional.pad(small, (32, 32, 32, 32))
frame = nn.functional.pad(torch.zeros_like(small), (32, 32, 32, 32), value=1.0)
noise = 1e-3 * frame * torch.randn(padded.shape, generator=torch.Generator().manual_seed(0))

print(f"the frame covers {percent(float(frame.mean()))} of the picture; of |R| it gets")
print("                             exactly 0    noise of 0.001")
frames = {"exactly 0": padded, "noise": padded + noise}
slopes = {name: leadwise.attribute(network, image, "gradient", target=classes) for name, image in frames.items()}
for title, factor in {
    "gradient × input": lambda image: image,
    "gradient × SIGN, sign(0) = 1": lambda image: torch.where(image >= 0, 1.0, -1.0),
    "gradient × torch.sign": torch.sign,
}.items():
    cells = [percent(share(slopes[name] * factor(image), frame)) for name, image in frames.items()]
    print(f"{title:29s}{cells[0]:>9s}{cells[1]:>14s}")

# %% [markdown]
# **Noise at the threshold.** Near μ the sign is decided by noise. Add 2 µV to the recording of section 6, a fiftieth of
# the smallest step that one reads from paper (0.1 mV is one small square), and compare the maps before and after:

# %% flips
noisy = voltage + 0.002 * torch.randn(voltage.shape, generator=torch.Generator().manual_seed(0))
flipped = ((noisy >= 0) != (voltage >= 0)).float().mean()
print(f"{float(flipped):.1%} of the samples change their sign; correlation of the maps before and after")
for method in ("gradient", *METHODS):
    before, after = (leadwise.attribute(model, signal, method, target=1) for signal in (voltage, noisy))
    print(f"  {correlation(before, after):.3f}  {title_of(method)}")

# %% [markdown]
# On a flat line, single samples of a SIGN map may therefore be orange or blue by chance. Their magnitude is the
# gradient's and can be trusted as far as the gradient can; read their sign over a wave, not sample by sample. A μ
# slightly off the isoelectric line removes the flicker, and is a choice to be named.

# %% [markdown]
# ## 8 The authors' package
#
# `signxai` is the software of SIGN's authors. The original runs on TensorFlow; its successor, the distribution
# `signxai2`, brings PyTorch. Examined here, line by line, is version 0.5.0, which the course pins; what holds of later
# ones comes at the end of the section. Its front door is `signxai.explain`:

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

# %% comparison table
from signxai.torch_signxai import calculate_relevancemap

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


relu_free = ("guided_backprop", "deconvnet")  # on the ECG network, which has no ReLU, these are the plain gradient
print(f"{'':34s}    AlexNet, scene        ECG network")
print(f"{'':34s} correlation   diff. correlation   diff.")
for name in NAMES:
    image_part = compare(network, x, name, c)
    ecg_part = "" if name in relu_free else compare(model, voltage, name, 1)
    print(f"{name:34s}{image_part:20s}{ecg_part}")

# %% [markdown]
# The gradients agree. So do SIGN and SIGN-μ, except where a value is exactly 0 or exactly μ: there the package has the
# 0 of `torch.sign`, as in section 7 (digitised recordings hold such values, our simulated ones hardly any). Integrated
# gradients agree up to the number of steps. Three groups differ: a name the entry does not take, deconvnet, and every
# LRP map whose ε depends on the standard deviation of the input.
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
#
# A hypothesis about a difference can be tested: change one convention after the other, and see with whom the map
# agrees. The first rung must be the package, the last must be ours.

# The rules that zennit lacks are a few lines each, on its `BasicHook`: `gradient_mapper` turns $R_k$ into what the
# backward pass of the layer starts with, `reducer` makes $R_j$ of what arrives, by default by multiplying with the input.

# %% three rules
from zennit.core import BasicHook


def over(R, z):
    """R / z, where an exact 0 counts as 1e-7."""
    return R / torch.where(z == 0, 1e-7, z)


def over_z(R, outputs):
    """The z-rule's share: R / z."""
    return [over(R, z) for z in outputs]


def epsilon_std_x(factor):
    """The ε-rule of one sample, with ε = factor · standard deviation of the layer's own input."""
    kept = {}

    def remember(a):
        kept["ε"] = factor * a.std(unbiased=False)
        return a

    def weigh(R, outputs):
        return [over(R, z + kept["ε"] * torch.where(z >= 0, 1, -1)) for z in outputs]

    return BasicHook(input_modifiers=[remember], gradient_mapper=weigh)


def times_sign(inputs, gradients):
    """The side of zero, instead of the input itself."""
    return torch.where(inputs[0] >= 0, 1.0, -1.0) * gradients[0]


Z = BasicHook(gradient_mapper=over_z)
SIGN = BasicHook(gradient_mapper=over_z, reducer=times_sign)

# %% ladder
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


RUNGS = {
    "ε = 1e-6, the rest by autograd": {"weighted": Epsilon(1e-6)},
    "+ relevance passes activations": {"activation": Pass()},
    "+ z-rule in average pooling": {"average": Z},
    "+ ε = 0.25 std of the layer's input": {"weighted": epsilon_std_x(0.25)},
    "+ SIGN in the first layer": {"first": SIGN},
}
name = "lrpsign_epsilon_0_25_std_x"
print(f"{'correlation with':36s}   AlexNet: signxai    ours     ECG: signxai    ours")
cells = {rung: [] for rung in RUNGS}
for net, signal, target in ((network, x, c), (model, voltage, 1)):
    ends = by_signxai(net, signal, name, target), leadwise.attribute(net, signal, name, target=target)
    rules = {}
    for rung, change in RUNGS.items():
        rules |= change
        relevance = by_rules(net, signal, target, **rules)
        cells[rung] += [correlation(relevance, end) for end in ends]
for rung, (a, b, d, e) in cells.items():
    print(f"{rung:36s}{a:19.4f}{b:8.4f}{d:17.4f}{e:8.4f}")

# %% [markdown]
# The ladder starts at 1 on the left and ends at 1 on the right: the named conventions are the whole difference in
# pattern. What remains is scale. The package starts the backward pass with 1, the authors' TensorFlow software, and
# this course, with the explained logit.

# %% two maps
theirs, ours = by_signxai(network, x, name, c), leadwise.attribute(network, x, name, target=c)
maps = {"signxai2 on PyTorch": theirs, "leadwise": ours}
side_by_side(scene.image, maps, name, scene.objects[0].mask)

# %% [markdown]
# Which one deserves the name? The name was coined by the TensorFlow software that the papers used [1, 7]. The maps it
# gives for two published ECG models and two real recordings are the course's reference. They are not part of the
# repository; where they are present, `tests/test_reference_maps.py` compares forty methods on both with ours, and asks
# for a correlation of at least 0.999.
#
# **And today's versions?** Which one `pip install signxai2` gives depends on the Python, for each version declares which
# ones it is for. `benchmarks/peers.py` has installed all of them side by side and compared their maps with the authors'
# reference, on both recordings. The table shows the lowest and the highest correlation in each group of names; a dash,
# that the version has no map of these names.

# %% three versions
root = checkout() or Path.cwd().parent
stored = json.loads((root / "benchmarks" / "peers.json").read_text())
print("pip chooses", *(f"{version} for {python}" for python, version in stored["pip chooses"].items()), sep="\n  ")

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
print("\ncorrelation with the authors' maps".ljust(37) + "".join(f"{version:>22s}" for version in VERSIONS))
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
#   rules are zennit's; in αβ its bias convention shows ([notebook 03](03_layer_wise_relevance.ipynb)).
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
# ## 9 Explore
#
# Move μ, and watch colours change while magnitudes stay. Then change the family to LRP and set `input_rule` to "sign".

# %% image explorer
from leadwise.explorers import ECGExplorer, ImageExplorer

explorer = ImageExplorer(scene, network, method="gradient_x_sign", target=c)
explorer.controls["style"].value, explorer.controls["threshold"].value = "alone", 0.25
explorer

# %% [markdown]
# The same for the ECG: compare gradient × input with gradient × SIGN around the P wave, then raise μ to 0.1 mV.

# %% ecg explorer
ecg_explorer = ECGExplorer(record, model="AVB", method="gradient_x_sign")
ecg_explorer

# %% [markdown]
# ## Exercises
#
# Each cell holds the names that its check asks for. Solutions are in `solutions/04_sign.ipynb`.
#
# **1 Write code.** One μ means a different grey in each colour (section 1). Write `sign_at(x, level)`, whose threshold
# is the same grey, from 0 to 1, in all three. For which share of the scenes' values does the sign differ between
# `sign_at(pictures, 0.45)` and μ = 0?


# %% exercise 1 tags=["solution"] answers=["sign_at"]
# Exercise 1: sign_at(x, level) is +1 where x (..., 3, H, W) is at least as bright as the grey, else -1. Use `grey(level)`.
def sign_at(x, level):
    """+1 where a pixel is at least as bright as the grey, else -1; shaped like x (..., 3, H, W)."""
    return torch.where(x >= grey(level), 1.0, -1.0)


differ = sign_at(pictures, 0.45) != torch.where(pictures >= 0, 1.0, -1.0)
print(percent(float(differ.float().mean())))

# %% check 1
check.one_grey(sign_at)

# %% [markdown]
# **2 Predict, then look.** A recording has slipped: its baseline lies 0.2 mV too high, in all leads. Predict one number:
# the mean $|R|$ *between beats* under gradient × input, divided by that under gradient × SIGN, in mV. Call it `predicted`, and run the
# check: it keeps your prediction, and never marks it. Only then explain `voltage + 0.2` and measure it, as `quotient`;
# `part == "between beats"` picks the samples. Which step of the preprocessing of
# [notebook 06](06_reading_an_ecg.ipynb) prevents such a slip?

# %% exercise 2 tags=["solution"] answers=["predicted", "quotient"]
# Exercise 2: `predicted` and the check first (mV). Then print it for `voltage`, and for `voltage + 0.2`: `quotient`; and p(AVB).
predicted = 0.2

quiet = torch.tensor(part == "between beats")
for title, signal in {"as it is": voltage, "0.2 mV too high": voltage + 0.2}.items():
    times_input, sign = (
        float(leadwise.attribute(model, signal, method, target=1)[:, quiet].abs().mean())
        for method in ("gradient_x_input", "gradient_x_sign")
    )
    quotient = times_input / sign
    print(f"{title:16s}× input / × SIGN = {quotient:.3f} mV; p(AVB) = {float(model.probability(signal)):.3f}")
# The quotient is the mean |x| on the line, weighted with the gradient: nearly nothing before, about 0.2 mV after. SIGN
# does not see the slip in its factor; the network may see it, and then both gradients change. BLA moves each lead back
# to zero, and BWR takes out what drifts.

# %% check 2
check.slipped_baseline(predicted, quotient)

# %% [markdown]
# **3 Find the bug.** A colleague's map looks plausible and is wrong. Find the line, write the function again as
# `mended(network, x, target)`, and say in one sentence what the colleague's map explains instead.


# %% buggy
def colleagues_gradient_x_sign(network, x, target):
    """Gradient × SIGN, with a bug."""
    x = torch.where(x >= 0, 1.0, -1.0).requires_grad_()
    return x.detach() * torch.autograd.grad(network(x)[target], x)[0]


wrong = colleagues_gradient_x_sign(network, x, c)
correct = leadwise.attribute(network, x, "gradient_x_sign", target=c)
print(f"correlation with gradient × SIGN: {correlation(wrong, correct):.2f}")


# %% exercise 3 tags=["solution"] answers=["mended"]
# Exercise 3: mended(network, x, target), shaped like x. To see what the colleague explains, ask the network about the
# picture that it was shown: top_k(network, ..., 2).
def mended(network, x, target):
    """Gradient × SIGN: the gradient at x, multiplied afterwards."""
    x = x.clone().requires_grad_()
    return torch.where(x >= 0, 1.0, -1.0) * torch.autograd.grad(network(x)[target], x)[0]


print("the picture:   ", top_k(network, x, 2))
print("what was shown:", top_k(network, torch.where(x >= 0, 1.0, -1.0), 2))
# The sign replaces the input before the network sees it: the gradient is taken at a picture of eight colours, and that
# picture is what the map explains.

# %% check 3
check.where_the_gradient_is_taken(mended)

# %% [markdown]
# **4 Interpret.** In the table of section 6, under gradient × SIGN, the line between beats has its share of $|R|$ and the
# T wave another. Which of these readings does such a share allow? Set `reading` to a letter.
#
# - `"a"`: the network uses the line between beats as many times as much as the T wave.
# - `"b"`: if every sample between beats moved a little, each in the direction of its own slope, the logit would rise so much
#   faster than if the samples of the T wave did.
# - `"c"`: the line between beats speaks so much more strongly *for* the block.
# - `"d"`: so large a part of the logit comes from the line between beats.

# %% exercise 4 tags=["solution"] answers=["reading"]
# Exercise 4: set `reading` to "a", "b", "c" or "d".
reading = "b"
# SIGN's relevance is a slope. It does not say that samples have contributed, nor what happens if they go.

# %% check 4
check.what_a_share_says(reading)

# %% [markdown]
# **5 Test it.** Take each of `PARTS` away: replace it, in all leads, by a straight line between its neighbours
# (`numpy.interp`). Collect in a dict `change`, for each part, by how much the difference *logit 1 minus logit 0* of
# `model` rises (+) or falls (−).


# %% exercise 5 tags=["solution"] answers=["change"]
# Exercise 5: change[name] is (logit 1 - logit 0) without the part, minus the same with it.
def without(signal, name):
    """The recording with a part replaced by straight lines between its neighbours, (12, T)."""
    keep = np.flatnonzero(part != name)
    time = np.arange(signal.shape[1])
    return torch.tensor(np.stack([np.interp(time, keep, lead[keep]) for lead in signal.numpy()]), dtype=signal.dtype)


change = {}
with torch.no_grad():
    whole = model(voltage)
    for name in PARTS:
        moved = model(without(voltage, name)) - whole
        change[name] = float(moved[1] - moved[0])
        print(f"without {name:14s}{change[name]:+8.2f}")
# A wave can be taken away; of a line that is flat already, little can. Compare the order with that of the table.

# %% check 5
check.parts_taken_away(change, network=model, signal=voltage, part=part)

# %% [markdown]
# **6 Check another package.** The package has a method `lrp.epsilon`. Take the name at its word: how much will its map
# correlate with LRP-ε, ε in every layer? Predict a number before you run the cell.

# %% another name
theirs = by_signxai(network, x, "lrp.epsilon", c)
plain = leadwise.attribute(network, x, "lrp_epsilon", target=c, epsilon=1e-6)
print(f"correlation with LRP-ε, ε in every layer: {correlation(theirs, plain):.4f}")

# %% [markdown]
# Now find the method behind the name: make a map `rebuilt` that correlates with `theirs` to more than 0.999. Candidates
# are zennit's ready-made composites `EpsilonGammaBox`, `EpsilonPlus`, `EpsilonAlpha2Beta1` (in `zennit.composites`), used
# as in the ladder of section 8: `with EpsilonPlus(epsilon=1e-6).context(network) as hooked:`. Box needs `low` and `high`,
# the limits of the input.

# %% exercise 6 tags=["solution"] answers=["rebuilt"]
# Exercise 6: `rebuilt`, shaped like x, from a composite of zennit; print its correlation with `theirs`.
from zennit.composites import EpsilonAlpha2Beta1, EpsilonPlus

for composite in (EpsilonPlus(epsilon=1e-6), EpsilonAlpha2Beta1(epsilon=1e-6)):
    with composite.context(network) as hooked:
        again = x[None].clone().requires_grad_()
        rebuilt = torch.autograd.grad(hooked(again)[0, c], again)[0][0]
    print(f"{type(composite).__name__:20s}{correlation(theirs, rebuilt):.4f}")
# The name says ε; the composite behind it has ε in dense layers and α2β1 in convolutions.

# %% check 6
check.rebuilt_map(rebuilt, theirs=theirs, ours=plain)

# %% think first answers [markdown] tags=["solution"]
# ## Think first: answers
#
# - **The share on the rooster:** Nearly 0 % where zero is black, for the product of a black pixel is 0 whatever the network
#   does; close to 100 % where zero is white, as then the background is 0. The table has both, for one and the same logit.
# - **Μ for a black object:** Any μ between the object and its background gives all of the object one sign; outside of that
#   range the object has the sign of the background. None is wrong: μ says what counts as absent, and has to be stated.
# - **The order of four methods:** The two that multiply by the voltage give little to a nearly flat stretch, so the two
#   SIGN methods come first. The notes above the maps say by how much; a share is no proof that the network uses the part,
#   and section 6 compares with the known cause.

# %% [markdown]
# ## Quiz

# %% quiz
check.quiz()

# %% progress
check.progress()

# %% [markdown]
# ## Take away
#
# - *Times input* gives zero to whatever was encoded as zero. Know where that is: black, a medium grey, the isoelectric
#   line.
# - SIGN keeps the side of μ and drops the size. Magnitudes are the gradient's; only signs depend on μ.
# - LRP multiplies by the input in its first layer. LRP-SIGN replaces that factor, under any rules above, and gives up
#   the sum.
# - What SIGN uncovers may be evidence or background. A known cause decides; a nicer map does not.
# - Near μ, noise decides the sign. Read signs over waves and regions.
# - A method's name is no specification. Compare implementations, on your own model, in pattern and in scale.
#
# ## Go further
#
# - [05 Can you trust it?](05_can_you_trust_it.ipynb) tests all methods, SIGN among them, on causes that are known.
# - [08 Lead-wise attribution](08_lead_wise_attribution.ipynb) reads such maps lead by lead.
# - Another way to leave *times input*: rules for the first layer that know the range of a pixel. Montavon et al. 2017,
#   Explaining nonlinear classification decisions with deep Taylor decomposition, section 5,
#   [doi:10.1016/j.patcog.2016.11.008](https://doi.org/10.1016/j.patcog.2016.11.008)
# - Which direction in the input is signal, and which distraction, can be learned. Kindermans et al. 2018, Learning how to
#   explain neural networks: PatternNet and PatternAttribution,
#   [doi:10.48550/arXiv.1705.05598](https://doi.org/10.48550/arXiv.1705.05598)
#
# ## References
#
# 1. Gumpfer et al. 2023, SIGNed explanations: Unveiling relevant features by reducing bias, Information Fusion 99,
#    101883, [doi:10.1016/j.inffus.2023.101883](https://doi.org/10.1016/j.inffus.2023.101883)
# 2. Balduzzi et al. 2017, The shattered gradients problem, [doi:10.48550/arXiv.1702.08591](https://doi.org/10.48550/arXiv.1702.08591)
# 3. Smilkov et al. 2017, SmoothGrad: removing noise by adding noise,
#    [doi:10.48550/arXiv.1706.03825](https://doi.org/10.48550/arXiv.1706.03825)
# 4. Kindermans et al. 2019, The (un)reliability of saliency methods,
#    [doi:10.1007/978-3-030-28954-6_14](https://doi.org/10.1007/978-3-030-28954-6_14)
# 5. Ancona et al. 2018, Towards better understanding of gradient-based attribution methods for deep neural networks,
#    [doi:10.48550/arXiv.1711.06104](https://doi.org/10.48550/arXiv.1711.06104)
# 6. Kusumoto et al. 2019, Guideline on bradycardia and cardiac conduction delay,
#    [doi:10.1161/CIR.0000000000000628](https://doi.org/10.1161/CIR.0000000000000628)
# 7. Gumpfer et al. 2024, Towards trustworthy AI in cardiology, AIME 2024,
#    [doi:10.1007/978-3-031-66535-6_36](https://doi.org/10.1007/978-3-031-66535-6_36)
