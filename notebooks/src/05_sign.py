# %% [markdown]
# # 05 SIGN
#
# Many explanations end with [*times input*](../GLOSSARY.md#times-input). That makes maps look clean, and hides whatever
# is near zero: dark pixels in one preprocessing, small voltages in an ECG. [SIGN](../GLOSSARY.md#sign) keeps the
# direction of the input and drops its size [1].
#
# **You will be able to**
#
# - say where zero lies in a preprocessed picture and in an ECG, and what *times input* does there,
# - measure this bias as a curve,
# - apply gradient × SIGN, and choose its threshold μ,
# - derive LRP-SIGN, and combine it with any rule above,
# - say what SIGN costs,
# - check a map of another package before you believe its name.
#
# **Before:** notebooks 02 and 04; nothing about ECGs. **Teaching, not diagnosis:** nothing here may be used to decide
# about a patient.

# %% imports
import warnings

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
from leadwise.images.scenes import drawings, make_scene
from leadwise.inspection import top_k
from leadwise.networks.alexnet import MEAN, STD, load_alexnet, preprocess
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
# The reason is contrast. Gradients of deep networks are noisy: from one input to a neighbouring one they change
# almost completely [2]. The product shows what the eye knows, the picture.
#
# The price is in the formula. Where $x_i = 0$ the relevance is 0, *whatever the network does there*. With black encoded
# as 0, a black ball on a white table can never be highlighted [3].

# %% silhouette
_, (drawing, *_) = drawings("rooster")[0]
shape = Image.new("L", (224, 224))
shape.paste(drawing.getchannel("A").resize((168, 168)), (28, 28))
ink = np.asarray(shape)[..., None] / 255  # 1 on the object, 0 around it
black = np.repeat(255 * (1 - ink), 3, axis=2).astype(np.uint8)
white, rooster = 255 - black, torch.tensor(ink[..., 0] > 0.5)

network = load_alexnet("embedded")
c = network.class_names.index("rooster")
for name, image in {"black on white": black, "white on black": white}.items():
    best, probability = top_k(network, preprocess(image), 1)[0]
    print(f"{name}: the network says {best}, {percent(probability)}")

# %% [markdown]
# Explained below is the rooster, whatever the network says first: every class has a logit.
#
# **Where is zero?** AlexNet sees each colour normalised with a mean and a standard deviation over ImageNet,
# $x = (p - m) / s$. So zero is not black, but a medium grey:

# %% zero in pixels
for colour, mean, std in zip(("red", "green", "blue"), MEAN, STD, strict=True):
    print(
        f"{colour:6s}p from 0 to 255 is x from {-mean / std:.2f} to {(1 - mean) / std:.2f}; x = 0 is p = {255 * mean:.0f}"
    )

# %% [markdown]
# Zero can be moved without touching the function. Let $u = x - x_0$ be the input counted from another zero, and
# $g(u) = f(u + x_0)$ the network that undoes the shift. Picture, logits and gradients stay. Gradient × input becomes
# $(x - x_0)\, \partial f_c / \partial x$. An explanation that changes with such a shift reflects the preprocessing, not
# the network; not to change is called *input invariance* [4].


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


# %% from each zero
def from_each_zero(x, method, target):
    """The map of the same picture, by the same network, counted from each zero."""
    moved = {name: (FromAnotherZero(network, zero), x - zero) for name, zero in ZEROS.items()}
    return {name: leadwise.attribute(net, u, method, target=target) for name, (net, u) in moved.items()}


def coarse(relevance):
    """Sum over the colours, mean over cells of 4 x 4 pixels, the largest 0.5 % cut: for the eye only, (H, W)."""
    cells = nn.functional.avg_pool2d(relevance.sum(0)[None, None], 4)
    limit = cells.abs().flatten().quantile(0.995)
    return nn.functional.interpolate(cells.clamp(-limit, limit), scale_factor=4)[0, 0]


# %% [markdown]
# > **Think first.** A black rooster on white, explained by gradient × input. Which share of the relevance lies on the rooster
# > if zero is black, and which if zero is white?

# %% think first 1
check.think_first("the share on the rooster")

# %% silhouettes
x = preprocess(black)
maps = {"gradient": leadwise.attribute(network, x, "gradient", target=c), **from_each_zero(x, "gradient_x_input", c)}
plot_image_grid(
    black,
    {title: coarse(R.abs()) for title, R in maps.items()},
    columns=5,
    mask=rooster,
    label="|R|, mean of 4 × 4 pixels, peaks cut",
    title="The gradient, and gradient × input: what is zero goes blank",
)


# %% share on the object
def share(relevance, where):
    """Share of the absolute relevance that lies in a mask, (H, W) or (T,)."""
    relevance = relevance.abs()
    return float((relevance * where).sum() / relevance.sum())


table, rows = [], []
for picture, image in {"black rooster": black, "white rooster": white}.items():
    maps = [from_each_zero(preprocess(image), method, c) for method in ("gradient_x_input", "gradient_x_sign")]
    table += [[share(by_zero[name], rooster) for by_zero in maps] for name in ZEROS]
    rows += [f"{picture}, {name}" for name in ZEROS]
columns = ["gradient × input", "gradient × SIGN"]
plot_matrix(table, rows, columns, title="Share of |R| on the rooster", write=percent)

# %% [markdown]
# Left column: the logit is the same for each zero, the share is not. On the colour chosen as zero it is nothing
# (anti-aliased rims apart), by arithmetic and for any network.
#
# Right column: SIGN multiplies by $+1$ or $-1$, so $|R_i| = |\partial f_c / \partial x_i|$ however zero is chosen. But
# that is the *magnitude*. On which side of zero a pixel lies is exactly what the shift changes. A scene in colours
# shows it:


# %% the sign moves with the zero
def correlation(a, b):
    """Correlation of two maps."""
    return float(torch.corrcoef(torch.stack([a.flatten(), b.flatten()]).double())[0, 1])


scene = make_scene(23, "rooster")
x, c = preprocess(scene.image), scene.objects[0].index
print("correlation of the maps R, signs included:")
for method in ("gradient_x_input", "gradient_x_sign"):
    of_black, *others = from_each_zero(x, method, c).values()
    for name, other in zip(list(ZEROS)[1:], others, strict=True):
        print(f"  {leadwise.METHODS[method].title:18s}zero = black and {name:25s}{correlation(of_black, other):6.2f}")

# %% [markdown]
# With zero at black every pixel lies above, with zero at white nearly every pixel below: the two maps of gradient ×
# SIGN are each other's negative. So gradient × SIGN is *not* input-invariant. Only $|R|$ is; a statement about *for* or
# *against* depends on where zero, or μ, was put.

# %% [markdown]
# ## 2 The bias as a curve
#
# One silhouette is an anecdote. Here are 24 scenes. Every value goes into a bin by its size; each bin has its mean
# $|R|$, relative to the mean over all pixels. *Times input* adds a V with its tip at zero.

# %% scenes
scenes = [make_scene(seed) for seed in range(400, 424)]
pictures = torch.stack([preprocess(scene.image) for scene in scenes])
classes = torch.tensor([scene.objects[0].index for scene in scenes])
objects = torch.tensor(np.stack([scene.objects[0].mask for scene in scenes]))
with torch.no_grad():
    right = (network(pictures).argmax(1) == classes).float().mean()
print(f"{len(scenes)} scenes; the network names {percent(float(right))} of the objects")


# %% mean by value
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

# %% curves
fig, (left, right) = plt.subplots(1, 2, figsize=(10, 3.4), sharey=True, layout="constrained")
edges, gradient = np.linspace(0, 1, 33), explain("gradient")
pixels = pictures * torch.tensor(STD).view(3, 1, 1) + torch.tensor(MEAN).view(3, 1, 1)
for name, zero in ZEROS.items():
    left.plot(255 * (edges[1:] + edges[:-1]) / 2, mean_by(pixels, (pictures - zero) * gradient, edges), label=name)
left.set(xlabel="pixel value", ylabel="mean |R|, relative", title="gradient × input: the tip moves", ylim=(0, 4))
edges = np.linspace(-2, 2.5, 37)
for method in METHODS:
    right.plot((edges[1:] + edges[:-1]) / 2, mean_by(pictures, explain(method), edges), label=title_of(method))
right.set(xlabel="x, as the network sees it", title="zero = ImageNet's mean: no tip with SIGN")
for axis in (left, right):
    axis.legend(frameon=False)
plt.show()

# %% [markdown]
# The tip moves with the zero (left). LRP-ε has one as well (right), for a reason in section 5. The SIGN curves have
# none. They need not be flat: where the network is more sensitive to dark or to bright pixels, they say so.

# %% [markdown]
# ## 3 Gradient × SIGN
#
# SIGN keeps the side of zero on which the input lies, and drops its size [1]:
#
# $$R_i = \operatorname{sign}_\mu(x_i)\, \frac{\partial f_c}{\partial x_i}, \qquad
# \operatorname{sign}_\mu(x) = \begin{cases} +1 & x \ge \mu \\ -1 & x < \mu \end{cases}$$
#
# with a threshold μ, 0 by default. $R_i$ is the slope of the logit when $x_i$ moves *away from* μ.
# Positive relevance: more of what this pixel already is, brighter or darker than μ, would raise the logit.


# %% gradient times sign by hand
def gradient_x_sign(network, x, target, mu=0.0):
    """Gradient of a logit times the side of mu, shaped like x (3, H, W)."""
    x = x.clone().requires_grad_()
    gradient = torch.autograd.grad(network(x)[target], x)[0]
    return torch.where(x >= mu, 1.0, -1.0) * gradient


ours = gradient_x_sign(network, x, c)
print("largest difference:", float((ours - leadwise.attribute(network, x, "gradient_x_sign", target=c)).abs().max()))


# %% pictures
def side_by_side(image, maps, title, mask=None, columns=4, notes=None):
    """A picture and maps of it, coarse, the known object outlined."""
    tiles = {"picture": image, **{name: coarse(R) for name, R in maps.items()}}
    masks = {} if mask is None else dict.fromkeys(tiles, mask)
    label = "R, mean of 4 × 4 pixels, peaks cut"
    return plot_tiles(tiles, columns=columns, side=42, masks=masks, notes=notes, title=title, label=label)


mask = scene.objects[0].mask
names = ("gradient", "gradient_x_input", "gradient_x_sign")
maps = {leadwise.METHODS[name].title: leadwise.attribute(network, x, name, target=c) for name in names}
notes = {title: f"{percent(share(R, torch.tensor(mask)))} of |R| on the rooster" for title, R in maps.items()}
side_by_side(scene.image, maps, "SIGN keeps the gradient's sizes, and turns the dark side's colours", mask, notes=notes)

# %% [markdown]
# Gradient × input is pale where the picture is a medium grey; gradient × SIGN is as strong as the gradient everywhere.
# [Appendix A5](A5_sign_in_depth.ipynb) shows a photograph, and SIGN with SmoothGrad.

# %% [markdown]
# ## 4 The threshold μ
#
# μ is where "bright" begins. Moving it changes no magnitude; the values that μ passes change their sign.
#
# > **Think first.** Which μ, from −2.2 to 2.7, would you choose for a black object on a bright background? Would any other be
# > wrong?

# %% think first 2
check.think_first("μ for a black object")


# %% sweep
def on_object(relevance):
    """Share of the positive relevance on the object, mean over the scenes that have any; colours are summed first."""
    positive = relevance.sum(1).clamp(min=0)
    return float(((positive * objects).sum((1, 2)) / positive.sum((1, 2))).nanmean())


def signed(mu):
    return torch.where(pictures >= mu, gradient, -gradient)


sweep = np.linspace(-2.2, 2.7, 22)
fig, axis = plt.subplots(figsize=(7, 3), layout="constrained")
axis.plot(sweep, [correlation(signed(mu), gradient) for mu in sweep], ".-", label="correlation with the gradient")
axis.plot(sweep, [on_object(signed(mu)) for mu in sweep], ".-", label="share of positive R on the object")
axis.axhline(0, color="grey", linewidth=0.8)
axis.set(xlabel="μ", ylim=(-1.05, 1.05), title="24 scenes: μ turns the signs, and hardly moves the place")
axis.legend(frameon=False, loc="lower left")
plt.show()

# %% [markdown]
# Below the smallest input the map is the gradient, above the largest minus the gradient. μ should have a meaning before
# it has a value: the background's colour, the mean of the data, in an ECG the isoelectric line. A μ chosen because the
# map looks best is chosen by the wish.

# %% [markdown]
# ## 5 LRP-SIGN
#
# LRP multiplies too. In the first layer the z-rule gives input $j$ its part of each unit's relevance $R_k$:
#
# $$R_j = \sum_k \frac{x_j w_{jk}}{z_k} R_k = x_j \underbrace{\sum_k w_{jk} \frac{R_k}{z_k}}_{c_j}, \qquad z_k = \sum_j x_j w_{jk} + b_k$$
#
# The factor $x_j$ in front is *times input*. LRP-SIGN replaces it [1]:
#
# $$R_j = \operatorname{sign}_\mu(x_j)\; c_j$$
#
# The layers above keep their rules: they multiply by activations, which the network itself computed. In code, $c_j$ is
# the gradient of $z$, weighted with $R_k / z_k$:

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
for one, other in (("lrp_z", "gradient_x_input"), ("lrpsign_z", "gradient_x_sign")):
    a, b = (leadwise.attribute(network, x, method, target=c) for method in (one, other))
    print(f"{one:10s} and {other:17s} correlation {correlation(a, b):.6f}")

# %% [markdown]
# So the rules *above* the first layer make the difference between LRP-SIGN and gradient × SIGN. `input_rule="sign"`
# puts SIGN under any of them; the names `lrpsign_...` mean the same.

# %% combinations
rules = ("lrp_z", "lrp_epsilon", "lrp_gamma", "lrp_epsilon_plus")  # lrp_z is gradient × input: not shown again
named = {leadwise.METHODS[method].title: method for method in rules}
maps = {title: leadwise.attribute(network, x, method, target=c) for title, method in list(named.items())[1:]}
for title, method in named.items():
    maps[f"{title}, SIGN"] = leadwise.attribute(network, x, method, target=c, input_rule="sign")
notes = {title: f"sum {number(float(R.sum()))}" for title, R in maps.items()}
title = f"LRP as it is, and below with SIGN; logit {number(float(network(x)[c].detach()))}"
side_by_side(scene.image, maps, title, mask, notes=notes)

# %% [markdown]
# The sums hide a first price. A map by the z-rule sums to the logit, but for what biases and ε keep. A map of LRP-SIGN
# has the unit *logit per unit of input*, and nothing to add up to: another μ, another sum.

# %% [markdown]
# ## 6 A first ECG
#
# An ECG is mostly zero. Between two heartbeats the twelve leads rest on the [isoelectric
# line](../GLOSSARY.md#isoelectric-line); the [P wave](../GLOSSARY.md#p-wave), with which the atria announce the beat,
# rises little above it; the [QRS complex](../GLOSSARY.md#qrs-complex) of the ventricles towers over both. *Times input*
# leans towards the QRS.
#
# The network here looks for a first-degree [AV block](../GLOSSARY.md#av-block): the time from P to QRS is longer than
# 200 ms [6]. What makes the finding is a small wave, and the flat line after it.

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
early = torch.tensor((part == "P") | (part == "P to QRS"))
notes = {title: f"{percent(share(R, early))} in P, P to QRS" for title, R in maps.items()}
plot_grid(ecg, maps, leads=("II", "V1", "V5"), stop=2, notes=notes, title=f"AVB network, {info.title}")

# %% relevance by part
table = [[(part == name).mean() for name in PARTS]]
table += [[share(R, torch.tensor(part == name)) for name in PARTS] for R in maps.values()]
plot_matrix(table, ["share of the time", *maps], PARTS, title="Share of |R| by part of the beat", write=percent)

# %% [markdown]
# Which row is right? Of a simulated patient the cause is known: the samples in which this AV block differs from the
# same patient without it, from P onset to QRS onset. How much of the *positive* relevance lies in them, over twelve
# patients?

# %% known cause
patients = [leadwise.simulate_ecg("AVB", seed=seed).preprocess().window() for seed in range(9000, 9012)]
signals = torch.stack([patient.tensor() for patient in patients])
cause = torch.tensor(np.stack([patient.causal_mask for patient in patients]))
covered = percent(float(cause.float().mean()))
print(f"patient and healthy twin differ in {covered} of all samples; of the positive relevance these hold")
for method in ("random", "magnitude", "square", *METHODS):
    positive = leadwise.attribute(model, signals, method, target=1).clamp(min=0)
    inside = (positive * cause).sum((1, 2)) / positive.sum((1, 2))
    print(f"  {percent(float(inside.mean())):>5s}  {title_of(method)}")

# %% [markdown]
# White noise lands at the area, as it must. The next two ask no network either: |x| and x² are what any map inherits
# that multiplies by the input. Compare *times input* with them before you credit the network. A method below the area
# points away from the samples that differ from the healthy twin.

# %% [markdown]
# ## 7 What SIGN costs
#
# **Background.** Everything that the network is a little sensitive to now counts in full. On the scenes the cost can be
# measured:

# %% scene table
pairs = [("gradient_x_input", "gradient_x_sign")]
pairs += [(f"lrp_{rule}", f"lrpsign_{rule}") for rule in ("epsilon_0_1", "epsilon_0_25_std_x", "alpha_1_beta_0")]
table = [[on_object(explain(method)) for method in pair] for pair in pairs]
rows, area = [title_of(plain) for plain, _ in pairs], f"area: {percent(float(objects.float().mean()))}"
plot_matrix(table, rows, ["times input", "SIGN"], title="Positive R on the object", label=area, write=percent)

# %% [markdown]
# What lies near zero was the evidence in the AV block; in a scene it is as often background, and *times
# input* a filter that happens to fit. Neither is a law; a known cause tells which case one has.
#
# **Noise at the threshold.** Near μ the sign is decided by noise. Add 2 µV to the recording; from paper one reads
# steps of 100:

# %% flips
noisy = voltage + 0.002 * torch.randn(voltage.shape, generator=torch.Generator().manual_seed(0))
flipped = ((noisy >= 0) != (voltage >= 0)).float().mean()
print(f"{float(flipped):.1%} of the samples change their sign; correlation of the maps before and after")
for method in ("gradient", *METHODS):
    before, after = (leadwise.attribute(model, signal, method, target=1) for signal in (voltage, noisy))
    print(f"  {correlation(before, after):.3f}  {title_of(method)}")

# %% [markdown]
# On a flat line, single samples of a SIGN map may therefore be orange or blue by chance. Read their sign over a wave,
# not sample by sample. A μ slightly off the isoelectric line removes the flicker, and is a choice to be named.
#
# **Exact zeros** need a sign too. The course follows the authors' TensorFlow software: $\operatorname{sign}(0) = +1$.
# `torch.sign` has 0 there, which is *times input* again ([appendix A5](A5_sign_in_depth.ipynb), section 2).

# %% [markdown]
# ## 8 A name is no specification
#
# `signxai2` brings the software of SIGN's authors to PyTorch. Do its names give our maps?

# %% signxai
from signxai.torch_signxai import calculate_relevancemap


def by_signxai(network, x, name, target):
    """The package's map of one sample."""
    return torch.tensor(calculate_relevancemap(network, x[None], name, target_class=target)[0])


for name in ("gradient", "gradient_x_sign", "deconvnet", "lrpsign_epsilon_0_25_std_x"):
    ours = leadwise.attribute(network, x, name, target=c)
    print(f"{name:28s}{correlation(by_signxai(network, x, name, c), ours):.4f}")

# %% [markdown]
# Two names agree, two do not. [Appendix A5](A5_sign_in_depth.ipynb) finds out why, convention by convention and version
# by version. Before a map of any software, this course's included, enters a paper: compare it with a second
# implementation on your own model, and write the version down.

# %% [markdown]
# ## 9 Explore
#
# Move μ, and watch colours change while magnitudes stay. Then take LRP, with SIGN in the first layer.

# %% image explorer
from leadwise.explorers import ECGExplorer, ImageExplorer

explorer = ImageExplorer(scene, network, method="gradient_x_sign", target=c)
explorer.controls["style"].value, explorer.controls["threshold"].value = "alone", 0.25
explorer

# %% [markdown]
# Compare gradient × input with gradient × SIGN around the P wave, then raise μ to 0.1 mV.

# %% ecg explorer
ecg_explorer = ECGExplorer(record, model="AVB", method="gradient_x_sign")
ecg_explorer

# %% [markdown]
# ## Exercises
#
# Each cell holds the names that its check asks for. Solutions, and answers to the prompts: `solutions/05_sign.ipynb`.
#
# **1 Write code.** One μ means a different grey in each colour (section 1). Write `sign_at(x, level)`, whose threshold
# is the same grey, from 0 to 1, in all three. For which share of the scenes' values does `sign_at(pictures, 0.45)`
# differ from μ = 0?


# %% exercise 1 tags=["solution"] answers=["sign_at"]
# Exercise 1: sign_at(x, level) is +1 where x (..., 3, H, W) is at least as bright as the grey, else -1. Use `grey(level)`.
def sign_at(x, level):
    """+1 where a pixel is at least as bright as the grey, else -1; shaped like x (..., 3, H, W)."""
    return torch.where(x >= grey(level), 1.0, -1.0)


differ = sign_at(pictures, 0.45) != torch.where(pictures >= 0, 1.0, -1.0)
print(percent(float(differ.float().mean())))

# %% check 1
check.one_grey(sign_at, scenes=pictures)

# %% [markdown]
# **2 Predict, then look.** A recording has slipped: its baseline lies 0.2 mV too high, in all leads. Predict the mean
# $|R|$ *between beats* under gradient × input, divided by that under gradient × SIGN, in mV, as `predicted`. The check
# keeps it, and never marks it. Then explain `voltage + 0.2` and measure it, as `quotient`; `part == "between beats"`
# picks the samples.

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
# does not see the slip in its factor; the network may see it, and then both gradients change. The filters of notebook 07
# move each lead back to zero, and take out what drifts.

# %% check 2
check.slipped_baseline(predicted, quotient)

# %% [markdown]
# **3 Find the bug.** A colleague's map looks plausible and is wrong. Write the function again, as
# `mended(network, x, target)`. What does the colleague's map explain instead?


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
# **4 Interpret.** In the table of section 6, under gradient × SIGN, the line between beats has $k$ times the T wave's
# share of $|R|$. Which `reading` does that allow?
#
# - `"a"`: the network uses the line $k$ times as much as the T wave.
# - `"b"`: if every sample of the line moved a little, each in the direction of its own slope, the logit would rise $k$ times as
#   fast as if those of the T wave did.
# - `"c"`: the line speaks $k$ times as strongly *for* the block.
# - `"d"`: $k$ times as much of the logit comes from the line.

# %% exercise 4 tags=["solution"] answers=["reading"]
# Exercise 4: set `reading` to "a", "b", "c" or "d".
reading = "b"
# SIGN's relevance is a slope. It does not say that samples have contributed, nor what happens if they go.

# %% check 4
check.what_a_share_says(reading)

# %% [markdown]
# **5 Test it.** Take each of `PARTS` away: replace it, in all leads, by a straight line between its neighbours
# (`numpy.interp`). `change` is a dict: part → by how much *logit 1 minus logit 0* of `model` rises (+) or falls (−).


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
# **6 Check another package.** The package has a method `lrp.epsilon`. Does it have ε in every layer?

# %% another name
theirs = by_signxai(network, x, "lrp.epsilon", c)
plain = leadwise.attribute(network, x, "lrp_epsilon", target=c, epsilon=1e-6)
print(f"correlation with LRP-ε, ε in every layer: {correlation(theirs, plain):.4f}")

# %% [markdown]
# Make a map `rebuilt` that correlates with `theirs` to more than 0.999. Candidates are the ready-made rules
# `EpsilonPlus` and `EpsilonAlpha2Beta1` of `zennit.composites`: inside
# `with EpsilonPlus(epsilon=1e-6).context(network) as hooked:`, the gradient of `hooked(...)[0, c]` is the relevance.

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
# - **μ for a black object:** Any μ between the object and its background gives all of the object one sign; outside of that
#   range the object has the sign of the background. None is wrong: μ says what counts as absent, and has to be stated.
# - **The order of four methods:** *Times input* gives little to a nearly flat stretch, so one expects the two SIGN methods
#   first. The notes beside the maps say whether it is so for this network. A share is no proof that the network uses the
#   part; section 6 compares with the known cause.

# %% [markdown]
# ## Quiz

# %% quiz
check.quiz()

# %% progress
check.progress()

# %% [markdown]
# ## Take away
#
# - *Times input* gives zero to whatever was encoded as zero: black, a medium grey, the isoelectric line.
# - SIGN keeps the side of μ and drops the size. Magnitudes are the gradient's; only signs depend on μ.
# - LRP multiplies by the input in its first layer. LRP-SIGN replaces that factor, and gives up the sum.
# - What SIGN uncovers may be evidence or background. A known cause decides; a nicer map does not.
# - Near μ, noise decides the sign. Read signs over waves and regions.
# - A method's name is no specification. Compare implementations, on your own model.

# %% [markdown]
# ## Go further
#
# - [06 Can you trust it?](06_can_you_trust_it.ipynb) tests all methods, SIGN among them, on causes that are known.
# - [09 Lead-wise attribution](09_lead_wise_attribution.ipynb) reads such maps lead by lead.
# - [A5 SIGN in depth](A5_sign_in_depth.ipynb): the authors' package, and other ways to leave *times input*.

# %% [markdown]
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
