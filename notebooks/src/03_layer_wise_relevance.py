# %% [markdown]
# # 03 Layer-wise relevance
#
# A gradient says how a logit would *change*. [Layer-wise relevance propagation](../GLOSSARY.md#layer-wise-relevance-propagation)
# (LRP) asks where the logit *came from*: it starts with its value and hands it back, layer by layer, until every pixel holds a
# share. What a share is, a rule says. This notebook builds LRP from nothing, and then takes the rules apart.
#
# **You will be able to**
#
# - compute LRP by hand for a small network, and in 25 lines for AlexNet,
# - say what the z, ε, γ, αβ, flat, w² and z-box rules do, and choose their parameters,
# - follow the sum of relevance from the logit to the pixels, and name what takes a part of it,
# - read a composite, and say why it has different rules at different depths,
# - choose which logit to explain, or which difference of logits.
#
# **Before:** notebooks 01 and 02.
#
# **Clinician's path:** from 02; section 1. Next: 08.

# %% imports
import copy

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn

import leadwise
from leadwise.attribution import relevance_by_layer
from leadwise.checks import lrp as check
from leadwise.explorers import ImageExplorer, RuleLab
from leadwise.images.scenes import make_scene
from leadwise.inspection import feature_maps
from leadwise.networks.alexnet import load_alexnet, preprocess
from leadwise.networks.network import Network
from leadwise.plotting import number, percent, plot_tiles
from leadwise.plotting.rule import plot_flow

# %% [markdown]
# ## 1 Two layers by hand
#
# Three inputs, three hidden units with ReLU, one logit, no bias. An edge carries what the unit at its left end contributes
# to the unit at its right end:
#
# $$z_{jk} = a_j w_{jk}, \qquad z_k = \sum_j z_{jk}, \qquad a_k = \max(0, z_k)$$

# %% forward
x = np.array([2.0, 1.0, 1.0])
W1 = np.array([[1, -1, -1], [1, 2, 0], [-1, 1, 1]])  # row: input, column: hidden unit
W2 = np.array([[2], [-1], [1]])

a = np.maximum(x @ W1, 0)
f = a @ W2
names = ["input", "hidden", "logit"]
plot_flow([x, a, f], [x[:, None] * W1, a[:, None] * W2], names=names, title="Forward: contributions")

# %% [markdown]
# Backward, every unit shares out its relevance in proportion to what it received. This is the **z-rule** [1, eq. 56]:
#
# $$R_{j \leftarrow k} = \frac{z_{jk}}{z_k}\, R_k, \qquad R_j = \sum_k R_{j \leftarrow k}$$
#
# The start is the logit itself, $R_f = f = 3$.
#
# > **Think first.** The upper hidden unit contributed 4, the middle one −1. What is the relevance of each input? Do all three
# > sums on paper.

# %% think first 1
check.think_first("the relevance of the three inputs")


# %% backward
def z_rule(a, W, R):
    """Return what each input j receives from each output k, (J, K)."""
    z = a @ W
    return a[:, None] * W / np.where(z == 0, 1, z) * R


to_hidden = z_rule(a, W2, f)
to_input = z_rule(x, W1, to_hidden.sum(1))
R = [to_input.sum(1), to_hidden.sum(1), f]
print("sums, from the logit down:", *(float(part.sum()) for part in reversed(R)))
plot_flow(R, [to_input, to_hidden], names=names, title="Backward: relevance by the z-rule")

# %% [markdown]
# Three things to see. Each layer holds 3, the logit: relevance is [conserved](../GLOSSARY.md#conservation). The middle input got 2 from one unit and −2
# from the other: **cancellation** leaves nothing. The lowest hidden unit is silent, so it has nothing to hand on.
#
# In a ReLU network the z-rule is an old friend. An active unit has $a_k = z_k$, so with $g = R / a$ the rule reads
# $g_j = \sum_k w_{jk}\, g_k$, over the active units: exactly how a gradient travels down. Hence
# $R = x \odot \partial f / \partial x$ [2, 3].

# %% gradient x input
torch.manual_seed(0)
for bias in (False, True):
    sizes = [nn.Linear(*size, bias=bias) for size in ((8, 16), (16, 8), (8, 3))]
    small = nn.Sequential(sizes[0], nn.ReLU(), sizes[1], nn.ReLU(), sizes[2])
    inputs = torch.randn(5, 8)
    z, gradient = (leadwise.attribute(small, inputs, method, target=0) for method in ("lrp_z", "gradient_x_input"))
    logit = small(inputs)[:, 0].detach()
    print("with biases:" if bias else "no biases:  ", end=" ")
    print(f"largest |LRP-z − gradient × input| {float((z - gradient).abs().max()):.1e},", end=" ")
    print(f"largest |sum of relevance − logit| {float((z.sum(1) - logit).abs().max()):.1e}")

# %% [markdown]
# With biases the maps still agree, for the bias takes part in $z_k$; but their sum is no longer the logit. A bias takes its
# share $b_k / z_k$ of $R_k$, and no input gets it. `RuleLab` keeps the account. It shows one layer: on the left what the inputs
# contribute, on the right what they receive, below what was handed on, kept, absorbed. Here is the first layer from above, with
# a bias of 2 on its first unit.

# %% bias by hand
b = np.array([2.0, 0.0, 0.0])
hidden = np.maximum(x @ W1 + b, 0)
RuleLab(x, W1, b, relevance=hidden * W2[:, 0], rule="z")

# %% [markdown]
# The bias supplied a half of $z_1 = 4$, so it keeps a half of the relevance. What it keeps says "this unit would be active
# without any input"; no pixel can be blamed for it.

# %% [markdown]
# ## 2 LRP in 25 lines
#
# AlexNet has three kinds of layers that matter. Convolutions and dense layers share out by the rule. Max-pooling hands all to
# the winner of each window. ReLU, dropout and flatten let relevance pass unchanged.
#
# One trick makes it short. The sum $\sum_k w_{jk} s_k$ with $s_k = R_k / z_k$ is what a backward pass through the layer
# computes from the "gradient" $s$, whatever the layer's geometry. So autograd does the convolutions backwards, and a rule is
# three lines: forward, divide, backward times $a_j$ [4].
#
# The rule is the [ε-rule](../GLOSSARY.md#epsilon-rule), the z-rule with a denominator that cannot be zero [1, eq. 58]:
#
# $$R_j = \sum_k \frac{a_j w_{jk}}{z_k + \epsilon \operatorname{sign} z_k}\, R_k$$


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
# The picture is a scene again: one object, a textured background, clutter. The network is the small AlexNet.

# %% a scene
net = load_alexnet("embedded")
scene = make_scene(84)
(thing,) = scene.objects
x, target, mask = preprocess(scene.image), thing.index, thing.mask
logits = net(x).detach()
print(f"the scene shows: {thing.label}; the network says: {net.class_names[int(logits.argmax())]}")
print(f"logit of {thing.label}: {float(logits[target]):.3f}")
caption = f"one {thing.label}, outlined"
plot_tiles({caption: x}, masks={caption: mask})

# %% three implementations
from zennit.attribution import Gradient
from zennit.composites import LayerMapComposite
from zennit.rules import Epsilon, Norm, Pass
from zennit.types import Activation, AvgPool, Linear

start = torch.zeros_like(logits)
start[target] = logits[target]
mine = lrp(net, x, start, epsilon=0.1)

rules = LayerMapComposite([(Linear, Epsilon(0.1)), (Activation, Pass()), (AvgPool, Norm())])
with Gradient(net, rules) as attributor:
    _, theirs = attributor(x[None], start[None])

course = leadwise.attribute(net, x, "lrp_epsilon", target=target, epsilon=0.1)
for name, other in (("zennit", theirs[0]), ("leadwise.attribute", course)):
    print(f"largest difference to {name}: {float((mine - other).abs().max() / mine.abs().max()):.1e} of the maximum")

# %% [markdown]
# The same map three times, up to rounding. zennit [5] attaches a rule to each module as a hook. `leadwise.attribute` works
# **by operations**: it watches one forward pass, and whatever computes there, a module, a function such as `F.relu`, or a
# plain `+`, is given the backward pass of its rule. What changes values and has no rule is refused by name.
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
# where the `+` was; for a network of your own you would have to notice that one is needed. From here on the course uses
# `attribute`.

# %% [markdown]
# ## 3 The rules, one by one
#
# How good is a map? As in notebook 02: the share of the positive relevance that lies on the object, to be compared with the
# object's share of the picture.
#
# For the eye a map needs preparation, and a reader must be told which. Here relevance is summed over the colours, averaged over
# cells of 2 × 2 pixels, and the strongest half per cent is cut. Numbers are those of the whole map.


# %% helpers
LABEL = "relevance R, cells of 2 × 2 pixels, peaks cut"


def share_on(R, mask):
    """Return the share of the positive relevance, of R (3, H, W), that lies on a mask (H, W)."""
    positive = R.sum(0).clamp(min=0)
    return float(positive[torch.from_numpy(mask)].sum() / positive.sum().clamp(min=1e-12))


def for_the_eye(R):
    """Return R (3, H, W) as a picture (H, W) to look at: cells of 2 x 2 pixels, peaks cut."""
    cells = nn.functional.avg_pool2d(R.sum(0)[None], 2)[0].repeat_interleave(2, 0).repeat_interleave(2, 1)
    limit = cells.abs().quantile(0.995)
    return cells.clamp(-limit, limit)


def compare(maps, title):
    """Draw maps of the scene side by side."""
    notes = {
        name: f"{percent(share_on(R, mask))} on the {thing.label}, sum {number(float(R.sum()))}"
        for name, R in maps.items()
    }
    tiles, masks = {name: for_the_eye(R) for name, R in maps.items()}, dict.fromkeys(maps, mask)
    return plot_tiles(tiles, notes=notes, masks=masks, title=title, label=LABEL, columns=5, side=36)


def explain(method, **parameters):
    """Explain the scene's object."""
    return leadwise.attribute(net, x, method, target=target, **parameters)


print(f"the {thing.label} covers {percent(mask.mean())} of the picture")

# %% [markdown]
# ### z and ε
#
# The z-rule divides by $z_k$. Where positive and negative contributions nearly cancel, $z_k$ is small, and shares of a
# thousand per cent with both signs result. $\epsilon$ stops that: a unit with $|z_k| \ll \epsilon$ hands on nearly
# nothing, one with $|z_k| \gg \epsilon$ nearly all. The price is relevance that vanishes: a fraction
# $\epsilon / (|z_k| + \epsilon)$ of $R_k$.
#
# **ε·std.** One $\epsilon$ for all layers is large for a layer with small activations and negligible for one with large ones.
# The SIGN-XAI package [6] measures it in units of the layer's own input: $\epsilon = f\, \sigma(a)$, with $\sigma(a)$ the
# standard deviation of the input of that layer.
#
# > **Think first.** The logit is printed above. What will the sum of the map be at $\epsilon = 1$: the same, more, or less? And
# > which of the maps will be least noisy?

# %% think first 2
check.think_first("the sum at ε = 1")

# %% epsilon
maps = {
    "z": explain("lrp_z"),
    "ε = 1": explain("lrp_epsilon", epsilon=1.0),
    "ε = 0.25 std(a)": explain("lrp_epsilon_std_x", factor=0.25),
}
compare(maps, "The z-rule, and two ways to choose ε")

# %% [markdown]
# In the lab below: find an output whose contributions nearly cancel, and watch its column as $\epsilon$ grows.

# %% lab epsilon
RuleLab(rule="epsilon")

# %% [markdown]
# ### γ
#
# $\epsilon$ throws contradictions away. The γ-rule outvotes them: positive weights count $1 + \gamma$ times [4].
#
# $$R_j = \sum_k \frac{a_j (w_{jk} + \gamma w_{jk}^+)}{\sum_{j'} a_{j'} (w_{j'k} + \gamma w_{j'k}^+)}\, R_k$$
#
# At $\gamma = 0$ it is the z-rule. As $\gamma \to \infty$ only positive contributions are left: the **z⁺-rule**, which is
# also α1β0 below. This form needs inputs $a_j \ge 0$ and a unit with $z_k > 0$. Inputs of both signs come from the pixels, and from
# activations such as ELU. The generalised rule, which zennit credits to Andéol et al. [13], favours the *contributions* that have
# the sign of $z_k$ instead of the weights. Two units with two inputs each show what that mends: shares of $R_k = 1$.


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

# %% gamma
maps = {f"γ = {g:g}": explain("lrp_gamma", gamma=g) for g in (0.05, 0.25, 10)} | {"z⁺": explain("lrp_zplus")}
pair = torch.stack([maps["γ = 10"].flatten(), maps["z⁺"].flatten()])
print(f"correlation of the maps of γ = 10 and z⁺: {float(torch.corrcoef(pair)[0, 1]):.3f}")
compare(maps, "From little to much γ")

# %% [markdown]
# ### α and β
#
# Positive and negative contributions are shared out in separate accounts, the positive one $\alpha$ times, the negative one
# $\beta = \alpha - 1$ times against it [1, eq. 60]:
#
# $$R_j = \sum_k \Big(\alpha \frac{z_{jk}^+}{z_k^+} - \beta \frac{z_{jk}^-}{z_k^-}\Big) R_k$$
#
# With $\alpha = 1$ only support is shared out, and the result is z⁺ again. Larger $\alpha$ shows contradiction, and
# multiplies: with every layer the magnitudes may grow by up to $\alpha + \beta$.
#
# **The bias convention** is where programs differ. zennit gives $b_k^+$ to the positive account and $b_k^-$ to the negative
# one. iNNvestigate [7], and with it the published SIGN-XAI maps, give the whole $b_k$ to both; then a bias can bring a
# denominator near zero, and single pixels get enormous relevance. `lrp_alpha_beta` is the published one.

# %% alpha beta
maps = {f"α = {alpha:g}, whole b": explain("lrp_alpha_beta", alpha=alpha) for alpha in (1, 2)}
maps["α = 1, b by sign"] = explain("lrp_zplus")
maps["dense ε, then α = 2, b by sign"] = explain("lrp_epsilon_alpha2_beta1_flat", input_rule="z")
for name, R in maps.items():
    print(f"{name:31s} Σ|R| = {number(float(R.abs().sum() / logits[target])):>7s} logits")
compare(maps, "α and β")

# %% [markdown]
# In the lab, switch between the two αβ rules with and without bias.

# %% lab alpha beta
RuleLab(rule="alpha_beta", alpha=2.0)

# %% [markdown]
# ### Rules for the pixels: flat, w², z-box
#
# Pixels are no activations: zero is not "nothing there" but, after normalisation, a certain grey. Three rules avoid the factor
# $a_j$.
#
# | rule | input $j$ receives from $k$, in proportion to | idea |
# |---|---|---|
# | flat [8] | $1$ | where unit $k$ looks, whatever it sees there |
# | w² [9] | $w_{jk}^2$ | the same, weighted by how much it looks |
# | z-box [9] | $a_j w_{jk} - l_j w_{jk}^+ - h_j w_{jk}^-$ | positive weights: distance from black $l_j$; negative ones: from white $h_j$ |
#
# No share is negative, so none exceeds $R_k$, and nothing blows up. `input_rule` puts them on the first layer of any LRP
# method. (SIGN, the next notebook's subject, is a fourth: $\operatorname{sign}(a_j)\, w_{jk}$, without conservation.)

# %% first layer
compare(
    {f"first layer: {rule}": explain("lrp_gamma", input_rule=rule) for rule in ("same", "flat", "wsquare", "zbox")},
    "γ = 0.25 above, another rule for the pixels",
)

# %% lab box
RuleLab(rule="zbox", kind="pixels")

# %% [markdown]
# ### Explore
#
# Every method in the list is a table of rules; its sliders are the rules' parameters.

# %% explorer
explorer = ImageExplorer(scene, net, method="lrp_gamma", target=target, families=("LRP",))
explorer.controls["clip"].value = 99.0
explorer

# %% [markdown]
# ## 4 Conservation, measured
#
# LRP's promise is $\sum_{\text{pixels}} R = f$, and the same sum in every layer between [1, eq. 2]. Does it hold?
# `relevance_by_layer` returns the relevance at the output of every module. Next to the network stands a twin whose biases are
# set to zero: another function, but one in which nothing can hide.

# %% twin
twin = copy.deepcopy(net)
for layer in twin.modules():
    if isinstance(layer, (nn.Conv2d, nn.Linear)):
        layer.bias.data.zero_()
for name, model in (("network", net), ("twin without biases", twin)):
    R = relevance_by_layer(model, x, "lrp_epsilon", target=target, epsilon=1e-6)
    print(
        f"{name:20s} logit {float(model(x)[target].detach()):8.4f}, sum over the pixels {float(R['input'].sum()):8.4f}"
    )

# %% conservation
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
RULES = {
    "z": ("lrp_z", {}),
    "ε = 0.1": ("lrp_epsilon", {"epsilon": 0.1}),
    "ε = 1": ("lrp_epsilon", {"epsilon": 1.0}),
    "α2β1, whole b": ("lrp_alpha_beta", {"alpha": 2.0}),
    "w²": ("lrp_wsquare", {}),
    "γ = 0.25": ("lrp_gamma", {}),
    "α1β0, whole b": ("lrp_alpha_beta", {"alpha": 1.0}),
    "z⁺, z-box": ("lrp_zbox", {}),
    "flat": ("lrp_flat", {}),
}
figure, axes = plt.subplots(1, 2, figsize=(11, 4.2), sharey=True, layout="constrained")
sums = {}
for axis, model, title in zip(axes, (net, twin), ("with biases", "biases set to zero"), strict=True):
    for i, (name, (method, parameters)) in enumerate(RULES.items()):
        R = relevance_by_layer(model, x, method, target=target, **parameters)
        sums[title, name] = [float(R[module].sum() / R["classifier.6"].sum()) for module in STOPS.values()]
        if i < 5:  # the other four run along with one of these; the table below has them
            axis.plot(sums[title, name], "o-", markersize=3, label=name)
    axis.set(title=title, xlabel="summed below this layer")
    axis.set_yscale("symlog", linthresh=1)
    axis.yaxis.set_major_formatter("{x:g}")
    axis.set_xticks(range(len(STOPS)), STOPS, rotation=45)
    axis.axhline(1, color="grey", linewidth=0.8, linestyle="--", zorder=0)
axes[0].set_ylabel("sum of relevance / logit")
figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center", frameon=False)
plt.show()

# %% what is left
print(f"{'arrives at the pixels':24s}with biases   without")
for name in RULES:
    print(f"{name:24s}{number(sums['with biases', name][-1]):>11s}{number(sums['biases set to zero', name][-1]):>10s}")

# %% [markdown]
# Read the right panel first. Without biases most rules hold the line: whatever they do *within* a layer, the sum stays. Two
# kinds of leak are left. **ε absorbs** a fraction of every $R_k$, in every layer. **w² and flat lose at the average pooling**
# behind the last convolution: they hand relevance to features that are exactly zero, and the pooling's z-rule has
# no use for it, since a feature of zero contributed nothing. Below it they are conserved again.
#
# In the left panel **biases** take, or give: where $b_k$ has the sign of $z_k$ less than $R_k$ is handed on, where it has
# the other sign more. Under αβ with the whole bias in both accounts the positive one can hand on more than it has. The **z-box**
# does not leak in the first layer: its shares are defined so that the bias drops out, $b - b^+ - b^- = 0$.
#
# For the ε-rule the account can be closed to the last digit. Of $R_k$, the bias keeps
# $R_k\, b_k / (z_k + \epsilon \operatorname{sign} z_k)$ and ε absorbs
# $R_k\, \epsilon \operatorname{sign} z_k / (z_k + \epsilon \operatorname{sign} z_k)$.

# %% ledger
epsilon = 0.1
R = relevance_by_layer(net, x, "lrp_epsilon", target=target, epsilon=epsilon)
kept, absorbed = {}, {}
for name, layer in net.named_modules():
    if isinstance(layer, (nn.Conv2d, nn.Linear)):
        z = feature_maps(net, x, name)
        pull = epsilon * torch.where(z >= 0, 1, -1)
        s = R[name] / (z + pull)
        bias = layer.bias.detach().view(-1, *[1] * (z.ndim - 1))
        kept[name], absorbed[name] = float((s * bias).sum()), float((s * pull).sum())

parts = [float(R["input"].sum()), sum(kept.values()), sum(absorbed.values())]
print(
    "pixels {:.4f} + biases {:.4f} + ε {:.4f} =".format(*parts), f"{sum(parts):.4f}; logit {float(logits[target]):.4f}"
)
figure, axis = plt.subplots(figsize=(7, 3), layout="constrained")
where = np.arange(len(kept))
axis.bar(where - 0.2, list(kept.values())[::-1], 0.38, label="kept by the biases", color="#0072b2")
axis.bar(where + 0.2, list(absorbed.values())[::-1], 0.38, label=f"absorbed by ε = {epsilon:g}", color="#e69f00")
axis.set_xticks(where, [name for name in STOPS if name != "logit"])
axis.set(ylabel="units of the logit", title="Where the ε-rule's relevance goes, from the top")
axis.axhline(0, color="grey", linewidth=0.8)
axis.legend(frameon=False)
plt.show()

# %% [markdown]
# Conservation is a test, not a goal. A map that sums to the logit can be noise, and the rule "all to the first pixel" conserves
# perfectly. But a leak that nobody expected is a bug, in the program or in the understanding.

# %% [markdown]
# ## 5 Composites: different rules at different depths
#
# The layers are not alike [4, 10]:
#
# - **Near the logit** few units stand for many things, and the classes are told apart. A rule that keeps the contradictions,
#   z or a small ε, keeps the map about *this* class.
# - **In the middle** filters are many and alike, and gradients noisy. ε, γ or z⁺ let the agreement through.
# - **At the pixels** the input is bounded and zero means nothing special: flat, w² or z-box.
#
# A table that says which layer gets which rule is called a [composite](../GLOSSARY.md#composite). `METHODS` names the common ones.

# %% composites
UNIFORM = {
    "ε everywhere": "lrp_epsilon",
    "γ everywhere": "lrp_gamma",
    "z⁺ everywhere": "lrp_zplus",
    "w² everywhere": "lrp_wsquare",
    "flat everywhere": "lrp_flat",
}
COMPOSITES = {
    "z⁺, z-box": "lrp_zbox",
    "dense ε, z⁺, flat": "lrp_epsilon_plus_flat",
    "dense ε, γ, z-box": "lrp_epsilon_gamma_box",
    "dense ε, α2β1, flat": "lrp_epsilon_alpha2_beta1_flat",
}
shown = COMPOSITES | {"flat everywhere": "lrp_flat"}
compare({name: explain(method) for name, method in shown.items()}, "Four composites, and one rule for comparison")

# %% [markdown]
# One scene proves nothing. The same share on fresh scenes, explained is always the object:

# %% composites measured
singles = [make_scene(seed) for seed in range(200, 212)]
batch = torch.stack([preprocess(one.image) for one in singles])
classes = torch.tensor([one.objects[0].index for one in singles])
print(f"{'area of the object':24s}{percent(np.mean([one.objects[0].mask.mean() for one in singles])):>6s}")
for name, method in (UNIFORM | COMPOSITES).items():
    found = leadwise.attribute(net, batch, method, target=classes, progress=False)
    shares = [share_on(R, one.objects[0].mask) for R, one in zip(found, singles, strict=True)]
    error = np.std(shares, ddof=1) / len(shares) ** 0.5
    print(f"{name:24s}{percent(np.mean(shares)):>6s} ± {percent(error)}")

# %% [markdown]
# The winner depends on the network and on the question. What a composite buys in calm it may pay in class: z⁺ everywhere
# shows where *something* was, section 7 tests whether it is the right thing.
#
# **Why is the flat map the same for every class?** Each unit hands on $R_k / J$, whatever its weights and its inputs. Only the
# winners of max-pooling and the silent features depend on the picture, and nothing on the class but the number at the start.


# %% flat is blind
def all_classes(x, method, **parameters):
    """Return one map for each class, (K, 3, H, W)."""
    count = len(net.class_names)
    return leadwise.attribute(
        net, x.expand(count, -1, -1, -1), method, target=torch.arange(count), progress=False, **parameters
    )


others = [index for index in range(len(net.class_names)) if index != target]
for name in ("flat everywhere", "w² everywhere", "z⁺ everywhere", "ε everywhere"):
    maps = all_classes(x, UNIFORM[name])
    likeness = torch.corrcoef(maps.flatten(1))[target, others].abs()
    print(f"{name:16s} |correlation| with the maps of the other classes {float(likeness.min()):.3f}", end=" ")
    print(f"to {float(likeness.max()):.3f}")

# %% [markdown]
# A rule need not be blind by definition to become so. A layer of z⁺ is a matrix without negative entries, and a product of
# many such matrices tends to rank one: whatever comes in at the top, the same picture comes out below [11].

# %% [markdown]
# ## 6 Max-pooling: the winner takes all
#
# A max-pooling window has one winner, which alone made the output; so it gets all the relevance. A window of 3 × 3 may hold eight
# values nearly as large, which get nothing, and a tiny change of the picture may crown another one. The alternative shares
# out in proportion to the values, as if the window had been averaged; both conserve.
#
# > **Think first.** Which of the two gives relevance to more features? Which map changes more under a little noise?

# %% think first 3
check.think_first("average or winner")

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
# Does the choice reach the pixels? Our own `lrp` can do both. A test: add a little noise to the picture, too little to see, and
# compare the maps before and after.

# %% pooling and noise
start = torch.zeros_like(logits)
start[target] = logits[target]
noisy = x + 0.02 * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
for epsilon in (0.1, 1):
    for pooling in ("winner", "share"):
        R, again = (lrp(net, picture, start, epsilon, pooling) for picture in (x, noisy))
        stable = float(torch.corrcoef(torch.stack([R.flatten(), again.flatten()]))[0, 1])
        print(f"ε = {epsilon:<4g}{pooling:7s} correlation of the maps {stable:.3f}")

# %% [markdown]
# The winner's version is true to the forward pass, and every LRP method of the course uses it. If your network has large or
# overlapping windows, know that it is a choice.

# %% [markdown]
# ## 7 Which logit?
#
# In a scene with two objects there are two good questions. LRP answers the one that the start asks.

# %% two objects
pair = make_scene(673, objects=2)
y = preprocess(pair.image)
one, other = pair.objects
maps, notes = {}, {}
for name in ("z⁺ everywhere", "dense ε, γ, z-box"):
    for this, that in ((one, other), (other, one)):
        title = f"{this.label}: {name}"
        R = leadwise.attribute(net, y, (UNIFORM | COMPOSITES)[name], target=this.index)
        maps[title] = for_the_eye(R)
        notes[title] = f"{percent(share_on(R, this.mask))} on it, {percent(share_on(R, that.mask))} on the {that.label}"
both = dict.fromkeys(["picture", *maps], one.mask | other.mask)
tiles = {"picture": y} | maps
plot_tiles(tiles, notes=notes, masks=both, title="Two questions about one picture", label=LABEL, columns=5, side=36)

# %% [markdown]
# Read the notes under the tiles, not the colours alone: a good rule for one object is no promise for two. Which maps have more
# on the object that was *not* asked for?

# %% more on the other
for title, note in notes.items():
    print(f"{title:28s}{note}")

# %% [markdown]
# z⁺ and its kin drop every negative weight, and with them most of what tells one class from the other. One remedy is to keep
# them near the logit, as composites do; the notes show that this alone need not suffice. Another is to ask a
# [contrastive](../GLOSSARY.md#contrastive-explanation) question: not "what made $f_c$?" but "what made it larger than the
# others?" LRP takes any start, so Gu et al. [12] start with the target's score, and take the same score, spread evenly, from the
# others. What is left above zero speaks for $c$ alone:
#
# $$R_c = f_c, \qquad R_k = -\frac{f_c}{K - 1} \quad (k \ne c), \qquad R^{\text{contrast}} = \max(0, R)$$
#
# LRP is linear in its start. So the maps of all classes, each divided by its logit, are enough, and no new method is needed.


# %% contrastive
def contrast(maps, logits):
    """Return, for maps (K, ...) of all classes, that of each start f_c, -f_c / (K - 1) for the others."""
    scores = logits.view(-1, *[1] * (maps.ndim - 1))
    unit = maps / scores  # the map that a start of 1 would give
    return maps - scores / (len(maps) - 1) * (unit.sum(0) - unit)


of_the_pair = net(y).detach()
start = (-of_the_pair[one.index] / (len(of_the_pair) - 1)).repeat(len(of_the_pair))
start[one.index] = of_the_pair[one.index]
direct = lrp(net, y, start, epsilon=1)
difference = direct - contrast(all_classes(y, "lrp_epsilon", epsilon=1.0), of_the_pair)[one.index]
error = float(difference.abs().max() / direct.abs().max())
print(f"one start with all classes, or a sum of maps: they differ by {error:.1e} of the maximum")

# %% [markdown]
# The scores of the others could also be subtracted as they are, $R_k = -f_k/(K-1)$. That looks like the same idea. It is not: a
# class with a low logit then weighs little, and one with a *negative* logit is added. The table asks, of scenes with two
# objects, how often the map of one object has more on it than on the other.

# %% contrast measured
pairs = [make_scene(seed, objects=2) for seed in range(300, 312)]
print(f"{'more on the explained object':32s}one logit   target's score   own scores")
for name in ("ε everywhere", "z⁺ everywhere", "dense ε, γ, z-box"):
    right, negative = np.zeros(3), 0
    for picture in pairs:
        x_pair = preprocess(picture.image)
        maps, logits = all_classes(x_pair, (UNIFORM | COMPOSITES)[name]), net(x_pair).detach()
        own = maps - (maps.sum(0) - maps) / (len(maps) - 1)
        negative += int((logits < 0).sum())
        for this, that in (picture.objects, picture.objects[::-1]):
            for column, found in enumerate((maps, contrast(maps, logits), own)):
                R = found[this.index]
                right[column] += share_on(R, this.mask) > share_on(R, that.mask)
    print(f"{name:32s}{right[0]:9.0f}{right[1]:17.0f}{right[2]:13.0f}   of {2 * len(pairs)}")
print(f"{percent(negative / (len(pairs) * len(logits)))} of all logits are negative")

# %% [markdown]
# A half is what a method reaches that ignores the class. Compare the columns row by row. Where the maps of all classes are
# nearly one map times a number, as with z⁺, little is left to subtract, but a start that weighs all classes alike brings that
# little out; one that weighs them by their own scores may not. ε kept the difference all along, and has less to gain. So the
# *start* is part of the method, and "contrastive LRP" without its formula is half a name.
#
# **On an ECG** the published networks have two logits, "no finding" and "pathology". There $K - 1 = 1$, and
# the question "what made it larger than the other" has a natural score, the difference $f_1 - f_0$, the log-odds of the
# pathology: its map is the difference of the two maps. It is also the only one that the network's answer fixes. A softmax of two
# logits does not change when the same number, or the same function of the input, is added to both, while the map of either
# logit changes at will:


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
# The activation is a part of the building, too. Ancona et al. [3] showed that LRP-ε with ε → 0 is gradient × input with the slope
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
# For ReLU both slopes are the same, 0 or 1: section 1's old friend. For ELU, the activation of the ECG networks, $g(z)/z$ lies between
# the slopes that the curve has from zero to $z$: it is their mean, as in DeepLIFT's rescale rule where the reference has $z = 0$. So
# LRP-ε of notebook 08 is *not* gradient × input in another dress.
#
# And a caution: a rule that favours, γ or z⁺, gains calm at the price of the weights. What it hands on is no longer what they say.

# %% [markdown]
# ## Exercises
#
# Each cell holds the names that its check asks for. Solutions are in `solutions/03_layer_wise_relevance.ipynb`.
#
# **1 Write code.** Give the 25 lines a rule for the pixels: `flat_map`, (3, 224, 224), is the map of the scene's object with
# ε = 0.1 in all layers but the first, and the flat rule there. Do without `input_rule`.

# %% exercise 1 tags=["solution"] answers=["flat_map"]
# Exercise 1: hand the relevance to the first layer by the epsilon rule, then share it out by the flat rule.
# Hint: relevance_by_layer gives the relevance at "features.0"; flat means all weights and all inputs are one, no bias.
first = nn.Conv2d(3, net.features[0].out_channels, 11, stride=4, padding=2, bias=False)
first.weight.data.fill_(1)
ones = torch.ones_like(x)[None].requires_grad_()
above = relevance_by_layer(net, x, "lrp_epsilon", target=target, epsilon=0.1)["features.0"]
count = first(ones)
flat_map = torch.autograd.grad(count, ones, above[None] / count.detach())[0][0]
flat = explain("lrp_epsilon", epsilon=0.1, input_rule="flat")
print(f"largest difference: {float((flat_map - flat).abs().max() / flat.abs().max()):.1e} of the maximum")

# %% check 1
check.flat_pixels(flat_map, net=net, x=x, target=target)

# %% [markdown]
# **2 Predict, then look.** What happens to $\sum |R|$ over the pixels as α grows from 1 to 5? Is it `"constant"`, `"linear"` in α, or
# `"faster"` than linear? Write `predicted`, and run the check: it keeps your prediction, and never marks it. Then measure: `ratios`, five numbers, is the sum of $|R|$ by `"lrp_alpha_beta"` on the
# twin without biases, divided by the twin's logit, for the scene's object.

# %% exercise 2 tags=["solution"] answers=["predicted", "ratios"]
# Exercise 2: your prediction; then Σ|R| / logit on the twin for alpha = 1.0 to 5.0.
predicted, ratios = "faster", []
logit = float(twin(x)[target].detach())
for alpha in range(1, 6):
    R = leadwise.attribute(twin, x, "lrp_alpha_beta", target=target, alpha=float(alpha))
    ratios.append(float(R.abs().sum()) / logit)
    print(f"α = {alpha}: Σ|R| / logit = {number(ratios[-1])}")
# Every layer multiplies by up to α + β = 2α − 1, cancellation takes a part of it back: growth is steep, and it has nothing
# to do with the picture. Magnitudes of maps with different α do not compare.

# %% check 2
check.growth_with_alpha(predicted, ratios, twin=twin, x=x, target=target)

# %% [markdown]
# **3 Find the bug.** A colleague's ε-rule gives a wild map on some pictures, and a fine one on others. One layer shows why. Mend the
# function, under the name `repaired`, with the same arguments; it must work for a $z_k$ of zero, too.


# %% buggy
def colleague(a, W, R, epsilon):
    """Share out R (K,) to the inputs a (J,) by the epsilon rule."""
    z = a @ W
    return (a[:, None] * W / (z + epsilon) * R).sum(1)


a, W, R = np.array([1.0, 2.0]), np.array([[1.0, 0.49], [1.0, -0.3]]), np.array([1.0, 1.0])
for epsilon in (0.01, 0.1, 0.12, 1.0):
    print(f"ε = {epsilon:4g}: Σ R_j = {colleague(a, W, R, epsilon).sum():8.2f} of {R.sum():g}")


# %% exercise 3 tags=["solution"] answers=["repaired"]
# Exercise 3: what is wrong with z + epsilon? def repaired(a, W, R, epsilon), and the sums again.
def repaired(a, W, R, epsilon):
    """Share out R (K,) to the inputs a (J,) by the epsilon rule."""
    z = a @ W
    return (a[:, None] * W / (z + epsilon * np.where(z >= 0, 1, -1)) * R).sum(1)


for epsilon in (0.01, 0.1, 0.12, 1.0):
    print(f"ε = {epsilon:4g}: Σ R_j = {repaired(a, W, R, epsilon).sum():8.2f} of {R.sum():g}")
# ε must push z away from zero. Added to a negative z it pushes towards zero: here z_2 = −0.11, so ε = 0.1 divides by
# −0.01, and ε = 0.12 by 0.01. The right rule adds ε with the sign of z.

# %% check 3
check.repaired_epsilon(repaired)

# %% [markdown]
# **4 Interpret.** Let `lowest` be the number of the class with the lowest logit of the scene, and explain it by both rules:
# `maps`, with the keys `"lrp_z"` and `"lrp_zplus"`. Look at the signs. The z⁺ map is blue, for it starts with a negative logit. What
# do its bluest pixels mean? Write the letter as `statement`. Which of the two maps would you show to someone who asks "why
# not this class?"
#
# - A: they spoke most against the class;
# - B: they spoke most for the class;
# - C: they are where the class's features are missing.

# %% exercise 4 tags=["solution"] answers=["lowest", "maps", "statement"]
# Exercise 4: the class with the lowest logit, its maps by lrp_z and lrp_zplus, and "A", "B" or "C".
logits = net(x).detach()
lowest = int(logits.argmin())
print(f"lowest logit: {net.class_names[lowest]}, {float(logits[lowest]):.2f}")
maps = {method: leadwise.attribute(net, x, method, target=lowest) for method in ("lrp_z", "lrp_zplus")}
for method, R in maps.items():
    up, down = (number(float(part)) for part in (R.sum(0).clamp(min=0).sum(), R.sum(0).clamp(max=0).sum()))
    print(f"{method:10s} positive {up:>8s}   negative {down:>8s}")
statement = "B"
# The start is the logit. Where it is negative, the z-rule still calls positive what raised it. z⁺ hands a negative amount to
# the positive contributions, in the last layer those that spoke for the class. To ask "why not", keep both signs, or contrast the
# class with the winner.

# %% check 4
check.negative_logit(lowest, maps, statement, net=net, x=x)

# %% [markdown]
# **5 Write code.** On the twin without biases, explain the class with the highest logit against the runner-up alone: start with
# $R_c = f_c$ and $R_{\text{runner-up}} = -f_{\text{runner-up}}$, all else zero. `against` is the map, made by `lrp` of section 2
# with ε = 10⁻⁹, and `wanted` the number that its sum should come close to.

# %% exercise 5 tags=["solution"] answers=["against", "wanted"]
# Exercise 5: build the start from the twin's logits, run lrp, compare the sum with what conservation says.
logits = twin(x).detach()
best, second = logits.topk(2).indices.tolist()
start = torch.zeros_like(logits)
start[best], start[second] = logits[best], -logits[second]
against = lrp(twin, x, start, epsilon=1e-9)
wanted = float(logits[best] - logits[second])
print(f"sum {float(against.sum()):.4f}, difference of the logits {wanted:.4f}")

# %% check 5
check.runner_up(against, wanted, twin=twin, x=x)

# %% think first answers [markdown] tags=["solution"]
# ## Think first: answers
#
# - **The relevance of the three inputs:** The share of each input in the sum $z_k$ of each unit, times the unit's
#   relevance, added up. The printed sums show the check that needs no solution: each layer adds up to 3, and the middle
#   input ends with 2 − 2 = 0.
# - **The sum at ε = 1:** Less: every unit keeps the share ε / (|z| + ε) of its relevance, if its sign is that of the logit.
#   What keeps most are the units with a small $z$, whose contributions cancel, so the map is less noisy than that of the
#   z-rule.
# - **Average or winner:** The average gives relevance to every feature in a window, so to more of them. Which map changes
#   more is in the second table: where noise changes the winner, its relevance jumps to a neighbour.

# %% [markdown]
# ## Quiz

# %% quiz
check.quiz()

# %% progress
check.progress()

# %% [markdown]
# ## Take away
#
# - LRP hands the value of a logit back by shares. On a ReLU network the z-rule is gradient × input, and biases take
#   their share of the sum.
# - ε absorbs weak and contradicting evidence, γ and α outvote it, flat, w² and z-box are for pixels.
# - Sums are an account: what does not reach the pixels was kept by biases, absorbed by ε, or handed to silent features. Close it.
# - Name the rule *and* its bias convention: two programs under the same name give different maps.
# - Composites keep classes apart at the top and noise out below. The flat rule never sees the class.
# - The start is a choice: one logit, or one against others.
#
# ## Go further
#
# - [Notebook 04](04_sign.ipynb) takes the next rule for the input, SIGN; [notebook 08](08_lead_wise_attribution.ipynb) uses LRP
#   on twelve leads.
# - Samek et al. 2021, Explaining deep neural networks and beyond: a review of methods and applications, Proceedings of the IEEE,
#   [doi:10.1109/JPROC.2021.3060483](https://doi.org/10.1109/JPROC.2021.3060483), for the whole field.
# - Achtibat et al. 2023, From attribution maps to human-understandable explanations through Concept Relevance Propagation, Nature
#   Machine Intelligence 5, [doi:10.1038/s42256-023-00711-8](https://doi.org/10.1038/s42256-023-00711-8): LRP through one channel
#   at a time says *what* was seen.
# - Try: a composite of your own by the explorer, against "dense ε, γ, z-box" on the scenes of section 5.
#
# ## References
#
# 1. Bach et al. 2015, On pixel-wise explanations for non-linear classifier decisions by layer-wise relevance propagation,
#    [doi:10.1371/journal.pone.0130140](https://doi.org/10.1371/journal.pone.0130140)
# 2. Shrikumar et al. 2016, Not just a black box, [arXiv:1605.01713](https://arxiv.org/abs/1605.01713)
# 3. Ancona et al. 2018, Towards better understanding of gradient-based attribution methods for deep neural networks,
#    [arXiv:1711.06104](https://arxiv.org/abs/1711.06104)
# 4. Montavon et al. 2019, Layer-wise relevance propagation: an overview,
#    [doi:10.1007/978-3-030-28954-6_10](https://doi.org/10.1007/978-3-030-28954-6_10)
# 5. Anders et al. 2021, Software for dataset-wide XAI: from local explanations to global insights with Zennit, CoRelAy, and
#    ViRelAy, [arXiv:2106.13200](https://arxiv.org/abs/2106.13200)
# 6. Gumpfer et al. 2023, SIGNed explanations, [doi:10.1016/j.inffus.2023.101883](https://doi.org/10.1016/j.inffus.2023.101883)
# 7. Alber et al. 2019, iNNvestigate neural networks!, [JMLR 20(93)](https://jmlr.org/papers/v20/18-540.html)
# 8. Lapuschkin et al. 2019, Unmasking Clever Hans predictors and assessing what machines really learn,
#    [doi:10.1038/s41467-019-08987-4](https://doi.org/10.1038/s41467-019-08987-4)
# 9. Montavon et al. 2017, Explaining nonlinear classification decisions with deep Taylor decomposition,
#    [doi:10.1016/j.patcog.2016.11.008](https://doi.org/10.1016/j.patcog.2016.11.008)
# 10. Kohlbrenner et al. 2020, Towards best practice in explaining neural network decisions with LRP,
#     [doi:10.1109/IJCNN48605.2020.9206975](https://doi.org/10.1109/IJCNN48605.2020.9206975)
# 11. Sixt, Granz, Landgraf 2020, When explanations lie: why many modified BP attributions fail,
#     [arXiv:1912.09818](https://arxiv.org/abs/1912.09818)
# 12. Gu, Yang, Tresp 2018, Understanding individual decisions of CNNs via contrastive backpropagation,
#     [doi:10.1007/978-3-030-20893-6_8](https://doi.org/10.1007/978-3-030-20893-6_8)
# 13. Andéol et al. 2021, Learning domain invariant representations by joint Wasserstein distance minimization,
#     [arXiv:2106.04923](https://arxiv.org/abs/2106.04923)
