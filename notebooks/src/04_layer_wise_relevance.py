# %% [markdown]
# # 04 Layer-wise relevance
#
# A gradient says how a logit would *change*. [Layer-wise relevance propagation](../GLOSSARY.md#layer-wise-relevance-propagation)
# (LRP) asks where it *came from*: it hands the logit's value back, layer by layer, until every pixel holds a share. What a share is, a
# rule says. This notebook builds LRP from nothing, then takes the rules apart.
#
# **You will be able to**
#
# - compute LRP by hand for a small network, and in 20 lines for AlexNet,
# - say what the z, ε, γ, αβ, flat, w² and z-box rules do, and choose among them,
# - follow the sum of relevance to the pixels, and name what takes a part of it,
# - say why a composite has different rules at different depths,
# - choose which logit to explain, or which difference of logits.
#
# **Before:** notebooks 01 and 02.
#
# **Clinician's path:** from 03; run all, read section 1. Next: 09.

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
from leadwise.plotting import number, percent, plot_forest, plot_image_grid
from leadwise.plotting.rule import plot_flow

# %% [markdown]
# ## 1 Two layers by hand
#
# Three inputs, three hidden units with ReLU, one logit. An edge carries what its left unit contributes to its right one:
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
# Backward, every unit shares out its relevance in proportion to what it received, the **z-rule** [1, eq. 56]:
#
# $$R_{j \leftarrow k} = \frac{z_{jk}}{z_k}\, R_k, \qquad R_j = \sum_k R_{j \leftarrow k}$$
#
# The start is the logit itself, $R_f = f = 3$.
#
# > **Think first.** The upper hidden unit contributed 4, the middle one −1. What is the relevance of each input? Do the sums on
# > paper.

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
# Each layer holds 3, the logit: relevance is [conserved](../GLOSSARY.md#conservation). The middle input got 2 from one unit and −2
# from the other: **cancellation** leaves nothing. The lowest hidden unit is silent: it has nothing to hand on.
#
# In a ReLU network $R / a$ travels down exactly as a gradient does, for an active unit has $a_k = z_k$. So it is
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
# With biases the maps still agree, but their sum is no longer the logit: a [bias](../GLOSSARY.md#bias) keeps its share $b_k / z_k$ of $R_k$. Here is the first
# layer from above, with a bias of 2 on its first unit: contributions on the left, relevance on the right.

# %% bias by hand
b = np.array([2.0, 0.0, 0.0])
hidden = np.maximum(x @ W1 + b, 0)
RuleLab(x, W1, b, relevance=hidden * W2[:, 0], rule="z")

# %% [markdown]
# The bias supplied a half of $z_1 = 4$, so it keeps a half of the relevance.

# %% [markdown]
# ## 2 LRP in 20 lines
#
# Convolutions and dense layers share out by the rule. Max-pooling hands all to the winner of each window, ReLU lets relevance pass.
#
# The trick: the sum $\sum_k w_{jk} s_k$ with $s_k = R_k / z_k$ is what autograd computes when it takes $s$ backward
# through the layer. So a rule is three lines: forward, divide, backward times $a_j$ [4]. Here is the
# [ε-rule](../GLOSSARY.md#epsilon-rule), whose denominator cannot be zero [1, eq. 58]:
#
# $$R_j = \sum_k \frac{a_j w_{jk}}{z_k + \epsilon \operatorname{sign} z_k}\, R_k$$


# %% lrp from scratch
def lrp(model, x, start, epsilon=0.1):
    """Hand ``start`` (classes,) back to the pixels x (3, H, W) of an AlexNet, by the epsilon rule."""
    layers = [*model.features, model.avgpool, model.flatten, *model.classifier]
    inputs = [x[None]]
    for layer in layers:
        inputs.append(layer(inputs[-1]).detach())
    R = start[None]
    for layer, a in zip(reversed(layers), reversed(inputs[:-1]), strict=True):
        if isinstance(layer, (nn.ReLU, nn.Dropout)):
            continue
        a = a.requires_grad_()
        z = layer(a)
        if isinstance(layer, (nn.Conv2d, nn.Linear, nn.AdaptiveAvgPool2d)):
            small = 1e-7 if isinstance(layer, nn.AdaptiveAvgPool2d) else epsilon
            s = R / (z + small * torch.where(z >= 0, 1, -1))
            R = a.detach() * torch.autograd.grad(z, a, s.detach())[0]
        else:  # the winner of max-pooling gets all of it; flatten changes the shape back
            R = torch.autograd.grad(z, a, R)[0]
    return R[0]


# %% a scene
net = load_alexnet("embedded")
scene = make_scene(84)
(thing,) = scene.objects
x, target, mask = preprocess(scene.image), thing.index, thing.mask
logits = net(x).detach()
print(f"the scene shows: {thing.label}; the network says: {net.class_names[int(logits.argmax())]}")
print(
    f"logit of {thing.label}: {float(logits[target]):.3f}; the {thing.label} covers {percent(mask.mean())} of the picture"
)

# %% first map
start = torch.zeros_like(logits)
start[target] = logits[target]
mine = lrp(net, x, start)
course = leadwise.attribute(net, x, "lrp_epsilon", target=target, epsilon=0.1)
off = float((mine - course).abs().max() / course.abs().max())
print(f"largest difference to leadwise.attribute: {off:.1e} of the maximum")
plot_image_grid(x, {"LRP, ε = 0.1": mine}, clip=99, mask=mask, title=f"Where the logit of “{thing.label}” came from")

# %% [markdown]
# The same map twice, up to rounding. `leadwise.attribute` works **by operations**: whatever computes in a forward pass, a module, a
# function or a plain `+`, gets the backward pass of its rule; what has none is refused by name. Libraries that attach rules to modules
# don't see the `+` of a skip connection ([appendix A4](A4_rules_in_depth.ipynb)).

# %% [markdown]
# ## 3 The rules, one by one
#
# A map's number is, as in notebook 02, the share of the positive relevance on the object.


# %% helpers
def share_on(R, mask):
    """Return the share of the positive relevance, of R (3, H, W), that lies on a mask (H, W)."""
    positive = R.sum(0).clamp(min=0)
    return float(positive[torch.from_numpy(mask)].sum() / positive.sum().clamp(min=1e-12))


def explain(method, **parameters):
    """Explain the scene's object."""
    return leadwise.attribute(net, x, method, target=target, **parameters)


def compare(maps, title):
    """Draw maps of the scene side by side."""
    on = f"on the {thing.label}, sum"
    notes = {name: f"{percent(share_on(R, mask))} {on} {number(float(R.sum()))}" for name, R in maps.items()}
    return plot_image_grid(x, maps, notes=notes, mask=mask, clip=99, style="alone", title=title)


# %% [markdown]
# ### z and ε
#
# Where positive and negative contributions nearly cancel, $z_k$ is small, and the z-rule gives shares of a thousand per cent with both
# signs. $\epsilon$ stops that: a unit with $|z_k| \ll \epsilon$ hands on nearly nothing, one with $|z_k| \gg \epsilon$ nearly all.
# The price is relevance that vanishes.
#
# **ε·std.** SIGN-XAI [6] measures ε in units of each layer's input: $\epsilon = f\, \sigma(a)$, $\sigma$ its standard deviation.
#
# > **Think first.** Will the sum of the map at $\epsilon = 1$ be the logit, more, or less? Which of the three maps will be least noisy?

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
# ### γ
#
# $\epsilon$ throws contradictions away. The γ-rule outvotes them: positive weights count $1 + \gamma$ times [4].
#
# $$R_j = \sum_k \frac{a_j (w_{jk} + \gamma w_{jk}^+)}{\sum_{j'} a_{j'} (w_{j'k} + \gamma w_{j'k}^+)}\, R_k$$
#
# At $\gamma = 0$ it is the z-rule; as $\gamma \to \infty$ only positive contributions are left: the **z⁺-rule**. For inputs or sums
# below zero `lrp_gamma` favours the *contributions* that have the sign of $z_k$ [13]; [appendix A4](A4_rules_in_depth.ipynb) shows why.

# %% gamma
maps = {f"γ = {g:g}": explain("lrp_gamma", gamma=g) for g in (0.05, 0.25, 10)}
pair = torch.stack([maps["γ = 10"].flatten(), explain("lrp_zplus").flatten()])
print(f"correlation of the maps of γ = 10 and z⁺: {float(torch.corrcoef(pair)[0, 1]):.3f}")
compare(maps, "From little to much γ")

# %% [markdown]
# ### α and β
#
# Positive and negative contributions are shared out in separate accounts, weighted by $\alpha$ and $\beta = \alpha - 1$ [1, eq. 60]:
#
# $$R_j = \sum_k \Big(\alpha \frac{z_{jk}^+}{z_k^+} - \beta \frac{z_{jk}^-}{z_k^-}\Big) R_k$$
#
# At $\alpha = 1$ it is z⁺ again. Larger $\alpha$ shows contradiction, and multiplies: each layer may raise the magnitudes by
# $\alpha + \beta$.
#
# **The bias convention** is where programs differ. zennit [5] gives a bias to the account of its sign; iNNvestigate [7] and the
# published SIGN-XAI maps give all of it to both. Then a denominator can come near zero, and single pixels get enormous relevance.
# `lrp_alpha_beta` is the published one.

# %% alpha beta
maps = {f"α = {alpha:g}, whole b": explain("lrp_alpha_beta", alpha=alpha) for alpha in (1, 2)}
maps["dense ε, then α = 2, b by sign"] = explain("lrp_epsilon_alpha2_beta1_flat", input_rule="z")
for name, R in maps.items():
    print(f"{name:31s} Σ|R| = {number(float(R.abs().sum() / logits[target])):>7s} logits")
compare(maps, "α and β")

# %% [markdown]
# ### Rules for the pixels: flat, w², z-box
#
# Pixels are no activations: zero is not "nothing there" but a certain grey. Three rules avoid the factor $a_j$.
#
# | rule | input $j$ receives from $k$, in proportion to |
# |---|---|
# | flat [8] | $1$: where unit $k$ looks, whatever it sees |
# | w² [9] | $w_{jk}^2$: how much it looks there |
# | z-box [9] | $a_j w_{jk} - l_j w_{jk}^+ - h_j w_{jk}^-$: the distance from black, $l_j$, or white, $h_j$ |
#
# No share is negative, so nothing blows up. `input_rule` puts them on the first layer of any LRP method.

# %% [markdown]
# ### Explore
#
# Every method in the list is a table of rules; its sliders are their parameters. The lab of section 1 has the same rules.

# %% explorer
explorer = ImageExplorer(scene, net, method="lrp_gamma", target=target, families=("LRP",))
explorer.controls["clip"].value = 99.0
explorer

# %% [markdown]
# ## 4 Conservation, measured
#
# LRP's promise is $\sum_{\text{pixels}} R = f$ [1, eq. 2]. Does it hold? Beside the network stands a twin whose biases are zero.

# %% twin
twin = copy.deepcopy(net)
for layer in twin.modules():
    if isinstance(layer, (nn.Conv2d, nn.Linear)):
        layer.bias.data.zero_()
RULES = {
    "z": ("lrp_z", {}),
    "ε = 0.1": ("lrp_epsilon", {"epsilon": 0.1}),
    "ε = 1": ("lrp_epsilon", {"epsilon": 1.0}),
    "γ = 0.25": ("lrp_gamma", {}),
    "α1β0, whole b": ("lrp_alpha_beta", {"alpha": 1.0}),
    "α2β1, whole b": ("lrp_alpha_beta", {"alpha": 2.0}),
    "z⁺, z-box": ("lrp_zbox", {}),
    "w²": ("lrp_wsquare", {}),
    "flat": ("lrp_flat", {}),
}

# %% what is left
print(f"{'share of the logit that arrives at the pixels':48s}with biases   without")
for name, (method, parameters) in RULES.items():
    shares = []
    for model in (net, twin):
        R = leadwise.attribute(model, x, method, target=target, **parameters)
        shares.append(number(float(R.sum() / model(x)[target].detach())))
    print(f"{name:48s}{shares[0]:>11s}{shares[1]:>10s}")

# %% [markdown]
# Without biases (last column) most rules hold the line. Two kinds of leak are left. **ε absorbs** a fraction of every $R_k$. **w² and
# flat lose at the average pooling**: they hand relevance to features that are exactly zero.
#
# With **biases**, a $b_k$ of the sign of $z_k$ takes a part of $R_k$, one of the other sign adds to it
# ([appendix A4](A4_rules_in_depth.ipynb) follows each rule layer by layer). For the ε-rule the account can be closed to the last digit:
# bias and ε each keep their part of the denominator. `relevance_by_layer` has $R$ behind every module.

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
closed = f"{sum(parts):.4f}; logit {float(logits[target]):.4f}"
print("pixels {:.4f} + biases {:.4f} + ε {:.4f} =".format(*parts), closed)

# %% where it goes
names = [f"{kind} {i}" for kind, most in (("dense", 3), ("conv", 5)) for i in range(most, 0, -1)]
left, figure, axis = float(logits[target]), *plt.subplots(figsize=(8, 3.2), layout="constrained")
axis.bar(-1, left, color="0.75")
for place, module in enumerate(reversed(kept)):
    for shift, part, colour in ((-0.2, kept[module], "#0072b2"), (0.2, absorbed[module], "#e69f00")):
        axis.bar(place + shift, -part, 0.4, bottom=left, color=colour)
        left -= part
axis.bar(len(names), left, color="0.75")
axis.set_xticks(range(-1, len(names) + 1), ["logit", *names, "pixels"], rotation=30)
axis.set(ylabel="sum of relevance", ylim=(0, 1.2 * float(logits[target])))
axis.set_title(f"From the logit to the pixels: biases in blue, ε = {epsilon:g} in orange")
plt.show()

# %% [markdown]
# Conservation is a test, not a goal: a map that sums to the logit can be noise. But a leak that nobody expected is a bug, in the
# program or in the understanding.

# %% [markdown]
# ## 5 Composites: different rules at different depths
#
# The layers are not alike [4, 10]:
#
# - **Near the logit** the classes are told apart: z or a small ε keeps the contradictions, and the map about *this* class.
# - **In the middle** filters are alike, and gradients noisy: ε, γ or z⁺ let the agreement through.
# - **At the pixels** zero means nothing special: flat, w² or z-box.
#
# A table of which layer gets which rule is a [composite](../GLOSSARY.md#composite).

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
# The same share on twelve fresh scenes, each explained for its object:

# %% composites measured
singles = [make_scene(seed) for seed in range(200, 212)]
batch = torch.stack([preprocess(one.image) for one in singles])
classes = torch.tensor([one.objects[0].index for one in singles])
rows = [("area of the object", np.mean([one.objects[0].mask.mean() for one in singles]), np.nan, np.nan, len(singles))]
for name, method in (UNIFORM | COMPOSITES).items():
    found = leadwise.attribute(net, batch, method, target=classes, progress=False)
    shares = [share_on(R, one.objects[0].mask) for R, one in zip(found, singles, strict=True)]
    mean, error = np.mean(shares), np.std(shares, ddof=1) / len(shares) ** 0.5
    rows.append((name, mean, mean - error, mean + error, len(shares)))
plot_forest(rows, title="How much of the map lies on the object", label="share of positive relevance, ± standard error")

# %% [markdown]
# Which wins depends on network and question. Does its map still depend on *which* class is explained?


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
# The flat map is the same for every class by definition: each unit hands on equal parts. A layer of z⁺ is a matrix without negative
# entries, and a product of many tends to rank one: whatever comes in at the top, the same picture comes out below [11].

# %% [markdown]
# ## 6 Which logit?
#
# In a scene with two objects there are two good questions. LRP answers the one that the start asks.
#
# > **Think first.** In a scene with a cat and a car, z⁺ explains the *cat*. On which of the two will its map have more?

# %% think first 3
check.think_first("the cat's map by z⁺")

# %% two objects
pair = make_scene(673, objects=2)
y = preprocess(pair.image)
one, other = pair.objects
maps, notes = {}, {}
for name in ("z⁺ everywhere", "dense ε, γ, z-box"):
    for this, that in ((one, other), (other, one)):
        title = f"{this.label}: {name}"
        maps[title] = R = leadwise.attribute(net, y, (UNIFORM | COMPOSITES)[name], target=this.index)
        notes[title] = f"{percent(share_on(R, this.mask))} on it, {percent(share_on(R, that.mask))} on the {that.label}"
        print(f"{title:28s}{notes[title]}")
masks, title = [one.mask, other.mask], "Two questions about one picture"
plot_image_grid(y, maps, notes=notes, mask=masks, clip=99, style="alone", columns=3, title=title)

# %% [markdown]
# z⁺ drops most of what tells one class from the other, and negative weights near the logit, as in composites, need not suffice. A
# [contrastive](../GLOSSARY.md#contrastive-explanation) question asks what made $f_c$ larger than the others. Gu et al. [12] start with
# the target's score, take the same, spread evenly, from the others, and keep what is above zero:
#
# $$R_c = f_c, \qquad R_k = -\frac{f_c}{K - 1} \quad (k \ne c)$$
#
# LRP is linear in its start, so the maps of all classes are enough.


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
# In scenes with two objects, how often has the map of one more on it than on the other?

# %% contrast measured
pairs = [make_scene(seed, objects=2) for seed in range(300, 312)]
print(f"{'more on the explained object':32s}one logit   contrast")
for name in ("ε everywhere", "z⁺ everywhere", "dense ε, γ, z-box"):
    right = np.zeros(2, int)
    for picture in pairs:
        x_pair = preprocess(picture.image)
        maps = all_classes(x_pair, (UNIFORM | COMPOSITES)[name])
        for this, that in (picture.objects, picture.objects[::-1]):
            for column, found in enumerate((maps, contrast(maps, net(x_pair).detach()))):
                R = found[this.index]
                right[column] += share_on(R, this.mask) > share_on(R, that.mask)
    print(f"{name:32s}{right[0]:9d}{right[1]:11d}   of {2 * len(pairs)}")

# %% [markdown]
# A half is chance. Where all classes have nearly one map, as with z⁺, a start that weighs all classes alike brings the little difference
# out; ε kept it all along, and has less to gain. The *start* is part of the method: [appendix A4](A4_rules_in_depth.ipynb) has one that
# helps nothing.
#
# **On an ECG** the published networks have two logits. Their difference $f_1 - f_0$, the log-odds, is the only score that the network's
# answer fixes: a softmax does not change when the same function of the input is added to both, while the map of either logit changes at
# will ([appendix A4](A4_rules_in_depth.ipynb) does it). So where a sentence speaks about the *answer*, take the difference of the two maps:
# `attribute(..., explain="log-odds")`.

# %% [markdown]
# ## Exercises
#
# Each cell holds the names that its check asks for. Solutions are in `solutions/04_layer_wise_relevance.ipynb`.
#
# **1 Write code.** `flat_map`, (3, 224, 224), is the map of the scene's object with ε = 0.1 in all layers but the first, and the flat
# rule there. Do without `input_rule`.

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
# **2 Predict, then look.** As α grows from 1 to 5, is $\sum |R|$ over the pixels `"constant"`, `"linear"` in α, or `"faster"` than linear?
# Write `predicted`, and run the check: it keeps your prediction, and never marks it. Then measure: `ratios`, five numbers, is the sum
# of $|R|$ by `"lrp_alpha_beta"` on the twin, divided by the twin's logit, for the scene's object.

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
# function, under the name `repaired`; it must work for a $z_k$ of zero, too.


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
# **4 Interpret.** Let `lowest` be the number of the class with the lowest logit of the scene, and explain it by both rules: `maps`,
# with the keys `"lrp_z"` and `"lrp_zplus"`. The z⁺ map is blue, for it starts with a negative logit. What do its bluest pixels mean?
# Write the letter as `statement`. Which of the two maps would you show to someone who asks "why not this class?"
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
# **5 Write code.** On the twin, explain the class with the highest logit against the runner-up alone: start with $R_c = f_c$ and
# $R_{\text{runner-up}} = -f_{\text{runner-up}}$, all else zero. `against` is the map, made by `lrp` of section 2 with ε = 10⁻⁹, and
# `wanted` the number that its sum should come close to.

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
# - **The cat's map by z⁺:** In this scene it has more on the car. Without negative weights hardly anything tells the maps of the two
#   classes apart, so both light what the shared features light most.

# %% [markdown]
# ## Quiz

# %% quiz
check.quiz()

# %% progress
check.progress()

# %% [markdown]
# ## Take away
#
# - LRP hands the value of a logit back by shares. On a ReLU network the z-rule is gradient × input.
# - ε absorbs weak and contradicting evidence, γ and α outvote it; flat, w² and z-box are for pixels.
# - Sums are an account: what does not reach the pixels was kept by biases, absorbed by ε, or handed to silent features.
# - Name the rule *and* its bias convention: two programs under the same name give different maps.
# - Composites keep classes apart at the top and noise out below.
# - The start is a choice: one logit, or one against others.
#
# ## Go further
#
# - [Notebook 05](05_sign.ipynb) has another rule for the input, SIGN; [notebook 09](09_lead_wise_attribution.ipynb) twelve leads.
# - Achtibat et al. 2023, Concept Relevance Propagation,
#   [doi:10.1038/s42256-023-00711-8](https://doi.org/10.1038/s42256-023-00711-8): LRP through one channel says *what* was seen.
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
