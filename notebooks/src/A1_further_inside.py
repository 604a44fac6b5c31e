# %% [markdown]
# # A1 Further inside AlexNet
#
# What notebook 01 leaves out so that its story stays short: how silent a network is, what a channel's twenty favourites share, a
# reading of the logits that can say *none of these*, your own photo, the spectrum of a synthesised picture, and its making step
# by step. For who wants to know more about one of these; nothing later in the course depends on it.
#
# **Before:** notebook 01.

# %% imports
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch

import leadwise
from leadwise.images.io import load_image, load_photograph, photographs
from leadwise.images.scenes import SIZE, make_scene
from leadwise.images.textures import texture
from leadwise.inspection import feature_maps, maximise_activation, top_k
from leadwise.networks.alexnet import AlexNet, preprocess
from leadwise.plotting import plot_tiles

# %% load
net = leadwise.load_alexnet()
large = net.source == "imagenet"  # ten times the computing: fewer scenes and steps below
scenes = [make_scene(seed) for seed in range(32 if large else 128)]
X = torch.stack([preprocess(scene.image) for scene in scenes])

# %% [markdown]
# ## 1 What stays silent
#
# Many values of a feature map are exactly zero. A ReLU network speaks by what stays silent, too.

# %% sparse
for layer in ("features.1", "features.4", "features.7", "features.9", "features.11"):
    maps = feature_maps(net, X, layer)
    dead = int((maps.amax((0, 2, 3)) == 0).sum())
    print(f"{layer:12s} {float((maps == 0).float().mean()):4.0%} of the values are zero;", end=" ")
    print(f"{dead} of {maps.shape[1]} channels are silent in all {len(X)} scenes")

# %% [markdown]
# ## 2 What favourites share
#
# Notebook 01 shows the six favourites of three channels. Six are a biased sample: they hide what else a channel answers to, a little
# less strongly. So look at twenty, and count what the scenes show.

# %% classes of the favourites
peaks = feature_maps(net, X, "features.11").amax((2, 3))  # of each scene and channel
if net.source == "embedded":
    for channel in peaks.std(0).topk(3).indices.tolist():
        labels = [scenes[index].labels[0] for index in peaks[:, channel].topk(20).indices.tolist()]
        common = max(set(labels), key=labels.count)
        print(f"channel {channel:3d}: {labels.count(common)} of the 20 scenes with the highest peaks show: {common}")

# %% [markdown]
# ## 3 Another reading of the logits
#
# There is another way to read the same logits. The embedded network was trained with one yes-or-no question for each class, and
# $\sigma(f_c) = 1 / (1 + e^{-f_c})$ is its answer to the question for class $c$. These answers need not add up to anything: all of
# them may be *no*. (ImageNet's network was trained through the softmax; its single logits answer no such question.) Both
# readings, measured:


# %% both readings
def noise_pictures(count):
    return torch.randint(0, 256, (count, SIZE, SIZE, 3), generator=torch.Generator().manual_seed(0)).byte().numpy()


rng = np.random.default_rng(0)
groups = {
    "scenes with an object": X,
    "photographs": torch.stack([preprocess(load_photograph(name)) for name in list(photographs())[:4]]),
    "scenery without an object": torch.stack([preprocess(texture(rng, SIZE)) for _ in range(32)]),
    "noise": torch.stack([preprocess(picture) for picture in noise_pictures(32)]),
    "one grey area": torch.zeros(1, 3, SIZE, SIZE),
}
print(f"{'':27s}{'pictures':>9s}{'largest share, mean':>21s}{'all σ(f) below 50%':>20s}")
for name, group in groups.items():
    share = np.mean([best[0][1] for best in top_k(net, group, 1)])
    none = (feature_maps(net, group, "classifier.6").sigmoid().amax(1) < 0.5).float().mean()
    print(f"{name:27s}{len(group):9d}{share:21.0%}{none:20.0%}")

# %% [markdown]
# The last column shows how often all answers are *no*, where they should be and where they should not. They are no guarantee either,
# for no such picture was in the training. How logits may be read depends on how the network was trained.

# %% [markdown]
# ## 4 Your own photo
#
# Write its path between the quotation marks, or take the upload button of notebook 01's explorer.

# %% own photo
my_photo = ""  # such as "~/Pictures/holiday.jpg"; PNG, JPEG or WebP

if my_photo:
    mine = preprocess(load_image(my_photo))
    plot_tiles({Path(my_photo).name: mine}, bars={Path(my_photo).name: top_k(net, mine)}, side=60)

# %% [markdown]
# ## 5 What regularisers do, frequency by frequency
#
# Without regularisers a synthesised picture looks like noise, with them like shapes. The amplitude at each spatial frequency shows the
# difference without taste. Each curve is divided by its own mean, so that shapes compare.
#
# | parameter | what it does at each step | from |
# |---|---|---|
# | `jitter` | shifts the picture at random, so that nothing depends on exact places | [1] |
# | `blur` | damps fine detail | [2] |
# | `total_variation` | levels neighbouring pixels | [3] |
# | `decay` | lets the picture fade, so that only what is renewed stays | [2] |
# | `smooth` | divides each frequency $f$ by $f^{\,1.5}$: large shapes first | [4] |
# | `grey` | moves the colours together | [4] |
# | `contrast` | subtracts what raises the other classes as well | |

# %% none and all
OFF = {"jitter": 0, "blur": 0, "total_variation": 0, "decay": 0, "smooth": 0, "grey": 0}
target = int(net(X[1]).argmax())
name, steps = net.class_names[target], 16 if large else 32
tried = {
    label: maximise_activation(net, target=target, steps=steps, contrast=1, **options).images[0]
    for label, options in {"none": OFF, "all": {}}.items()
}


# %% spectrum
def spectrum(picture):
    """Mean amplitude by spatial frequency, from 1 to 111 periods per picture width, (111,)."""
    amplitude = np.abs(np.fft.fft2(picture.numpy().mean(0)))
    f = np.fft.fftfreq(SIZE, 1 / SIZE)
    radius = np.hypot(f[:, None], f[None]).round().astype(int)
    return np.array([amplitude[radius == r].mean() for r in range(1, SIZE // 2)])


curves = {"16 scenes": np.mean([spectrum(one) for one in X[:16]], 0)}
curves |= {f"synthesised, regularisers: {label}": spectrum(picture) for label, picture in tried.items()}
fig, axis = plt.subplots(figsize=(6, 3.2), layout="constrained")
for label, curve in curves.items():
    axis.loglog(range(1, SIZE // 2), curve / curve.mean(), label=label)
axis.set(xlabel="spatial frequency (periods per picture width)", ylabel="amplitude (relative)")
axis.legend(frameon=False)
plt.show()

# %% [markdown]
# The scenes fall off towards fine detail. Without regularisers hardly anything falls off: the ascent writes where scenes have least.
# With all of them there is even less fine detail than in a scene. The regularisers are a prior: what looks natural in the
# result was put in by us.

# %% [markdown]
# ## 6 The way there
#
# `keep` holds pictures on the way. How early is the class named, and how much does the picture change afterwards?

# %% strip
found = maximise_activation(net, target=target, steps=3 * steps // 2, contrast=1, keep=5)
strip = {f"step {step}": picture for step, picture in zip(found.steps, found.strip[:, 0], strict=True)}
plot_tiles(strip, columns=5, side=27, bars={label: top_k(net, picture, 2) for label, picture in strip.items()})

# %% curve
fig, axis = plt.subplots(figsize=(6, 2.6), layout="constrained")
axis.plot(found.activation)
axis.set(xlabel="step", ylabel=f"log odds of “{name}”")
plt.show()

# %% [markdown]
# The curve trembles because of the jitter: each step sees the picture at another place.

# %% [markdown]
# ## 7 The original
#
# The small network is enough to learn every method on. The original is far larger and has seen 1.2 million photographs [5]. In a
# terminal, in the folder of the course:
#
# ```
# data/download_alexnet.sh
# ```
#
# Restart a notebook afterwards, and the same cells speak about the large network: edges and colours among its filters [5]; 1000
# names for your photographs; going by published pictures [2], more to recognise in what is synthesised; and several times the
# computing time. It is PyTorch's AlexNet, its author's simpler version of 2014 [6]: 64 first filters, where that of 2012 had 96
# on two graphics cards [5].

# %% which network
with torch.device("meta"):  # shapes without numbers, so without the memory
    published = AlexNet()
for label, network in {"in use": net, "in full size": published}.items():
    parameters = sum(weight.numel() for weight in network.parameters())
    filters = network.features[0].out_channels
    print(f"{label:13s}{parameters:11,} parameters, {filters} first filters, {len(network.class_names)} classes")
print(f"weights in use: {net.source}")

# %% [markdown]
# ## References
#
# 1. Mordvintsev, Olah, Tyka 2015, Inceptionism: going deeper into neural networks,
#    [Google Research blog](https://research.google/blog/inceptionism-going-deeper-into-neural-networks/)
# 2. Yosinski, Clune, Nguyen, Fuchs, Lipson 2015, Understanding neural networks through deep visualization, ICML workshop,
#    [arXiv:1506.06579](https://arxiv.org/abs/1506.06579)
# 3. Mahendran, Vedaldi 2016, Visualizing deep convolutional neural networks using natural pre-images, International Journal of
#    Computer Vision, [doi:10.1007/s11263-016-0911-8](https://doi.org/10.1007/s11263-016-0911-8)
# 4. Olah, Mordvintsev, Schubert 2017, Feature visualization, Distill,
#    [doi:10.23915/distill.00007](https://doi.org/10.23915/distill.00007)
# 5. Krizhevsky, Sutskever, Hinton 2012, ImageNet classification with deep convolutional neural networks, NeurIPS; reprinted in
#    Communications of the ACM 60, 2017, [doi:10.1145/3065386](https://doi.org/10.1145/3065386)
# 6. Krizhevsky 2014, One weird trick for parallelizing convolutional neural networks,
#    [arXiv:1404.5997](https://arxiv.org/abs/1404.5997)
