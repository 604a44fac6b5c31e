# %% [markdown]
# # 03 Which class?
#
# A picture with a cat and a car has two right answers. Asked about the cat, a map should lie on the cat; asked about the car, on
# the car. Many methods draw the same map whatever they are asked. This notebook puts the families of methods side by side and
# asks each the same two questions: sharp, fine and beautiful are no answer to them.
#
# **You will be able to**
#
# - tell the families of methods by what they ask of a network, and by the texture of their maps,
# - measure whether a map finds the object, and whether it answers for the class that you asked about,
# - write Grad-CAM and occlusion in ten lines each, and check them against captum,
# - say what hiding one part at a time must miss, and which methods find it.
#
# **Before:** notebooks 01 and 02.
#
# **Clinician's path:** from 02; run all, read sections 1 and 2, do exercise 1. Next: 04.

# %% imports
import json
import warnings
from pathlib import Path

import captum.attr
import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn
from torch.nn import functional

import leadwise
from leadwise.attribution import MethodWarning
from leadwise.checks import which_class as check
from leadwise.images.io import load_photograph
from leadwise.images.scenes import make_scene
from leadwise.inspection import top_k
from leadwise.networks.alexnet import load_alexnet, preprocess
from leadwise.paths import checkout
from leadwise.plotting import percent, plot_image_grid

# A map of few samples warns of its own error. Here few must do; whole classes of methods are compared.
warnings.simplefilter("ignore", MethodWarning)

# %% [markdown]
# ## 1 Families and their textures
#
# Each method answers a question of its own:
#
# | family | question | members here |
# |---|---|---|
# | gradient | what would a small change do? | gradient, SmoothGrad, VarGrad |
# | path | how did the logit come about, from a baseline to here? | integrated and expected gradients, DeepLIFT, DeepSHAP |
# | changed backward pass | the gradient, with another rule at each ReLU | guided backpropagation, deconvnet |
# | class activation | which places of the last feature maps count? | Grad-CAM and its variants |
# | perturbation | what happens when a part is gone? | occlusion, KernelSHAP, LIME, RISE |
#
# `leadwise.METHODS[name].citation` is the paper of a method. Scene and network are those of notebook 02.

# %% scene
scene = make_scene(186, objects=2)
network = load_alexnet("embedded")
x = preprocess(scene.image)
masks = {thing.label: thing.mask for thing in scene.objects}
cat, car, dog = (network.class_names.index(name) for name in ("cat", "car", "dog"))
print("the network sees", ", ".join(f"{name} ({percent(p)})" for name, p in top_k(network, x, 3)))


# %% share
def share(relevance, mask):
    """Share of the positive relevance (3, H, W), colours added up, that lies inside a mask."""
    positive = relevance.sum(0).clamp(min=0)
    return float(positive[torch.tensor(mask)].sum() / positive.sum().clamp(min=1e-12))


def title(name):
    """The method's name for menus and figures."""
    return leadwise.METHODS[name].title


# Fewer samples than the defaults, to save time; the explorer of section 7 offers more.
FEWER = {"smoothgrad": {"samples": 16}, "integrated_gradients": {"steps": 16}}
FEWER |= {"occlusion": {"window": 32, "stride": 16}, "rise": {"samples": 192}}
FEWER |= {name: {"samples": 160, "segment": 32} for name in ("kernel_shap", "lime")}


def ask(name, target, network=network, x=x):
    """A map, with few samples."""
    return leadwise.attribute(network, x, name, target=target, **FEWER.get(name, {}))


# %% nine methods
SHOWN = ("gradient", "smoothgrad", "integrated_gradients", "deeplift", "guided_backprop", "deconvnet", "grad_cam")
SHOWN += ("occlusion", "rise")
maps = {name: ask(name, cat) for name in SHOWN}
drawn = {title(name): relevance for name, relevance in maps.items()}
notes = {title(name): f"{percent(share(relevance, masks['cat']))} on the cat" for name, relevance in maps.items()}
heading = f"Nine methods, explained: cat, which covers {percent(masks['cat'].mean())}"
plot_image_grid(x, drawn, columns=5, clip=99, threshold=0.1, mask=masks["cat"], notes=notes, title=heading)

# %% [markdown]
# Under each title stands how much of the positive relevance lies on the cat. Four textures repeat. Gradients are fine and signed.
# Guided backpropagation and deconvnet are known for outlines, drawn by large networks on photographs [1, 2]; this small one leaves
# dots, with deconvnet far from both objects, too. Class activation maps are blobs as coarse as the last feature maps, 13 × 13.
# Occlusion gives tiles as large as its window, RISE soft hills. **A map's texture is the method's, not the network's.**
#
# The figures add up three colours. Class activation and perturbation give all three the same value: the largest $|R|$ below such
# a map is three times that of the map itself.
#
# Now a photograph. The ImageNet weights are used where they have been downloaded. The small network has no class for such a
# picture, and must still name one; a map then explains that answer, right or wrong.
#
# > **Think first.** Which maps will draw the building most finely? And what could you measure to find out whether a fine
# > drawing is about the class?

# %% think first 1
check.think_first("the finest drawing, and how to test it")

# %% photograph
photo_network = load_alexnet("auto")
photo = preprocess(load_photograph("china"))
found, probability = top_k(photo_network, photo, 1)[0]
answer = int(photo_network(photo).argmax())
some = ("gradient", "smoothgrad", "integrated_gradients", "guided_backprop", "deconvnet", "grad_cam")
fine = {title(name): ask(name, answer, photo_network, photo) for name in some}
heading = f"A photograph by the {photo_network.source} network, explained: {found} ({percent(probability)})"
plot_image_grid(photo, fine, columns=4, clip=99, threshold=0.1, title=heading)

# %% [markdown]
# ## 2 One picture, two questions
#
# A method that ignores the question is right in half of the cases. A small test with the cheap methods: twelve fresh scenes,
# both objects of each explained in turn.
#
# > **Think first.** Two logits share every layer but the last. How do the gradients of "cat" and "car" come to differ at all?
# > Guess the correlation of the two maps, from −1 to 1, for the gradient and for guided backpropagation.

# %% think first 2
check.think_first("how the two gradients come to differ")

# %% both objects
SCENES = [make_scene(700 + i, objects=2) for i in range(12)]
pictures = torch.stack([preprocess(scene.image) for scene in SCENES])


def both(method, **parameters):
    """Maps of 12 scenes for their two objects, (2, 12, 3, 224, 224)."""
    targets = [torch.tensor([scene.objects[k].index for scene in SCENES]) for k in (0, 1)]
    return torch.stack([leadwise.attribute(network, pictures, method, target, **parameters) for target in targets])


def right(maps):
    """For each explained object: does more positive relevance lie on it than on the other one? bool (24,)"""
    shares = [[[share(maps[k, i], thing.mask) for thing in SCENES[i].objects] for i in range(12)] for k in (0, 1)]
    return np.array([row[k] > row[1 - k] for k in (0, 1) for row in shares[k]])


def correlation(a, b):
    """Correlation of two maps (3, H, W), colours added up."""
    return float(torch.corrcoef(torch.stack([a.sum(0).flatten(), b.sum(0).flatten()]))[0, 1])


# %% two objects
CHEAP = ("gradient", "gradient_x_input", "smoothgrad", "integrated_gradients", "deeplift", "guided_backprop")
CHEAP += ("deconvnet", "grad_cam", "guided_grad_cam", "random")
alike = {}
print(f"{'':26s}right object   correlation of the two maps")
for name in CHEAP:
    pair = both(name, **dict.fromkeys(FEWER.get(name, {}), 8))
    alike[name] = np.mean([correlation(*pair[:, i]) for i in range(12)])
    print(f"{title(name):26s}{right(pair).sum():6d} of 24{alike[name]:16.2f}")

# %% [markdown]
# The correlation says how much the map changes when the question does. Near 1, it doesn't: whatever such a map shows, it
# isn't the evidence for one class against another. The random map is the same for every class, so it is right in exactly half.

# %% [markdown]
# ## 3 Finding the object is another test
#
# Twelve scenes are few. The course's benchmark did the same with more scenes and all methods, LRP of notebook 04 included; its
# table lies in `benchmarks/` of the checkout. Some of its rows are *controls* that ask no network: a random map, the picture's values
# ($|x|$, $x^2$, $x$ less a reference) and its steps from pixel to pixel ($|dx/dt|$). It measures two things: on scenes with one object, how much of the positive relevance
# lies on it; on scenes with two, how often the right one of them gets more.

# %% benchmark
root = checkout() or Path.cwd().parent
stored = json.loads((root / "benchmarks" / "scene_localisation.json").read_text())
rows = {name: row for name, row in stored["methods"].items() if name in leadwise.METHODS}
rows = dict(sorted(rows.items(), key=lambda item: item[1]["on the object"]))
on_it, which = ([row[key] for row in rows.values()] for key in ("on the object", "right object of two"))
error = [1.96 * row["standard error"] for row in rows.values()]
places = range(len(rows))

# %% benchmark drawn
fig, (left, middle) = plt.subplots(1, 2, figsize=(9, 0.19 * len(rows) + 1.2), sharey=True, layout="constrained")
left.barh(places, on_it, xerr=error, color="#9aa5b1", error_kw={"linewidth": 0.8})
left.axvline(stored["area of the object"], color="#c22f00", label="chance: the object's share of the picture")
left.set(xlabel="share of the positive relevance on the only object", ylim=(-0.6, len(rows) - 0.4))
left.set_yticks(places, [title(name) for name in rows], fontsize=8)
middle.plot(which, places, "o", color="#0a2f8f")
middle.axvline(0.5, color="#c22f00", label="chance")
middle.set(xlabel="right object of two", xlim=(0, 1.02))
for axis in (left, middle):
    axis.legend(loc="lower right", fontsize=8)
    axis.grid(axis="y", color="#eeeeee")
    axis.set_axisbelow(True)
fig.suptitle(f"{stored['scenes']['one object']} scenes with one object, {stored['scenes']['two objects']} with two")
plt.show()

# %% [markdown]
# The thin lines are 95 % intervals. The random map lands on the chance line in both panels, as it has to: that is the check that the
# measure is fair.

# %% who passes
passed = [name for name, row in rows.items() if row["right object of two"] >= 0.9]
at_chance = [name for name, row in rows.items() if abs(row["right object of two"] - 0.5) <= 0.1]
four_times = [name for name, row in rows.items() if row["times the object's area"] >= 4]
print(f"right object in at least 90 %: {'; '.join(map(title, passed)) or 'none'}\n")
print(f"as good as a coin (40 to 60 %): {'; '.join(map(title, at_chance)) or 'none'}\n")
print(f"at least four times chance on a single object: {'; '.join(map(title, four_times)) or 'none'}")

# %% [markdown]
# The two panels measure two things. A method can find *the object* and still not *the class*: with one object in the picture nobody notices.

# %% [markdown]
# ## 4 What guided backpropagation shows
#
# Both methods change how a ReLU passes a gradient back [1, 2]. With $a$ its input and $R$ what comes back to it:
#
# $$\text{gradient: } \mathbf 1[a > 0]\, R \qquad \text{deconvnet: } \mathbf 1[R > 0]\, R \qquad
# \text{guided: } \mathbf 1[a > 0]\, \mathbf 1[R > 0]\, R$$
#
# However sharp such maps are: are they about the class? Ask for the cat, then for the car.

# %% two classes
by_class, notes = {}, {}
for name in ("guided_backprop", "integrated_gradients"):
    for label, target in (("cat", cat), ("car", car)):
        relevance = ask(name, target)
        by_class[f"{label}: {title(name)}"] = relevance
        notes[f"{label}: {title(name)}"] = f"{percent(share(relevance, masks[label]))} on the {label}"
heading = "The same scene, two questions"
plot_image_grid(x, by_class, columns=5, clip=99, threshold=0.1, mask=masks, notes=notes, title=heading)

# %% [markdown]
# The numbers of section 2 again, as a picture: the correlation between the maps of the two classes, over twelve scenes.

# %% alike
order = sorted(alike, key=alike.get)
fig, axis = plt.subplots(figsize=(7, 3), layout="constrained")
axis.barh([title(name) for name in order], [alike[name] for name in order], color="#9aa5b1")
axis.axvline(0, color="#444444", linewidth=0.8)
axis.set(xlabel="correlation between the maps of the two classes, mean of 12 scenes", xlim=(-1, 1))
plt.show()
print(f"guided backpropagation {alike['guided_backprop']:.2f}, deconvnet {alike['deconvnet']:.2f}")

# %% [markdown]
# Where a bar is long, the reason is this: on the way down, negative parts are dropped at every ReLU, and what is left is mostly
# decided by the first layers and the picture, an edge detector with the network's filters; this can be shown for random
# weights [3], and maps of a network with randomised weights look alike, too [4]. Such a map may illustrate what the first
# layers respond to. It is weak evidence about a decision.

# %% [markdown]
# ## 5 Grad-CAM
#
# [Grad-CAM](../GLOSSARY.md#grad-cam) doesn't go down to the pixels [5]. It stops at the last feature maps $A_k$, weighs each by its mean
# gradient and keeps what is positive:
#
# $$w_k = \frac{1}{|\text{places}|} \sum_{ij} \frac{\partial f_c}{\partial A_{kij}}, \qquad R = \mathrm{ReLU} \sum_k w_k A_k$$


# %% my grad-cam
def grad_cam(network, x, target, layer):
    """Map at the layer's own resolution, (h, w)."""
    kept = []
    with layer.register_forward_hook(lambda module, args, out: kept.append(out)):
        logit = network(x[None])[0, target]
    weights = torch.autograd.grad(logit, kept[0])[0].mean((2, 3), keepdim=True)
    return (weights * kept[0]).sum(1).relu()[0].detach()


def difference(a, b):
    """Largest difference of two maps, relative to the largest magnitude."""
    return f"{float((a - b).abs().max() / b.abs().max()):.1e}"


# %% compare grad-cam
layer = network.features[11]
mine = grad_cam(network, x, cat, layer)
theirs = captum.attr.LayerGradCam(network, layer).attribute(x[None], target=cat, relu_attributions=True)[0, 0].detach()
ours = leadwise.attribute(network, x, "grad_cam", target=cat)[0]
large = functional.interpolate((mine / mine.max())[None, None], size=(224, 224), mode="bilinear")[0, 0]
print(f"{tuple(mine.shape)} values stand for {tuple(ours.shape)} pixels")
print("mine - captum:                        ", difference(mine, theirs))
print("mine, scaled to 1 and enlarged - ours:", difference(large, ours))

# %% [markdown]
# The course scales the map to a maximum of 1, which the formula above does not: the sum of a scaled map means nothing, and a weak
# answer looks as strong as a firm one. And Grad-CAM keeps only a weight for each feature map: *where* in the map the gradient was positive is
# averaged away. HiResCAM multiplies before it averages [6].

# %% [markdown]
# ## 6 Occlusion
#
# The plainest question needs no derivative: what does the logit lose when a part is covered [2]?


# %% my occlusion
@torch.no_grad()
def occlusion(network, x, target, window, stride):
    """Mean fall of the logit over all windows that cover a pixel, (H, W)."""
    fall, times = torch.zeros(x.shape[1:]), torch.zeros(x.shape[1:])
    for i in range(0, 224 - window + 1, stride):
        for j in range(0, 224 - window + 1, stride):
            covered = x.clone()
            covered[:, i : i + window, j : j + window] = 0
            fall[i : i + window, j : j + window] += network(x)[target] - network(covered)[target]
            times[i : i + window, j : j + window] += 1
    return fall / times


# %% compare occlusion
mine = occlusion(network, x, cat, window=56, stride=28)
ours = leadwise.attribute(network, x, "occlusion", target=cat, window=56, stride=28)[0]
sizes = {"sliding_window_shapes": (3, 56, 56), "strides": (3, 28, 28)}
theirs = captum.attr.Occlusion(network).attribute(x[None], target=cat, **sizes)[0, 0]
print("mine - captum:", difference(mine, theirs))
print("mine - leadwise:", difference(mine, ours))

# %% [markdown]
# > **Think first.** With smaller windows the map gets finer. What happens to the largest fall of the logit, and why?

# %% think first 3
check.think_first("smaller windows")

# %% window size
with torch.no_grad():
    whole = float(network(x)[cat])
by_window = {}
for window, stride in ((16, 16), (32, 16), (56, 28), (112, 28)):
    name = f"window {window}, stride {stride}"
    by_window[name] = leadwise.attribute(network, x, "occlusion", target=cat, window=window, stride=stride)
    print(f"{name:23s}largest fall of the logit {float(by_window[name].max()):6.2f} of {whole:.2f}")
notes = {name: f"{percent(share(relevance, masks['cat']))} on the cat" for name, relevance in by_window.items()}
plot_image_grid(x, by_window, columns=5, mask=masks["cat"], notes=notes, title="Occlusion with four windows")

# %% [markdown]
# A fall larger than the logit says that the logit went below zero. A small window takes away too little: the rest of the cat
# still makes a cat. A large one covers the cat from far away and smears the
# map. And a grey patch is itself a picture that the network never saw in training: the baseline of notebook 02 again.

# %% [markdown]
# ## 7 Hiding many parts at once
#
# *Redundant* evidence, of which each half would do, is missed by all that take one thing away at a time. Hide either half and nothing
# falls. Those that hide many parts at once, in many combinations, see it. LIME fits a weighted sum to the answers [7]; KernelSHAP
# weighs the combinations so that the fit gives Shapley's values [8]; RISE averages the random masks by the answers they leave [9].
#
# The smallest example is a network that says "A or B" about a recording that has both:


# %% either half would do
class Either(nn.Module):
    """Logits (1 - f, f), f the larger mean of two quarters: either of them is enough."""

    def forward(self, x):
        quarters = x[:, 0].unflatten(1, (4, -1)).mean(2)
        found = torch.maximum(quarters[:, 0], quarters[:, 1])
        return torch.stack([1 - found, found], 1)


both_halves = torch.zeros(1, 400)
both_halves[:, :200] = 1
print(f"{'sum of the relevance on':22s}   A      B   nothing")
sizes = {"occlusion": {"window": 100, "stride": 100}}
sizes |= {name: {"segment": 100, "samples": 500} for name in ("kernel_shap", "lime")}
for method, settings in sizes.items():
    R = leadwise.attribute(Either(), both_halves, method, target=1, progress=False, **settings)
    sums = R[0].unflatten(0, (4, -1)).sum(1)
    print(f"{title(method):22s}" + "".join(f"{float(value):7.2f}" for value in sums[:3]))

# %% [markdown]
# KernelSHAP gives each half its share. LIME gives less: it weighs those copies most in which nearly everything is kept [7], and there
# one half more changes little. On the scene, they are asked for the cat and for the car:

# %% many parts
hidden, notes = {}, {}
for name in ("kernel_shap", "lime", "rise"):
    for label, target in (("cat", cat), ("car", car)):
        hidden[f"{label}: {title(name)}"] = relevance = ask(name, target)
        notes[f"{label}: {title(name)}"] = f"{percent(share(relevance, masks[label]))} on the {label}"
heading = "Random parts hidden, two questions"
plot_image_grid(x, hidden, columns=4, mask=masks, notes=notes, title=heading)

# %% [markdown]
# They never look inside, so they work on any model that answers, and what they measure is the answer for the class that was
# asked. They pay with hundreds of passes through the network, which [appendix A3](A3_what_maps_cost.ipynb) counts for
# every method, and with the noise of random masks.
#
# **Explore.** Any picture, class, method and parameter. The bars on the right keep score; the black mark is chance.

# %% explorer
from leadwise.explorers import ImageExplorer

explorer = ImageExplorer(scene, network, method="grad_cam", target="cat", families=("gradient", "cam", "perturbation"))
explorer

# %% [markdown]
# ## Exercises
#
# Each cell holds the names that its check asks for. Solutions, and answers to the prompts, are in `solutions/03_which_class.ipynb`.
#
# **1 Predict, then look.** There is no dog in the scene. Asked for the dog, which maps stay nearly as they were for the cat? Write
# `predicted`, a dict with the keys `"guided_backprop"`, `"integrated_gradients"` and `"grad_cam"` and the values `"stays"` or
# `"changes"`. Run the check: it keeps your prediction, and never marks it. Only then let `absent` hold, for each of the three, the
# `correlation` of the maps of `cat` and `dog`, both by `ask`.

# %% exercise 1 tags=["solution"] answers=["predicted", "absent"]
# Exercise 1: three predictions; then the correlation of ask(name, cat) and ask(name, dog) for each of the three methods.
predicted = {"guided_backprop": "stays", "integrated_gradients": "changes", "grad_cam": "changes"}
absent = {name: correlation(ask(name, cat), ask(name, dog)) for name in predicted}
print({name: round(value, 2) for name, value in absent.items()})
# Guided backpropagation draws nearly the same for an animal that is not there: what it draws is the picture.

# %% check 1
check.absent_class(predicted, absent, network=network, x=x, cat=cat, dog=dog)

# %% [markdown]
# **2 Find the bug.** A colleague's Grad-CAM finds the largest object of every picture, "whatever I ask". Ask it for the cat and for
# the car. Which line forgets the question? Mend it, under the name `mended`, with the same arguments.


# %% buggy
def colleagues_grad_cam(network, x, target, layer):
    """Grad-CAM at the layer's own resolution, with a bug."""
    kept = []
    with layer.register_forward_hook(lambda module, args, out: kept.append(out)):
        logit = network(x[None]).max()
    weights = torch.autograd.grad(logit, kept[0])[0].mean((2, 3), keepdim=True)
    return (weights * kept[0]).sum(1).relu()[0].detach()


pair = [colleagues_grad_cam(network, x, target, layer) for target in (cat, car)]
print(f"largest difference of the two maps: {float((pair[0] - pair[1]).abs().max())}")


# %% exercise 2 tags=["solution"] answers=["mended"]
# Exercise 2: which line does not depend on `target`? Then def mended(network, x, target, layer).
def mended(network, x, target, layer):
    """Grad-CAM at the layer's own resolution, (h, w)."""
    kept = []
    with layer.register_forward_hook(lambda module, args, out: kept.append(out)):
        logit = network(x[None])[0, target]
    weights = torch.autograd.grad(logit, kept[0])[0].mean((2, 3), keepdim=True)
    return (weights * kept[0]).sum(1).relu()[0].detach()


# The largest logit is explained, whatever was asked. On pictures of one object nobody would have noticed.

# %% check 2
check.mended_grad_cam(mended, network=network, x=x, targets=(cat, car))

# %% [markdown]
# **3 Write code.** Grad-CAM needs no last layer: with `layer="features.4"` it works on the maps of that one. Take the ReLU after each of the five
# convolutions (`features.1`, `.4`, `.7`, `.9`, `.11`), ask the 24 questions of section 2, and let `correct` say for each of these
# names how many of the 24 are answered rightly.

# %% exercise 3 tags=["solution"] answers=["correct"]
# Exercise 3: loop over the layers; `both("grad_cam", layer=...)` and `right(...)` of section 2 do the rest.
correct = {}
for name in ("features.1", "features.4", "features.7", "features.9", "features.11"):
    found = both("grad_cam", layer=name)
    correct[name] = int(right(found).sum())
    on_object = np.mean([share(found[0, i], scene.objects[0].mask) for i, scene in enumerate(SCENES)])
    print(f"{name:12s}{correct[name]:3d} of 24 right, {percent(on_object)} on the explained object")
# Early feature maps are finer, but their channels stand for edges and colours, which no object has to itself; one weight for a
# whole channel can't tell the cat's edges from the car's.

# %% check 3
check.grad_cam_by_layer(correct, network=network, scenes=SCENES)

# %% [markdown]
# **4 Test, then interpret.** Under a guided backpropagation map somebody writes: "the network recognises the cat by its ears
# and whiskers". Make a network that has *forgotten the classes*: `forgetful`, a `deepcopy` of `network` with new random weights in
# `classifier[6]`. Let `correlations` hold, for `"guided_backprop"` and two methods of your choice, the correlation of the maps of
# the cat before and after (`correlation` of section 2). Which `statement` may be made of a map that stays nearly the same?
#
# - A: the sentence is confirmed, for the ears and whiskers are still drawn;
# - B: the map can't be evidence for what the last layer knew about cats;
# - C: the last layer doesn't matter, so the features below must have decided for "cat".

# %% exercise 4 tags=["solution"] answers=["forgetful", "correlations", "statement"]
# Exercise 4: a copy of the network with new weights in classifier[6]; correlations by method; "A", "B" or "C".
from copy import deepcopy

forgetful = deepcopy(network)
torch.manual_seed(1)
nn.init.normal_(forgetful.classifier[6].weight, std=float(network.classifier[6].weight.detach().std()))
print("the new network sees", ", ".join(f"{name} ({percent(p)})" for name, p in top_k(forgetful, x, 2)))
correlations = {}
for name in ("guided_backprop", "deconvnet", "integrated_gradients", "grad_cam"):
    correlations[name] = correlation(ask(name, cat), ask(name, cat, forgetful))
    print(f"{title(name):26s}{correlations[name]:6.2f}")
statement = "B"
# Notebook 06 makes a test of this, layer by layer.

# %% check 4
check.forgetful_network(forgetful, correlations, statement, network=network, x=x, target=cat)

# %% think first answers [markdown] tags=["solution"]
# ## Think first: answers
#
# - **The finest drawing, and how to test it:** In large networks those that let one sign pass through every ReLU: guided
#   backpropagation and deconvnet [1, 2]. The small one makes dots of them, no finer than the gradient's. To test whether a drawing is about the class, ask for another class, or let the network forget its classes: a
#   drawing that stays was about the picture.
# - **How the two gradients come to differ:** By the last layer's weights alone: each class weighs the same features
#   differently, and the gradient carries these weights down. The correlations stand in the table: the nearer to 1, the less
#   the map knows which class was asked for.
# - **Smaller windows:** It gets smaller: a small window leaves enough of the cat to be one. The fall says what *this*
#   window takes away, and not what the object is worth.

# %% [markdown]
# ## Quiz

# %% quiz
check.quiz()

# %% progress
check.progress()

# %% [markdown]
# ## Take away
#
# - A map's texture is the method's. Sharp isn't right.
# - Finding the object and answering for the class are two tests. Use scenes with two objects for the second, and a random map for chance.
# - Guided backpropagation and deconvnet are known for sharp outlines. Measure whether they change with the class before you read one.
# - Grad-CAM is coarse, here scaled to 1, and keeps one weight for each feature map.
# - Occlusion asks what one window takes away. Evidence that is there twice it misses; methods that hide many parts at once find it.
#
# ## Go further
#
# - [Notebook 04](04_layer_wise_relevance.ipynb) hands the logit back by rules; [notebook 06](06_can_you_trust_it.ipynb) randomises a
#   network layer by layer.
# - Covert, Lundberg, Lee 2021, Explaining by removing, Journal of Machine Learning Research 22(209),
#   [arXiv:2011.14878](https://arxiv.org/abs/2011.14878): all methods that take parts away, in one frame.
# - Try: occlude with a blurred picture instead of grey. Which tiles change most?
#
# ## References
#
# 1. Springenberg et al. 2015, Striving for simplicity: the all convolutional net, [doi:10.48550/arXiv.1412.6806](https://doi.org/10.48550/arXiv.1412.6806)
# 2. Zeiler, Fergus 2014, Visualizing and understanding convolutional networks, [doi:10.1007/978-3-319-10590-1_53](https://doi.org/10.1007/978-3-319-10590-1_53)
# 3. Nie, Zhang, Patel 2018, A theoretical explanation for perplexing behaviors of backpropagation-based visualizations,
#    [doi:10.48550/arXiv.1805.07039](https://doi.org/10.48550/arXiv.1805.07039)
# 4. Adebayo et al. 2018, Sanity checks for saliency maps, [doi:10.48550/arXiv.1810.03292](https://doi.org/10.48550/arXiv.1810.03292)
# 5. Selvaraju et al. 2017, Grad-CAM: visual explanations from deep networks via gradient-based localization,
#    [doi:10.1109/ICCV.2017.74](https://doi.org/10.1109/ICCV.2017.74)
# 6. Draelos, Carin 2020, Use HiResCAM instead of Grad-CAM for faithful explanations of convolutional neural networks,
#    [doi:10.48550/arXiv.2011.08891](https://doi.org/10.48550/arXiv.2011.08891)
# 7. Ribeiro, Singh, Guestrin 2016, "Why should I trust you?": explaining the predictions of any classifier,
#    [doi:10.1145/2939672.2939778](https://doi.org/10.1145/2939672.2939778)
# 8. Lundberg, Lee 2017, A unified approach to interpreting model predictions, [doi:10.48550/arXiv.1705.07874](https://doi.org/10.48550/arXiv.1705.07874)
# 9. Petsiuk, Das, Saenko 2018, RISE: randomized input sampling for explanation of black-box models,
#    [doi:10.48550/arXiv.1806.07421](https://doi.org/10.48550/arXiv.1806.07421)
