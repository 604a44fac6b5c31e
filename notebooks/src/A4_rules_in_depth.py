# %% [markdown]
# # A4 Relevance rules in depth
#
# What notebook 04 leaves out so that its story stays whole: what a library sees that works by hooks, why the γ-rule favours
# contributions and not weights, rules for the pixels side by side, leaks layer by layer, the choice that max-pooling makes, a
# contrast that helps nothing, and one function built in two ways. For who uses LRP on networks of their own, or compares
# programs; nothing later in the course depends on it.
#
# **Before:** notebook 04.

# %% imports
import copy

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn

import leadwise
from leadwise.attribution import relevance_by_layer
from leadwise.explorers import RuleLab
from leadwise.images.scenes import make_scene
from leadwise.inspection import feature_maps
from leadwise.networks.alexnet import load_alexnet, preprocess
from leadwise.networks.network import Network
from leadwise.plotting import percent, plot_image_grid, plot_tiles

# %% the scene of notebook 04
net = load_alexnet("embedded")
scene = make_scene(84)
(thing,) = scene.objects
x, target, mask = preprocess(scene.image), thing.index, thing.mask
logits = net(x).detach()
start = torch.zeros_like(logits)
start[target] = logits[target]


def share_on(R, mask):
    """Return the share of the positive relevance, of R (3, H, W), that lies on a mask (H, W)."""
    positive = R.sum(0).clamp(min=0)
    return float(positive[torch.from_numpy(mask)].sum() / positive.sum().clamp(min=1e-12))


def explain(method, **parameters):
    """Explain the scene's object."""
    return leadwise.attribute(net, x, method, target=target, **parameters)


# %% [markdown]
# ## 1 Hooks and operations
#
# zennit [1] attaches a rule to each module as a hook. `leadwise.attribute` works **by operations**: it watches one forward pass, and
# whatever computes there, a module, a function such as `F.relu`, or a plain `+`, is given the backward pass of its rule. What changes
# values and has no rule is refused by name. On AlexNet, which is nothing but modules, both give one map.

# %% two implementations
from zennit.attribution import Gradient
from zennit.composites import LayerMapComposite
from zennit.rules import Epsilon, Norm, Pass
from zennit.types import Activation, AvgPool, Linear

rules = LayerMapComposite([(Linear, Epsilon(0.1)), (Activation, Pass()), (AvgPool, Norm())])
with Gradient(net, rules) as attributor:
    _, by_zennit = attributor(x[None], start[None])
course = explain("lrp_epsilon", epsilon=0.1)
print(f"largest difference: {float((by_zennit[0] - course).abs().max() / course.abs().max()):.1e} of the maximum")

# %% [markdown]
# The same map twice, up to rounding.
#
# The difference shows where a network does something *between* its modules. No hook stands there, so autograd hands on the
# plain gradient, without a word. In a **skip connection**, $y = x + g(x)$, the gradient of a sum is 1 in both of its terms: each
# branch gets the whole relevance, where the rule would give each its share. Two layers show it.


# %% a skip connection
class Skip(nn.Module):
    """A layer and a way around it, then two logits; no biases."""

    def __init__(self):
        super().__init__()
        self.layer, self.output = nn.Linear(8, 8, bias=False), nn.Linear(8, 2, bias=False)

    def forward(self, x):
        return self.output(x + self.layer(x))


torch.manual_seed(0)
skip, signal = Skip(), torch.randn(1, 8)
scores = skip(signal).detach()
with Gradient(skip, LayerMapComposite([(Linear, Epsilon(1e-6))])) as attributor:
    _, by_hooks = attributor(signal, scores * torch.tensor([[1, 0]]))
by_operations = leadwise.attribute(skip, signal, "lrp_epsilon", target=0, epsilon=1e-6)
for name, R in {"hooks on modules": by_hooks, "operations": by_operations}.items():
    print(f"{name:17s} sum of relevance / logit {float(R.sum() / scores[0, 0]):.3f}")

# %% [markdown]
# Every further skip connection doubles it again. For architectures that it knows zennit has *canonisers*, which put a module
# where the `+` was; for a network of your own you would have to notice that one is needed.

# %% [markdown]
# ## 2 γ, weights and signs
#
# The γ-rule as it was first written [2] lets positive *weights* count $1 + \gamma$ times:
#
# $$R_j = \sum_k \frac{a_j (w_{jk} + \gamma w_{jk}^+)}{\sum_{j'} a_{j'} (w_{j'k} + \gamma w_{j'k}^+)}\, R_k$$
#
# This form needs inputs $a_j \ge 0$ and a unit with $z_k > 0$. Inputs of both signs come from the pixels, and from activations such
# as ELU. The generalised rule, which zennit credits to Andéol et al. [3], favours the *contributions* that have the sign of $z_k$
# instead of the weights. Two units with two inputs each show what that mends: shares of $R_k = 1$.


# %% gamma and signs
def weights_favoured(come, weight, gamma):
    """Share out 1 by the rule above, for one unit with inputs come (J,) and weights (J,)."""
    share = come * (weight + gamma * weight.clamp(min=0))
    return share / share.sum()


unit, both_signs = nn.Linear(2, 1, bias=False), {"a negative input": ([1, -1], [1, 0.6]), "z < 0": ([1, 1], [0.6, -1])}
for title, case in both_signs.items():
    come, weight = torch.tensor(case, dtype=torch.float32)
    unit.weight.data = weight[None]
    print(f"{title}: contributions {[round(value, 2) for value in (come * weight).tolist()]}")
    for gamma in (0.0, 0.5, 1.0):
        general = leadwise.attribute(unit, come[None], "lrp_gamma", target=0, gamma=gamma)[0] / (come @ weight)
        rules = {"weights": weights_favoured(come, weight, gamma), "contributions": general}
        print(f"   γ = {gamma:g}" + "".join(f"   {what} {R[0]:6.2f} {R[1]:6.2f}" for what, R in rules.items()))

# %% [markdown]
# With a negative input both weights are positive, both are favoured, and γ changes nothing. At $z_k < 0$ a favoured weight speaks
# *against* the unit: the denominator shrinks, passes zero, and the shares blow up and change their signs. Favoured contributions
# outvote the contradiction in both cases. `lrp_gamma` is the generalised rule; with inputs and $z_k$ above zero, the two are one.

# %% [markdown]
# ## 3 Rules for the pixels, side by side
#
# Notebook 04 names three rules that avoid the factor $a_j$ at the pixels. (SIGN, notebook 05's subject, is a fourth:
# $\operatorname{sign}(a_j)\, w_{jk}$, without conservation.) Here they stand under one rule for the layers above.

# %% first layer
maps = {f"first layer: {rule}": explain("lrp_gamma", input_rule=rule) for rule in ("same", "flat", "wsquare", "zbox")}
notes = {name: f"{percent(share_on(R, mask))} on the {thing.label}" for name, R in maps.items()}
title = "γ = 0.25 above, another rule for the pixels"
plot_image_grid(x, maps, notes=notes, mask=mask, clip=99, style="alone", columns=5, title=title)

# %% [markdown]
# In the lab: where z-box measures from, and how the two αβ rules differ with and without bias.

# %% lab box
RuleLab(rule="zbox", kind="pixels")

# %% [markdown]
# ## 4 Leaks, layer by layer
#
# LRP's promise is $\sum_{\text{pixels}} R = f$, and the same sum in every layer between [4, eq. 2]. `relevance_by_layer` returns the
# relevance at the output of every module. Beside the network stands a twin whose biases are zero.

# %% twin and rules
twin = copy.deepcopy(net)
for layer in twin.modules():
    if isinstance(layer, (nn.Conv2d, nn.Linear)):
        layer.bias.data.zero_()
RULES = {
    "z": ("lrp_z", {}),
    "ε = 1": ("lrp_epsilon", {"epsilon": 1.0}),
    "α2β1, whole b": ("lrp_alpha_beta", {"alpha": 2.0}),
    "w²": ("lrp_wsquare", {}),
}

# %% stops
STOPS = {
    "logit": "classifier.6",
    "dense 3": "classifier.5",
    "dense 2": "classifier.2",
    "dense 1": "features.12",
    "conv 5": "features.9",
    "conv 4": "features.7",
    "conv 3": "features.5",
    "conv 2": "features.2",
    "conv 1": "input",
}  # a layer -> the module whose output is that layer's input

# %% conservation
figure, axes = plt.subplots(1, 2, figsize=(11, 4.2), sharey=True, layout="constrained")
for axis, model, title in zip(axes, (net, twin), ("with biases", "biases set to zero"), strict=True):
    for i, (name, (method, parameters)) in enumerate(RULES.items()):
        R = relevance_by_layer(model, x, method, target=target, **parameters)
        sums = [float(R[module].sum() / R["classifier.6"].sum()) for module in STOPS.values()]
        axis.plot(sums, "o-", markersize=8 - 2 * i, label=name)  # the smaller lie on the larger where two agree
    axis.set(title=title, xlabel="summed below this layer")
    axis.set_yscale("symlog", linthresh=1)
    axis.yaxis.set_major_formatter("{x:g}")
    axis.set_xticks(range(len(STOPS)), STOPS, rotation=45)
axes[0].set_ylabel("sum of relevance / logit")
axes[1].legend(frameon=False, loc="lower left")
plt.show()

# %% [markdown]
# Read the right panel first. Without biases z and α2β1 hold the line: whatever they do *within* a layer, the sum stays. **ε absorbs** a
# fraction of every $R_k$, in every layer. **w² loses at the average pooling** behind the last convolution, and so does flat: they
# hand relevance to features that are exactly zero, and the pooling's z-rule has no use for it, since a feature of zero contributed
# nothing. Below it they are conserved again.
#
# In the left panel **biases** take, or give: where $b_k$ has the sign of $z_k$ less than $R_k$ is handed on, where it has the other
# sign more. Under αβ with the whole bias in both accounts the positive one can hand on more than it has. The **z-box** does not leak
# in the first layer: its shares are defined so that the bias drops out, $b - b^+ - b^- = 0$.
#
# The ε-rule's account, which notebook 04 closes: of $R_k$, the bias keeps $R_k\, b_k / (z_k + \epsilon \operatorname{sign} z_k)$ and
# ε absorbs $R_k\, \epsilon \operatorname{sign} z_k / (z_k + \epsilon \operatorname{sign} z_k)$. The rule "all to the first pixel"
# conserves perfectly: conservation is a test, not a goal.

# %% [markdown]
# ## 5 Max-pooling: the winner takes all
#
# A max-pooling window has one winner, which alone made the output; so it gets all the relevance. A window of 3 × 3 may hold eight
# values nearly as large, which get nothing, and a tiny change of the picture may crown another one. The alternative shares
# out in proportion to the values, as if the window had been averaged; both conserve.
#
# Which of the two gives relevance to more features? Which map changes more under a little noise? Decide before you look.

# %% pooling
R = relevance_by_layer(net, x, "lrp_epsilon", target=target, epsilon=1.0)
a = feature_maps(net, x, "features.1").requires_grad_()  # the first ReLU, which the first max-pooling looks at
mean = nn.functional.avg_pool2d(a, 3, 2)
(slope,) = torch.autograd.grad(mean, a, R["features.2"] / mean.detach().clamp(min=1e-7))
two_ways = {"the winner takes all": R["features.1"], "in proportion": a.detach() * slope}
for name, part in two_ways.items():
    print(
        f"{name:21s} sum {float(part.sum()):.3f}; {percent(float((part != 0).float().mean()))} of the features get some"
    )
tiles = {"behind the pooling": R["features.2"]} | two_ways
plot_tiles(
    {name: part.sum(0) for name, part in tiles.items()},
    title="One relevance, two ways through a pooling",
    label="relevance R",
)

# %% [markdown]
# The average gives relevance to every feature in a window, so to more of them. Does the choice reach the pixels? The lines of notebook
# 04, with a choice for the pooling:


# %% lrp from scratch
def lrp(model, x, start, epsilon=0.1, pooling="winner"):
    """Hand ``start`` (classes,) back to the pixels x (3, H, W) of an AlexNet, by the epsilon rule."""
    layers = [*model.features, model.avgpool, model.flatten, *model.classifier]
    inputs = [x[None]]
    for layer in layers:
        inputs.append(layer(inputs[-1]).detach())
    R = start[None]
    for layer, a in zip(reversed(layers), reversed(inputs[:-1]), strict=True):
        if isinstance(layer, (nn.ReLU, nn.Dropout)):
            continue
        if isinstance(layer, nn.MaxPool2d) and pooling == "share":
            layer = nn.AvgPool2d(layer.kernel_size, layer.stride)
        a = a.requires_grad_()
        z = layer(a)
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            s = R / (z + epsilon * torch.where(z >= 0, 1, -1))
        elif isinstance(layer, (nn.AvgPool2d, nn.AdaptiveAvgPool2d)):
            s = R / torch.where(z == 0, 1e-7, z)
        else:  # the winner of max-pooling gets all of it; flatten changes the shape back
            R = torch.autograd.grad(z, a, R)[0]
            continue
        R = a.detach() * torch.autograd.grad(z, a, s.detach())[0]
    return R[0]


# %% [markdown]
# A test: add a little noise to the picture, too little to see, and compare the maps before and after.

# %% pooling and noise
noisy = x + 0.02 * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
for epsilon in (0.1, 1):
    for pooling in ("winner", "share"):
        R, again = (lrp(net, picture, start, epsilon, pooling) for picture in (x, noisy))
        stable = float(torch.corrcoef(torch.stack([R.flatten(), again.flatten()]))[0, 1])
        print(f"ε = {epsilon:<4g}{pooling:7s} correlation of the maps {stable:.3f}")

# %% [markdown]
# Where noise changes the winner, its relevance jumps to a neighbour. The winner's version is true to the forward pass, and every LRP
# method of the course uses it. If your network has large or overlapping windows, know that it is a choice.

# %% [markdown]
# ## 6 Contrast, by which score?
#
# Gu et al. [5] start with the target's score, and take the same score, spread evenly, from the others:
# $R_c = f_c$, $R_k = -f_c / (K - 1)$. LRP is linear in its start, so the maps of all classes are enough
# (notebook 04).


# %% starts
def all_classes(x, method, **parameters):
    """Return one map for each class, (K, 3, H, W)."""
    batch, each = x.expand(len(logits), -1, -1, -1), torch.arange(len(logits))
    return leadwise.attribute(net, batch, method, target=each, progress=False, **parameters)


def contrast(maps, logits):
    """Return, for maps (K, ...) of all classes, that of each start f_c, -f_c / (K - 1) for the others."""
    scores = logits.view(-1, *[1] * (maps.ndim - 1))
    unit = maps / scores  # the map that a start of 1 would give
    return maps - scores / (len(maps) - 1) * (unit.sum(0) - unit)


# %% [markdown]
# The scores of the others could also be subtracted as they are, $R_k = -f_k/(K-1)$. That looks like the same idea. It is not: a
# class with a low logit then weighs little, and one with a *negative* logit is added. The table asks, of scenes with two
# objects, how often the map of one object has more on it than on the other.

# %% contrast measured
SHOWN = {"ε everywhere": "lrp_epsilon", "z⁺ everywhere": "lrp_zplus", "dense ε, γ, z-box": "lrp_epsilon_gamma_box"}
pairs = [make_scene(seed, objects=2) for seed in range(300, 312)]
print(f"{'more on the explained object':32s}one logit   target's score   own scores")
for name, method in SHOWN.items():
    right, negative = np.zeros(3), 0
    for picture in pairs:
        x_pair = preprocess(picture.image)
        maps, scores = all_classes(x_pair, method), net(x_pair).detach()
        own = maps - (maps.sum(0) - maps) / (len(maps) - 1)
        negative += int((scores < 0).sum())
        for this, that in (picture.objects, picture.objects[::-1]):
            for column, found in enumerate((maps, contrast(maps, scores), own)):
                R = found[this.index]
                right[column] += share_on(R, this.mask) > share_on(R, that.mask)
    print(f"{name:32s}{right[0]:9.0f}{right[1]:17.0f}{right[2]:13.0f}   of {2 * len(pairs)}")
print(f"{percent(negative / (len(pairs) * len(logits)))} of all logits are negative")

# %% [markdown]
# A half is what a method reaches that ignores the class. Compare the columns row by row. Where the maps of all classes are
# nearly one map times a number, as with z⁺, little is left to subtract, but a start that weighs all classes alike brings that
# little out; one that weighs them by their own scores may not. So the *start* is part of the method, and "contrastive LRP" without
# its formula is half a name.

# %% [markdown]
# ## 7 What the answer fixes
#
# A softmax of two logits does not change when the same number, or the same function of the input, is added to both, while the map of
# either logit changes at will:


# %% the logit is not identified
class SameAnswer(nn.Module):
    """A network with another number added to all its logits: no probability changes."""

    def __init__(self, network, weight):
        super().__init__()
        self.network, self.weight = network, weight

    def forward(self, x):
        return self.network(x) + (x * self.weight).flatten(1).sum(1, keepdim=True)


weight = 0.01 * torch.randn(x.shape, generator=torch.Generator().manual_seed(1))
disguised = SameAnswer(net, weight)
probabilities = [torch.softmax(one(x[None]).detach(), 1) for one in (net, disguised)]
moved = float((probabilities[0] - probabilities[1]).abs().max())
print(f"largest change of a probability {moved:.1e}")
for explain_what in ("logit", "log-odds"):
    pair_of_maps = [
        leadwise.attribute(Network(one, outputs="classes"), x, "gradient_x_input", target=target, explain=explain_what)
        for one in (net, disguised)
    ]
    like = float(torch.corrcoef(torch.stack([R.flatten() for R in pair_of_maps]))[0, 1])
    print(f"gradient × input of the {explain_what:9s} correlation of both networks' maps {like:.3f}")

# %% [markdown]
# So say which of them you show, the map of one logit or that of the log-odds, and where a sentence speaks about the *answer*,
# take the log-odds: `attribute(..., explain="log-odds")`.

# %% [markdown]
# ## 8 One function, built in two ways
#
# Asking the same function twice should also give the same map twice. Methods that see only inputs and outputs, or gradients, do
# so by nature: they are *implementation invariant*. LRP and DeepLIFT are not. They read how the function is built, and one
# function can be built in two ways:


# %% two buildings of one function
def of_two_layers(through):
    """Return x -> (x_1 - 2 x_2, 0) in two linear layers, the first of which stretches and turns by ``through``."""
    first_layer, second_layer = nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False)
    first_layer.weight.data = through @ torch.eye(2)
    second_layer.weight.data = torch.tensor([[1.0, -2.0], [0.0, 0.0]]) @ torch.linalg.inv(through)
    return nn.Sequential(first_layer, second_layer)


point = torch.tensor([[1.0, 0.4]])
for label, through in (("straight", torch.eye(2)), ("detour", torch.tensor([[1.0, 1.0], [0.5, 2.0]]))):
    network = of_two_layers(through)
    print(f"{label:10s}f = {network(point)[0, 0].item():.2f}", end="")
    for method in ("gradient_x_input", "integrated_gradients", "lrp_epsilon", "lrp_zplus"):
        R = leadwise.attribute(network, point, method, target=0)[0]
        print(f"   {method} {[round(value, 2) for value in R.tolist()]}", end="")
    print()

# %% [markdown]
# The activation is a part of the building, too. Ancona et al. [6] showed that LRP-ε with ε → 0 is gradient × input with the slope
# $g'(z)$ of each activation replaced by $g(z) / z$. Freeze that quotient, and autograd computes the map without any rule:


# %% g(z) / z
def through_quotients(first, g, last, x):
    """Return gradient x input of logit 0, with each activation's slope replaced by g(z) / z."""
    x = x.clone().requires_grad_()
    z = first(x)
    (slope,) = torch.autograd.grad(last(z * (g(z) / z).detach())[:, 0].sum(), x)
    return (x * slope).detach()


torch.manual_seed(1)
first, last, points = nn.Linear(6, 12), nn.Linear(12, 2), torch.randn(20, 6)
for g in (nn.ReLU(), nn.ELU()):
    network = nn.Sequential(first, g, last)
    R = leadwise.attribute(network, points, "lrp_epsilon", target=0, epsilon=1e-7)
    others = {
        "g(z) / z": through_quotients(first, g, last, points),
        "gradient × input": leadwise.attribute(network, points, "gradient_x_input", target=0),
    }
    print(f"{type(g).__name__}, LRP-ε against", end="")
    for what, other in others.items():
        print(f"   {what}: differ by {percent(float((R - other).abs().max() / R.abs().max()))} of the maximum", end="")
    print()

# %% [markdown]
# For ReLU both slopes are the same, 0 or 1: the z-rule is gradient × input, as in notebook 04. For ELU, the activation of the ECG
# networks, $g(z)/z$ lies between the slopes that the curve has from zero to $z$: it is their mean, as in DeepLIFT's rescale rule where
# the reference has $z = 0$. So LRP-ε of notebook 09 is *not* gradient × input in another dress.
#
# And a caution: a rule that favours, γ or z⁺, gains calm at the price of the weights. What it hands on is no longer what they say.

# %% [markdown]
# ## References
#
# 1. Anders et al. 2021, Software for dataset-wide XAI: from local explanations to global insights with Zennit, CoRelAy, and
#    ViRelAy, [arXiv:2106.13200](https://arxiv.org/abs/2106.13200)
# 2. Montavon et al. 2019, Layer-wise relevance propagation: an overview,
#    [doi:10.1007/978-3-030-28954-6_10](https://doi.org/10.1007/978-3-030-28954-6_10)
# 3. Andéol et al. 2021, Learning domain invariant representations by joint Wasserstein distance minimization,
#    [arXiv:2106.04923](https://arxiv.org/abs/2106.04923)
# 4. Bach et al. 2015, On pixel-wise explanations for non-linear classifier decisions by layer-wise relevance propagation,
#    [doi:10.1371/journal.pone.0130140](https://doi.org/10.1371/journal.pone.0130140)
# 5. Gu, Yang, Tresp 2018, Understanding individual decisions of CNNs via contrastive backpropagation,
#    [doi:10.1007/978-3-030-20893-6_8](https://doi.org/10.1007/978-3-030-20893-6_8)
# 6. Ancona et al. 2018, Towards better understanding of gradient-based attribution methods for deep neural networks,
#    [arXiv:1711.06104](https://arxiv.org/abs/1711.06104)
