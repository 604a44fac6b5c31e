# %% [markdown]
# # 01 Inside AlexNet
#
# In 2012 AlexNet won the ImageNet competition by a wide margin and began the present age of deep learning [1]. Before asking
# *why* a network said what it said, look inside one: its filters, [feature maps](../GLOSSARY.md#feature-map) and classes, and the
# pictures that its units like best.
#
# **You will be able to**
#
# - read a first-layer filter and compute its feature map by hand,
# - say for every layer how much of the picture one of its units sees, and measure it,
# - read the most probable classes, also for a picture that is of none of them,
# - synthesise what a class or a channel responds to, and say what such a picture does not show.
#
# **Before:** notebook 00; Python with PyTorch tensors.
#
# **Clinician's path:** from 08; run all, read sections 1 to 4, do exercise 3. Next: 02.

# %% imports
import copy

import numpy as np
import torch
from torch.nn import functional

import leadwise
from leadwise.checks import alexnet as check
from leadwise.explorers import NetworkExplorer
from leadwise.images.io import load_photograph, photographs
from leadwise.images.scenes import SIZE, make_scene
from leadwise.images.textures import texture
from leadwise.inspection import feature_maps, first_layer_filters, layer_table, maximise_activation, top_k
from leadwise.networks.alexnet import preprocess, to_image
from leadwise.plotting import number, plot_tiles

# %% [markdown]
# ## 1 A network and a picture
#
# The course brings a small AlexNet: the same layers at a quarter of the width, trained on drawn *scenes* with twelve kinds of
# objects. Once `data/download_alexnet.sh` has fetched the original ImageNet weights, they are used instead
# ([appendix A1](A1_further_inside.ipynb) compares both).

# %% load
net = leadwise.load_alexnet()
large = net.source == "imagenet"  # ten times the computing: fewer scenes, classes and steps below

# %% [markdown]
# A scene is made from a number. `preprocess` turns a picture into what the network expects: 224 x 224 pixels, three colours, each
# with ImageNet's mean subtracted and divided by its standard deviation.

# %% scenes and their classes
scenes = [make_scene(seed) for seed in range(32 if large else 128)]
X = torch.stack([preprocess(scene.image) for scene in scenes])
print(f"{len(X)} scenes, {tuple(X.shape)}, values from {X.min():.1f} to {X.max():.1f}")

best = dict(zip((f"scene {i}: {', '.join(scenes[i].labels)}" for i in range(3)), top_k(net, X[:3]), strict=True))
plot_tiles(dict(zip(best, X, strict=False)), bars=best, side=34, title="Scenes, and the five most probable classes")

# %% [markdown]
# The shares below a picture are the [softmax](../GLOSSARY.md#softmax) of the network's outputs, the
# [logits](../GLOSSARY.md#logit) $f_c$:
#
# $$p_c = \frac{e^{f_c}}{\sum_k e^{f_k}}$$
#
# They are positive and add up to 1, by construction.

# %% accuracy
if net.source == "embedded":
    right = [labels[0][0] in scene.labels for labels, scene in zip(top_k(net, X, 1), scenes, strict=True)]
    print(f"the most probable class is the object's in {np.mean(right):.0%} of {len(right)} scenes")
else:
    print("the ImageNet network has no classes of its own for these drawings: its names are not theirs")

# %% [markdown]
# ## 2 A filter
#
# The first layer holds filters of 11 x 11 pixels in three colours. A filter is laid on the picture, every weight is multiplied by
# the value below it, and the products are added:
#
# $$z_{ij} = b + \sum_{c=1}^{3} \sum_{u=0}^{10} \sum_{v=0}^{10} w_{c u v}\; x_{c,\, 4i - 2 + u,\, 4j - 2 + v}$$
#
# Then it moves on by four pixels, the *stride*. The 2 is the *padding*: two rows of zeros around the picture.
#
# A filter can be shown as a small picture. Networks trained on photographs have edges of all directions, stripes and patches of
# colour [2]: such filters are *smooth*, neighbouring weights correlate. By how much here, $r$?


# %% filters as pictures
def smoothness(filters):
    """Correlation between horizontally neighbouring weights of each filter, (K,)."""
    left, right = filters[..., :-1].flatten(1), filters[..., 1:].flatten(1)
    left, right = (part - part.mean(1, keepdim=True) for part in (left, right))
    return (left * right).sum(1) / (left.norm(dim=1) * right.norm(dim=1))


torch.manual_seed(0)
untrained = torch.nn.Sequential(torch.nn.Conv2d(3, net.features[0].out_channels, 11))
drawn, notes = {}, {}
for name, network in {"filter": net, "random": untrained}.items():
    smooth = smoothness(first_layer_filters(network))
    pictures = (255 * first_layer_filters(network, scaled=True)).round().byte().permute(0, 2, 3, 1)
    for index in smooth.argsort(descending=True)[:8].tolist():
        drawn[f"{name} {index}"] = pictures[index]
        notes[f"{name} {index}"] = f"r = {smooth[index]:.2f}"
plot_tiles(drawn, columns=8, side=18, notes=notes, title="The smoothest filters, trained and at random")

# %% [markdown]
# A filter as rough as an untrained one still carries the noise it started from. The smoothest is now applied by hand, at one place and
# then everywhere.

# %% by hand
x, channel = X[0], int(smoothness(first_layer_filters(net)).argmax())
weight, bias = net.features[0].weight[channel].detach(), net.features[0].bias[channel].detach()

i, j = 30, 12  # row and column in the map
patch = x[:, 4 * i - 2 : 4 * i + 9, 4 * j - 2 : 4 * j + 9]
one_place = (weight * patch).sum() + bias

everywhere = functional.conv2d(x[None], weight[None], bias[None], stride=4, padding=2)[0, 0]
of_the_network = feature_maps(net, x, "features.0")[channel]

print(
    f"at ({i}, {j}): {one_place:.4f} by hand, {everywhere[i, j]:.4f} by conv2d, {of_the_network[i, j]:.4f} the network's"
)
print(f"largest difference anywhere: {(everywhere - of_the_network).abs().max():.1e}")

# %% the filter at work
seen = torch.zeros(224, 224, dtype=torch.bool)
seen[4 * i - 2 : 4 * i + 9, 4 * j - 2 : 4 * j + 9] = True
tiles = {
    "picture": x,
    f"filter {channel}": drawn[f"filter {channel}"],
    "convolution": everywhere,
    "after the ReLU": everywhere.clamp(min=0),
}
notes = {"picture": f"outlined: what ({i}, {j}) sees", "after the ReLU": "negative values become zero"}
plot_tiles(tiles, notes=notes, masks={"picture": seen}, side=40, label="value of the map")

# %% [markdown]
# The map is large where the picture looks like the filter and negative where it looks like its opposite. The
# [ReLU](../GLOSSARY.md#relu) that follows, $\max(0, z)$, keeps the first and forgets the second.

# %% [markdown]
# ## 3 Layers, and what their units see
#
# Each convolution works on the maps of the layer before. In between, max-pooling keeps the largest value of 3 x 3 places. Three
# dense layers turn the last maps into one logit for each class.

# %% layers
print(f"{'layer':13s}{'kind':19s}{'shape':>16s}{'parameters':>13s}{'sees (px)':>11s}{'stride':>8s}")
table = layer_table(net, x)
for row in table:
    if row.kind not in ("Dropout", "Flatten"):
        shape = " x ".join(map(str, row.shape))
        sizes = f"{row.parameters:13,}{row.receptive_field[0]:11d}{row.stride[0]:8d}"
        print(f"{row.name:13s}{row.kind:19s}{shape:>16s}{sizes}")
print(f"{'in total':48s}{sum(row.parameters for row in table):13,}")

# %% [markdown]
# Maps get smaller and more numerous: less *where*, more *what*.
#
# The **[receptive field](../GLOSSARY.md#receptive-field)** is the part of the picture that one unit sees. A layer with kernel size $k$,
# stride $t$ and padding $q$ widens the field $r$ by $k - 1$ steps, each as long as the product $s$ of all strides before; the centre
# $c$ of its first unit moves along [3]:
#
# $$r \leftarrow r + (k - 1)\, s, \qquad c \leftarrow c + \big(\tfrac{k - 1}{2} - q\big)\, s, \qquad s \leftarrow t\, s$$
#
# > **Think first.** The formula says where a unit *can* look. Which quantity, computed for each pixel, says where it *does*
# > look? Where in the field will it be largest?

# %% think first 1
check.think_first("where a unit does look")

# %% receptive fields by formula
field, stride, centre = 1, 1, 0.0
fields = {}
for name, module in net.features.named_children():
    if hasattr(module, "kernel_size"):
        k, t, q = (int(np.ravel(size)[0]) for size in (module.kernel_size, module.stride, module.padding))
        field, centre, stride = field + (k - 1) * stride, centre + ((k - 1) / 2 - q) * stride, t * stride
    fields[f"features.{name}"] = field, stride, centre

assert all(fields[row.name][0] == row.receptive_field[0] for row in table if row.name in fields)

# %% [markdown]
# The gradient: a pixel that can change a unit has, for some picture, a derivative that is not zero. So take pictures of pure noise,
# differentiate the middle unit of a layer, and add up the magnitudes.


# %% the gradient of one unit
def measured(layer, noise):
    """Mean magnitude of the gradient of a layer's middle units, over noise pictures and channels: (H, W)."""
    total = 0
    for part in noise.split(2):
        part.requires_grad_()
        out = net.features[: int(layer.removeprefix("features.")) + 1](part)
        middle = out[..., out.shape[-2] // 2, out.shape[-1] // 2]
        total = total + torch.autograd.grad(middle.sum(), part)[0].abs().sum((0, 1))
    return total / len(noise) / 3


# %% receptive fields by gradient
noise = torch.randn(4 if large else 16, 3, 415, 415, generator=torch.Generator().manual_seed(0))
tiles, masks, shown = {}, {}, slice(100, 324)
for layer in ("features.4", "features.7", "features.9", "features.11"):
    gradient = measured(layer, noise)
    rows, columns = gradient.nonzero(as_tuple=True)
    extent = int(rows.max() - rows.min() + 1), int(columns.max() - columns.min() + 1)
    field, stride, centre = fields[layer]
    middle = centre + stride * (feature_maps(net, noise[:1], layer).shape[-1] // 2)
    box, inner = (slice(int(middle - reach), int(middle + reach) + 1) for reach in (field // 2, field // 4))
    share, area = float(gradient[inner, inner].sum() / gradient.sum()), ((inner.stop - inner.start) / field) ** 2
    print(f"{layer:12s} formula {field:3d} px, measured {extent[0]} x {extent[1]} px;", end=" ")
    print(f"the inner {area:.0%} of the area hold {share:.0%} of the gradient")
    inside = torch.zeros(415, 415, dtype=torch.bool)
    inside[box, box] = True
    tiles[layer], masks[layer] = gradient[shown, shown], inside[shown, shown]
title = "Seen by one unit; outlined: the formula's field"
plot_tiles(tiles, masks=masks, side=34, label="mean |gradient| on noise", title=title)

# %% [markdown]
# No pixel outside the formula's field has any gradient. Inside, the gradient concentrates in the middle, because far more paths
# lead to a unit from there than from the corners: the *effective* field is smaller than the theoretical one [4].

# %% [markdown]
# ## 4 Feature maps
#
# Each layer gives one map per [channel](../GLOSSARY.md#channel). For four layers, here are the three channels that respond most strongly to one scene. The
# outline is the receptive field of the place where the first of them is largest.


# %% feature maps
def seen_by(layer, row, column):
    """Rows and columns of the picture, as slices, that the unit at (row, column) of a layer sees."""
    field, stride, centre = fields[layer]
    starts = (round(centre + stride * place - field // 2) for place in (row, column))
    return tuple(slice(max(start, 0), min(start + field, SIZE)) for start in starts)


x = X[1]
tiles, masks = {}, {}
for layer in ("features.1", "features.4", "features.7", "features.11"):
    maps = feature_maps(net, x, layer)
    strongest = maps.amax((1, 2)).topk(3).indices.tolist()
    row, column = divmod(int(maps[strongest[0]].argmax()), maps.shape[-1])
    masks[layer] = torch.zeros(SIZE, SIZE, dtype=torch.bool)
    masks[layer][seen_by(layer, row, column)] = True
    tiles[layer] = x
    tiles |= {f"{layer}, channel {index}": maps[index] for index in strongest}
plot_tiles(tiles, masks=masks, side=24, title=f"Feature maps of one scene: {', '.join(scenes[1].labels)}")

# %% [markdown]
# From top to bottom: the first layer draws the picture in edges and colours. Further up, a map is a few blobs: *something is here*, no
# longer what it looks like. Light along the rim comes from the padding: to a filter, the frame of zeros is an edge.
#
# **What does a channel stand for?** Look at its favourites: the places, in many pictures, where it responds most [2]. The three
# channels of the last convolution that differ most from scene to scene:

# %% favourites
layer = "features.11"
maps = feature_maps(net, X, layer)
peaks = maps.amax((2, 3))  # of each scene and channel
channels = peaks.std(0).topk(3).indices.tolist()
tiles = {}
for channel in channels:
    for rank, index in enumerate(peaks[:, channel].topk(6).indices.tolist(), 1):
        place = divmod(int(maps[index, channel].argmax()), maps.shape[-1])
        tiles[f"{channel}, no. {rank}"] = to_image(X[index])[seen_by(layer, *place)]
plot_tiles(tiles, columns=6, side=15, title=f"Where three channels of {layer} respond most: channel, rank")

# %% [markdown]
# What do all six of a row share? Sometimes it is an object, sometimes a colour or a kind of edge that several objects have. Six
# favourites hide what else the channel answers to; [appendix A1](A1_further_inside.ipynb) counts twenty, and the channels that stay
# silent.

# %% [markdown]
# ## 5 Top five, and what is not among the classes
#
# Now photographs, with their credits; `data/download_images.sh` fetches more.
#
# > **Think first.** The embedded network knows twelve classes. What will it say to a photograph of something else: *I don't
# > know*, one twelfth each, or one of the twelve? With what share?

# %% think first 2
check.think_first("a photograph of something else")

# %% photographs
shots = {name: preprocess(load_photograph(name)) for name in list(photographs())[:4]}
plot_tiles(shots, bars={name: top_k(net, shot) for name, shot in shots.items()}, side=34)

# %% credits
for name in shots:
    photograph = photographs()[name]
    print(f"{name}: {photograph.credit} ({photograph.licence})")

# %% [markdown]
# Softmax has no way to say *I don't know*: its shares add up to 1 whatever comes in. Is the largest share at least smaller where
# nothing fits?


# %% confidence
def noise_pictures(count):
    return torch.randint(0, 256, (count, SIZE, SIZE, 3), generator=torch.Generator().manual_seed(0)).byte().numpy()


rng = np.random.default_rng(0)
groups = {
    "scenes with an object": X,
    "photographs": torch.stack(list(shots.values())),
    "scenery without an object": torch.stack([preprocess(texture(rng, SIZE)) for _ in range(32)]),
    "noise": torch.stack([preprocess(picture) for picture in noise_pictures(32)]),
    "one grey area": torch.zeros(1, 3, SIZE, SIZE),
}
print(f"{'':27s}{'pictures':>9s}{'largest share, mean':>21s}{'above 90%':>11s}   most often")
for name, group in groups.items():
    labels, shares = zip(*(best[0] for best in top_k(net, group, 1)), strict=True)
    shares = np.array(shares)
    frequent = max(sorted(set(labels)), key=labels.count)
    print(f"{name:27s}{len(group):9d}{shares.mean():21.0%}{(shares > 0.9).mean():11.0%}   {frequent}")

# %% [markdown]
# In many networks the share is smaller on average where nothing fits, a first warning [5]. It is no more than that: pictures of nothing get a class, too, and one column says how often with a share that would pass for certainty. A softmax share tells
# classes apart *given that the picture is of one of them*. An ECG network that meets a loose electrode is in the same position.
# [Appendix A1](A1_further_inside.ipynb) reads the logits in a way that can say *none of these*.

# %% [markdown]
# ## 6 Activation maximisation
#
# Instead of searching for pictures that a unit likes, compute one: take the network as fixed, the picture as the unknown, and climb.
# This is [activation maximisation](../GLOSSARY.md#activation-maximisation) [6, 7]:
#
# $$x^* = \arg\max_x \; f_c(x) - \lambda\, \Omega(x), \qquad x \leftarrow x + \eta\, \frac{g}{\|g\|_{\text{rms}}}, \quad g = \frac{\partial f_c}{\partial x}$$
#
# Without the penalty $\Omega$, for the class that the network sees in our scene:

# %% ascent by hand
with torch.no_grad():
    target = int(net(x).argmax())
name = net.class_names[target]
start = 0.1 * torch.randn(1, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))

picture = start.clone()
for _step in range(20):
    picture.requires_grad_()
    gradient = torch.autograd.grad(net(picture)[0, target], picture)[0]
    picture = (picture + 0.1 * gradient / gradient.square().mean().sqrt()).detach()

tiles = {"a scene": x, "the start": start[0], "after 20 steps": picture[0]}
notes = {label: f"logit of “{name}”: {number(float(net(one).detach()[target]))}" for label, one in tiles.items()}
plot_tiles(tiles, notes=notes, bars={label: top_k(net, one, 2) for label, one in tiles.items()}, side=28)

# %% [markdown]
# Compare the logits: the noise moves the network more than a real scene does, and to us there is nothing in it. Such pictures can be
# made for any class [8].
#
# An ascent on one logit takes others along. From here on the objective is the *log odds*,
# $f_c - \log \sum_{k \neq c} e^{f_k}$: `contrast=1`.

# %% [markdown]
# ### Regularisers
#
# Why noise? The gradient may change every pixel on its own, and small changes add up over 150,000 inputs. Natural pictures lack such
# fine detail: their amplitude falls about as $1/f$ with spatial frequency [9]. **Regularisers** say so: at each step, `jitter` shifts
# the picture at random [10], `blur` and `total_variation` take fine detail away [11, 12], `decay` lets the picture fade [11], `smooth`
# divides each frequency $f$ by $f^{\,1.5}$, and `grey` moves the colours together [13].

# %% regularisers
OFF = {"jitter": 0, "blur": 0, "total_variation": 0, "decay": 0, "smooth": 0, "grey": 0}
on_cpu = leadwise.device().type == "cpu"
fast = net if on_cpu else copy.deepcopy(net).to(leadwise.device())  # a copy on a GPU, if there is one
steps = 16 if large else 32
CHOICES = {
    "none": OFF,
    "jitter": OFF | {"jitter": 24},
    "blur, total variation": OFF | {"blur": 1.0, "total_variation": 0.3},
    "large shapes first": OFF | {"smooth": 1.5},
    "all": {},
}
tried = {
    label: maximise_activation(fast, target=target, steps=steps, contrast=1, **options).images[0]
    for label, options in CHOICES.items()
}
bars = {label: top_k(net, picture, 2) for label, picture in tried.items()}
plot_tiles(tried, columns=5, side=23, bars=bars, title=f"“{name}”, by regulariser")

# %% [markdown]
# The regularisers are a prior: what looks natural was put in by us. [Appendix A1](A1_further_inside.ipynb) shows it frequency by
# frequency.

# %% [markdown]
# ### Many classes
#
# Does the network find in such pictures something that it could find in a picture? Shift them by 9 pixels, which no object minds, and
# ask again. Twelve classes, or six of a large network:

# %% many classes
classes = torch.linspace(0, len(net.class_names) - 1, 6 if large else 12).round().int().tolist()
shown = {}
for label, options in {"none": OFF, "all": {}}.items():
    shown[label] = maximise_activation(fast, target=classes, steps=steps, contrast=1, **options).images


def share_of_class(pictures):
    """Probability of each picture's own class."""
    with torch.no_grad():
        return torch.softmax(net(pictures), 1)[range(len(classes)), classes]


print(f"{'':13s}mean share of the class")
print(f"{'regularisers':13s}{'as made':>9s}{'as a file':>11s}{'shifted':>9s}")
for label, pictures in shown.items():
    as_files = torch.stack([preprocess(to_image(picture)) for picture in pictures])  # values that a picture can have
    shifted = pictures.roll((9, 9), (2, 3))
    print(
        f"{label:13s}"
        + "".join(f"{share_of_class(p).mean():{w}.0%}" for p, w in ((pictures, 9), (as_files, 11), (shifted, 9)))
    )

# %% [markdown]
# What was made without regularisers has been fitted to the exact grid of pixels, and a shift can undo it. What was made under jitter
# has been shifted at every step.
#
# > **Think first.** Guess the class of each picture below. How many did you get right?

# %% think first 3
check.think_first("how many of the twelve you guessed")

# %% gallery
order = torch.randperm(len(classes), generator=torch.Generator().manual_seed(1)).tolist()
tiles = {str(place): shown["all"][i] for place, i in enumerate(order, 1)}
plot_tiles(tiles, columns=6, side=19, title="Which class does each of these raise against the others?")

# %% what they are
print(", ".join(f"{place}: {net.class_names[classes[i]]}" for place, i in enumerate(order, 1)))

# %% [markdown]
# What the network needs is not what we need: a colour, dots or an outline may do, in any number and place. A picture that raises a logit
# shows *what the logit answers to*. It is no portrait of the class, and no proof that the network knows it.

# %% [markdown]
# ### Channels, layer by layer
#
# The same for single channels: the three of each layer that are most active over all scenes.

# %% channels of each layer
# Beyond the first layer, before the ReLU: there a channel that is silent at the start still has a slope to climb.
tiles = {}
for layer in ("features.1", "features.3", "features.6", "features.8", "features.10"):
    active = feature_maps(net, X, layer).clamp(min=0).mean((0, 2, 3)).topk(3).indices.tolist()
    liked = maximise_activation(fast, layer=layer, channel=active, steps=3 * steps // 4).images
    number_of = layer.removeprefix("features.")
    tiles |= {f"{number_of}, no. {channel}": picture for channel, picture in zip(active, liked, strict=True)}
plot_tiles(tiles, columns=3, side=19, title="Single channels: layer, number")

# %% [markdown]
# The patterns grow with the receptive fields: from plain colours over textures to larger and less regular arrangements. What is
# maximised is the mean over a channel's map, so each picture repeats its pattern, like wallpaper.
#
# Another start or another regulariser gives another picture. Trust what several of them share,
# and what agrees with the channel's favourites [13].

# %% [markdown]
# ## 7 Explore
#
# *Feature maps* offers every layer; *classes* takes your own photo; *activation maximisation* has a slider for every regulariser. Try
# `jitter` 0, then `smooth` 0.

# %% explorer
NetworkExplorer(net, scenes[1].image)

# %% [markdown]
# ## Exercises
#
# Each cell holds the names that its check asks for. Solutions are in `solutions/01_inside_alexnet.ipynb`.
#
# **1 Write code.** Make a filter `edge`, (3, 11, 11), that finds vertical edges of any colour: left half positive, right half negative,
# sum zero. Let `edge_map` be its map of scene 1, `X[1]`, made as the first layer makes its maps, without bias and ReLU, and `closest`
# the channel of `features.0` whose map correlates most with it, in magnitude.

# %% exercise 1 tags=["solution"] answers=["edge", "edge_map", "closest"]
# Exercise 1: your own filter, its map of X[1], and the channel of features.0 that resembles it most.
edge = torch.zeros(3, 11, 11)
edge[..., :5], edge[..., 6:] = 1, -1
edge = edge / edge.abs().sum()
edge_map = functional.conv2d(X[1:2], edge[None], stride=4, padding=2)[0, 0]
theirs = feature_maps(net, X[1], "features.0")
agreement = torch.corrcoef(torch.cat([edge_map[None], theirs]).flatten(1))[0, 1:]
closest = int(agreement.abs().argmax())
print(f"channel {closest}: correlation {agreement[closest]:.2f}")
plot_tiles({"my edges": edge_map, f"channel {closest}": theirs[closest]}, side=34, label="value of the map")

# %% check 1
check.own_filter(edge, edge_map, closest, picture=X[1], net=net)

# %% [markdown]
# **2 Predict, then look.** Shift a picture to the right by 8 pixels, the stride of `features.4`: do the maps of that layer
# stay the `"same"`, are they `"moved"` by a whole number of places, or `"changed"`? And by 4 pixels? Write `predicted`, such as
# `{8: "same", 4: "same"}`, and run the check before you compute anything: it keeps your prediction, and never marks it.
#
# Then measure. With `before`, the maps of `X[1]`, and `after`, those of `X[1].roll(pixels, -1)`, let `difference[8]` be the norm of
# `after - before.roll(1, -1)` and `difference[4]` that of `after - before`, each divided by the norm of `before`: all on rows and
# columns 5 to 21 only, `[:, 5:22, 5:22]`, away from the frame.

# %% exercise 2 tags=["solution"] answers=["predicted", "difference"]
# Exercise 2: your prediction and the check first; then the two measured differences, {8: ..., 4: ...}.
predicted = {8: "moved", 4: "changed"}
before, inner, difference = feature_maps(net, X[1], "features.4"), slice(5, 22), {}
for pixels, places in ((8, 1), (4, 0)):
    change = feature_maps(net, X[1].roll(pixels, -1), "features.4") - before.roll(places, -1)
    difference[pixels] = float(change[:, inner, inner].norm() / before[:, inner, inner].norm())
    print(f"{pixels} px: {difference[pixels]:.0%} of the norm differ")
# By the stride the maps move by exactly one place: convolution and pooling treat all places alike. By half of it there is no
# place to move to, and the values change: a network is not as indifferent to shifts as is often said.

# %% check 2
check.shifted_maps(predicted, difference, picture=X[1], net=net)

# %% [markdown]
# **3 Find the bug.** A colleague's receptive field of `features.11` is far smaller than that of section 3. Mend the
# function, under the name `mended`; it must be right for other layers, too.


# %% a colleague's receptive field
def colleagues_field(layers):
    """Receptive field of the last of the layers, pixels."""
    field = 1
    for module in layers:
        if hasattr(module, "kernel_size"):
            field += int(np.ravel(module.kernel_size)[0]) - 1
    return field


print(f"the colleague's receptive field of features.11: {colleagues_field(net.features[:12])} pixels")


# %% exercise 3 tags=["solution"] answers=["mended"]
# Exercise 3: def mended(layers): the same loop, repaired.
def mended(layers):
    """Receptive field of the last of the layers, pixels."""
    field, step = 1, 1
    for module in layers:
        if hasattr(module, "kernel_size"):
            field += (int(np.ravel(module.kernel_size)[0]) - 1) * step  # a step in this layer is `step` pixels long
            step *= int(np.ravel(module.stride)[0])
    return field


print(f"mended: {mended(net.features[:12])} pixels")

# %% check 3
check.mended_field(mended, net=net)

# %% [markdown]
# **4 Interpret.** Synthesise the class `target` twice, in 32 steps: `made[0]` with `contrast=0`, which maximises the plain
# logit, and `made[1]` with `contrast=1`, its log odds. Which contrast, 0 or 1, reaches the `higher_logit`, and which the
# `higher_odds`? And `because` of what do the two objectives lead to different pictures?
#
# - A: the log odds also count what the same picture gives to the other classes, the logit doesn't;
# - B: the softmax reverses the order of the classes;
# - C: with `contrast=1` the steps are shorter.

# %% exercise 4 tags=["solution"] answers=["made", "higher_logit", "higher_odds", "because"]
# Exercise 4: two pictures {0: ..., 1: ...}, which of them wins by logit and by log odds, and a letter.
made = {c: maximise_activation(net, target=target, contrast=c, steps=32).images[0] for c in (0, 1)}
logit, odds = {}, {}
for contrast, picture in made.items():
    logits = net(picture).detach()
    others = torch.cat([logits[:target], logits[target + 1 :]])
    logit[contrast], odds[contrast] = float(logits[target]), float(logits[target] - others.logsumexp(0))
    print(f"contrast {contrast}: logit {logit[contrast]:.1f}, log odds {odds[contrast]:.1f}")
higher_logit, higher_odds, because = max(logit, key=logit.get), max(odds, key=odds.get), "A"
# A logit rises with all that the class has, also with what it shares with others. Log odds depend on the differences. Each ascent
# is short and bound by regularisers, so it need not win even by its own measure: look before you name a winner.

# %% check 4
check.logit_or_odds(made, higher_logit, higher_odds, because, net=net, target=target)

# %% [markdown]
# **5 Write code.** A picture that shows what a *class* looks like should convince another network, too. The course has
# a second one: `leadwise.load_alexnet("clever hans")` (notebook 06 says what is wrong with it). Synthesise all twelve classes of
# `leadwise.load_alexnet("embedded")` in 32 steps with `contrast=1`: `pictures["none"]` without regularisers, options `OFF`, and
# `pictures["all"]` with them. How many of each does the first network recognise, how many the second? Write `recognised`, such as
# `{"none": (12, 3), "all": (12, 3)}`.

# %% exercise 5 tags=["solution"] answers=["pictures", "recognised"]
# Exercise 5: synthesise with one network, classify with both.
first, second = leadwise.load_alexnet("embedded"), leadwise.load_alexnet("clever hans")
every, pictures, recognised = list(range(len(first.class_names))), {}, {}
for label, options in {"none": OFF, "all": {}}.items():
    pictures[label] = maximise_activation(first, target=every, steps=32, contrast=1, **options).images
    answers = [network(pictures[label]).argmax(1).tolist() for network in (first, second)]
    recognised[label] = tuple(sum(a == b for a, b in zip(answer, every, strict=True)) for answer in answers)
print(recognised)
# Whatever the second does not recognise was the first network's own habit, not a property of the class.

# %% check 5
check.second_opinion(pictures, recognised)

# %% think first answers [markdown] tags=["solution"]
# ## Think first: answers
#
# - **Where a unit does look:** The magnitude of the gradient of the unit with respect to each pixel. It is largest in the
#   middle of the field, since far more paths lead from there to the unit than from the corners; section 3 measures it.
# - **A photograph of something else:** One of the twelve. A softmax has no *I don't know*, and one twelfth each would need
#   twelve equal logits. The share may well pass for certainty: the bars, and the table below them, say how large it is.
# - **How many of the twelve you guessed:** However many: a wrong guess is a finding. What convinces the network need not
#   look like the class to you.

# %% [markdown]
# ## Quiz

# %% quiz
check.quiz()

# %% progress
check.progress()

# %% [markdown]
# ## Take away
#
# - A filter is a small picture; its map says how well each place matches it.
# - The receptive field is where a unit can look; the gradient shows that it looks mostly at the middle.
# - Softmax shares tell known classes apart; they do not say that the picture is of one of them.
# - Gradient ascent finds what a unit answers to: without regularisers noise, with them also a picture of the regularisers.
# - What a network *likes* does not yet say why it *decided*: notebook 02.
#
# ## Go further
#
# - [Notebook 08](08_ecg_models.ipynb) looks inside networks for ECGs.
# - Bau et al. 2017, Network dissection, CVPR, [doi:10.1109/CVPR.2017.354](https://doi.org/10.1109/CVPR.2017.354), measures what
#   channels stand for on labelled pixels.
# - Try: turn the scenes grey. Which of section 4's three channels answered to a colour alone?
#
# ## References
#
# 1. Krizhevsky, Sutskever, Hinton 2012, ImageNet classification with deep convolutional neural networks, NeurIPS; reprinted in Communications of the ACM
#    60, 2017, [doi:10.1145/3065386](https://doi.org/10.1145/3065386)
# 2. Zeiler, Fergus 2014, Visualizing and understanding convolutional networks, ECCV,
#    [doi:10.1007/978-3-319-10590-1_53](https://doi.org/10.1007/978-3-319-10590-1_53)
# 3. Araujo, Norris, Sim 2019, Computing receptive fields of convolutional neural networks, Distill,
#    [doi:10.23915/distill.00021](https://doi.org/10.23915/distill.00021)
# 4. Luo, Li, Urtasun, Zemel 2016, Understanding the effective receptive field in deep convolutional neural networks, NeurIPS,
#    [arXiv:1701.04128](https://arxiv.org/abs/1701.04128)
# 5. Hendrycks, Gimpel 2017, A baseline for detecting misclassified and out-of-distribution examples in neural networks, ICLR,
#    [arXiv:1610.02136](https://arxiv.org/abs/1610.02136)
# 6. Erhan, Bengio, Courville, Vincent 2009, Visualizing higher-layer features of a deep network, technical report 1341, Université de Montréal
# 7. Simonyan, Vedaldi, Zisserman 2014, Deep inside convolutional networks, ICLR workshop, [arXiv:1312.6034](https://arxiv.org/abs/1312.6034)
# 8. Nguyen, Yosinski, Clune 2015, Deep neural networks are easily fooled, CVPR,
#    [doi:10.1109/CVPR.2015.7298640](https://doi.org/10.1109/CVPR.2015.7298640)
# 9. Field 1987, Relations between the statistics of natural images and the response properties of cortical cells, Journal of the Optical Society
#    of America A 4, [doi:10.1364/JOSAA.4.002379](https://doi.org/10.1364/JOSAA.4.002379)
# 10. Mordvintsev, Olah, Tyka 2015, Inceptionism: going deeper into neural networks,
#     [Google Research blog](https://research.google/blog/inceptionism-going-deeper-into-neural-networks/)
# 11. Yosinski, Clune, Nguyen, Fuchs, Lipson 2015, Understanding neural networks through deep visualization, ICML workshop,
#     [arXiv:1506.06579](https://arxiv.org/abs/1506.06579)
# 12. Mahendran, Vedaldi 2016, Visualizing deep convolutional neural networks using natural pre-images, International Journal of Computer Vision,
#     [doi:10.1007/s11263-016-0911-8](https://doi.org/10.1007/s11263-016-0911-8)
# 13. Olah, Mordvintsev, Schubert 2017, Feature visualization, Distill, [doi:10.23915/distill.00007](https://doi.org/10.23915/distill.00007)
