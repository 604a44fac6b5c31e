# %% [markdown]
# # 06 Can you trust it?
#
# A heatmap always shows something. Whether it shows what the network uses cannot be seen by looking at it. This notebook
# tests maps by experiments that they can fail.
#
# **You will be able to**
#
# - measure whether a map finds a known cause, beside chance and controls,
# - take away what a map marks, and name what was put in its place,
# - compare two methods on the same cases,
# - run the sanity checks, and say what they cannot show,
# - find a network that cheats, and prove it.
#
# **Before:** notebooks 02, 03 and 04.
#
# **Teaching, not diagnosis:** nothing here may be used to decide about a patient.

# %% imports
import copy
import warnings
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
import torch
from scipy.ndimage import gaussian_filter

import leadwise
from leadwise import evaluation
from leadwise.attribution import MethodWarning
from leadwise.checks import trust as check
from leadwise.comparison import title_of
from leadwise.images.scenes import make_scene
from leadwise.inspection import top_k
from leadwise.networks.alexnet import load_alexnet, preprocess
from leadwise.plotting import percent, plot_curves, plot_ecg, plot_image_grid, plot_lead_bars, plot_matrix, plot_tiles
from leadwise.semantics import lead_relevance
from leadwise.simulation.noise import add_test_pulses

warnings.simplefilter("ignore", MethodWarning)  # a method that degenerates on a network is tested all the same
warnings.simplefilter("ignore", evaluation.EvaluationWarning)  # a number that does not exist is NaN, and not counted

# %% [markdown]
# ## 1 A map that knows nothing
#
# In a **scene**, a picture that the course draws, every pixel of the object is known. Below are maps of one, made
# *without any information* about picture and network: smooth noise, cut at half of its maximum.
#
# The *relevance mass* [1] says how much of a map lies where it should. With $M$ the pixels of the object, and $R_i^+$ the
# positive part of the relevance of pixel $i$:
#
# $$\mathrm{mass} = \sum_{i \in M} R_i^+ \Big/ \sum_i R_i^+$$
#
# > **Think first.** A map has 30 % of its relevance on the object. Is that good? Which one number do you need
# > before you can answer?

# %% think first 1
check.think_first("is 30 % good?")

# %% threshold
scenes = [make_scene(seed) for seed in range(700, 716)]
objects = np.stack([scene.objects[0].mask for scene in scenes])
shown, tries = 2, 40
rng = np.random.default_rng(0)
noise = np.stack([gaussian_filter(rng.normal(size=(224, 224)), 14) for _ in range(tries)])
cut = np.where(noise >= 0.5 * noise.max((1, 2), keepdims=True), noise, 0)
on_object = evaluation.relevance_mass(cut[:, None], np.repeat(objects[[shown]], tries, axis=0))
order = on_object.argsort()
picked = {"worst of 40": order[0], "middle of 40": order[tries // 2], "best of 40": order[-1]}
plot_image_grid(
    scenes[shown].image,
    {name: cut[i] for name, i in picked.items()},
    mask=objects[shown],
    notes={name: f"{percent(on_object[i])} on the object" for name, i in picked.items()},
    title="Noise, cut at half of its maximum: three of forty",
)

# %% luck
print(f"the object covers {percent(objects[shown].mean())}; 40 maps of noise, cut at half of the maximum, have on it")
print(f"  mean {percent(on_object.mean())}, best {percent(on_object.max())}")

# %% [markdown]
# On average noise has what chance has: the **area share** of the object. The best of forty looks like an explanation.
# Somebody who tries methods, thresholds and colours until the map convinces has done what this cell did. Choose settings
# before you look.

# %% [markdown]
# ## 2 A cause that is known
#
# Now maps of a network. Steepness (|dx/dt|) asks no network: it is a [control](../GLOSSARY.md#control). Where a
# map's sign is no evidence (the gradient, guided backpropagation), magnitudes count.

# %% explained scenes
alexnet = load_alexnet("embedded")
pictures = torch.stack([preprocess(scene.image) for scene in scenes])
classes = torch.tensor([scene.objects[0].index for scene in scenes])
with torch.no_grad():
    right = (alexnet(pictures).argmax(1) == classes).float().mean()
print(f"{len(scenes)} scenes; the network names {percent(float(right))} of the objects")


def explain(network, x, method, target):
    """The maps of a batch; of integrated gradients with fewer steps than usual, enough for a comparison."""
    steps = {"steps": 12} if method == "integrated_gradients" else {}
    return leadwise.attribute(network, x, method, target=target, progress=False, **steps)


# %% scene maps
IMAGE_METHODS = ("random", "steepness", "gradient", "grad_cam", "guided_backprop", "lrp_epsilon", "lrp_zplus")
scene_maps = {method: explain(alexnet, pictures, method, classes) for method in IMAGE_METHODS}
mass = {
    method: evaluation.localise(R, objects, leadwise.METHODS[method].ranks)["mass"] for method, R in scene_maps.items()
}
plot_image_grid(
    scenes[shown].image,
    {title_of(method): R[shown] for method, R in scene_maps.items()},
    mask=objects[shown],
    clip=99,
    notes={title_of(method): f"{percent(found[shown])} on the object" for method, found in mass.items()},
    title=f"{scenes[shown].labels[0].capitalize()}: the object covers {percent(objects[shown].mean())} of the picture",
)

# %% [markdown]
# One picture is an anecdote. Over all scenes each number becomes a mean, with a 95 % interval by
# [bootstrap](../GLOSSARY.md#bootstrap-interval) [2].

# %% scene localisation
print(f"area of the object: {percent(evaluation.area_share(objects).mean())}; relevance on it, 95 % interval")
for method, found in mass.items():
    print(f"  {title_of(method):24s}{evaluation.bootstrap(found)}")

# %% [markdown]
# The random map has to land on the area share; it does within its interval, so the measure is fair. How many methods are
# above the steepness?
#
# All this assumes that the network uses the object. Section 9 turns that into a tool.

# %% [markdown]
# ## 3 Controls that ask no network
#
# A **simulated patient** exists twice, with a condition and without: its
# [counterfactual](../GLOSSARY.md#counterfactual), called the healthy twin. Where the two differ is the cause of the
# *label*; whether it is that of the network's *answer*, notebook 10 asks.
#
# AVB is first-degree atrioventricular block, a PR interval above 200 ms [3]; ISCH ischaemia, a changed ST segment or T
# wave [4]; LBBB and RBBB are bundle branch blocks, a QRS complex of 120 ms or more [5].


# %% simulated patients
@dataclass
class Patients:
    """Recordings x (N, 12, 2000) in mV, where they differ from their twins, the twins, and their R peaks."""

    x: torch.Tensor
    cause: np.ndarray
    without: torch.Tensor
    beats: list


def simulate(condition, seeds, network):
    """Simulated patients with a condition that the network recognises: filtered, the first 4 s."""
    ecgs = [leadwise.simulate_ecg(condition, seed).preprocess().window() for seed in seeds]
    ecgs = [ecg for ecg in ecgs if network.probability(ecg.tensor()) > 0.5]
    x, without = (torch.stack([ecg.tensor() for ecg in some]) for some in (ecgs, [ecg.counterfactual for ecg in ecgs]))
    beats = [[wave.peak for wave in ecg.waves if wave.kind == "QRS"] for ecg in ecgs]
    return Patients(x, np.stack([ecg.causal_mask for ecg in ecgs]), without, beats)


# %% patients
ecg_models = {name: leadwise.load_ecg_model(name, "embedded") for name in ("AVB", "ISCH", "LBBB", "RBBB")}
patients = {name: simulate(name, range(3_000_000, 3_000_008), network) for name, network in ecg_models.items()}
area = {name: group.cause.mean() for name, group in patients.items()}
print({name: f"{len(group.x)} of 8 recognised" for name, group in patients.items()})

# %% [markdown]
# The controls are $|x|$ and $x^2$: large where the waves are, and so, often, is the cause. As its area differs, the figure
# shows the *normalised lift*, (mass − area) / (1 − area): 0 is white noise, 1 everything on the cause.

# %% patient localisation
CONTROLS = ("random", "magnitude", "square")
ECG_METHODS = ("gradient", "gradient_x_sign", "grad_cam", "integrated_gradients", "lrp_epsilon", "lrp_alpha_beta")
ecg_maps = {
    (method, name): explain(network, patients[name].x, method, 1)
    for method in CONTROLS + ECG_METHODS
    for name, network in ecg_models.items()
}
lifts = {
    (method, name): evaluation.localise(R, patients[name].cause, leadwise.METHODS[method].ranks)["normalised_lift"]
    for (method, name), R in ecg_maps.items()
}
plot_matrix(
    [[np.nanmean(lifts[method, name]) for name in ecg_models] for method in CONTROLS + ECG_METHODS],
    [title_of(method) + " (control)" * (method in CONTROLS) for method in CONTROLS + ECG_METHODS],
    [f"{name} {percent(share)}" for name, share in area.items()],
    title="Normalised lift: relevance on what differs from the healthy twin",
    label="under each name the area; 0 is white noise, 1 all relevance on it, negative beside it",
    write="{:.2f}".format,
)

# %% [markdown]
# Where a control is above a method, the number says that the waves are large there, not that the network was explained.
# Does any method beat both in every column?

# %% [markdown]
# ## 4 Take it away
#
# Without a known cause the network itself can be asked. [**Deletion**](../GLOSSARY.md#deletion) replaces the input piece
# by piece, the most relevant first: under a [faithful](../GLOSSARY.md#faithfulness) map the network changes its mind
# early [6, 7]. The score is the area under the curve. **Insertion** goes the other way.

# %% deletion of pictures
few, few_classes = pictures[:10], classes[:10]
how = {"steps": 10, "score": "probability", "progress": False}


def ordered_by(method, maps):
    """What deletion ranks by: the map, or its magnitude where the sign is a direction."""
    return maps.abs() if leadwise.METHODS[method].ranks == "absolute" else maps


curves = {
    title_of(method): evaluation.deletion(alexnet, few, ordered_by(method, scene_maps[method][:10]), few_classes, **how)
    for method in ("steepness", "gradient", "guided_backprop", "lrp_epsilon", "lrp_zplus")
}
curves["Random order"] = evaluation.deletion(alexnet, few, None, few_classes, order="random", **how)
plot_curves(
    curves,
    title="Deletion: the earlier the fall, the better",
    label="of the patches replaced by the mean colour, 10 scenes",
)

# %% scores of pictures
name, probability = top_k(alexnet, torch.zeros(3, 224, 224), 1)[0]
print(f"the picture that is nothing but mean colour: {name}, {percent(probability)}")

# %% [markdown]
# Where the curves end is not "no class": the network has an opinion of a grey square as well.

# %% [markdown]
# ## 5 The same scenes, pair by pair
#
# Do two intervals that overlap mean that the methods can't be told apart? No: what makes a scene difficult for both
# cancels in the difference. So ask for the interval of the difference.

# %% paired differences of pictures
areas = {name: curve.auc for name, curve in curves.items()}
alone = {name: evaluation.student(values) for name, values in areas.items()}
overlap, hidden = 0, []
for (first, second), found in evaluation.paired_differences(areas).items():
    if alone[first].low <= alone[second].high and alone[second].low <= alone[first].high:
        overlap += 1
        hidden += [f"  {first} − {second}: {found}"] if found.p < 0.05 else []
print(f"{overlap} pairs of methods have intervals that overlap; {len(hidden)} of them differ, scene by scene")
print("\n".join(hidden))

# %% [markdown]
# The last number is Holm's: it corrects for the many pairs, of which one in twenty would differ by chance. And all of
# this is about *one network*: another seed may rank otherwise.

# %% [markdown]
# ## 6 What is put in its place?
#
# A grey square is a picture that no network was trained on. Whatever falls, falls in part because the input became
# strange [8]. An ECG offers better answers than a flat line: the neighbouring beat, or a simulated patient's twin.
#
# > **Think first.** Replace a *whole* recording of an AV block: by zero, the mean of each lead, noise, the healthy twin, or
# > each beat by its neighbour. Which should make the network say "no AV block" most firmly, and which hardly changes its
# > mind?

# %% think first 2
check.think_first("five ways to replace a recording")

# %% curves by replacement
avb, blocked = ecg_models["AVB"], patients["AVB"]
REFERENCES = {"counterfactual": blocked.without, "neighbouring beat": blocked.beats}
by_replacement = {}
for name in ("zero", "mean", "noise", "counterfactual", "neighbouring beat"):
    how = {"replacement": name, "reference": REFERENCES.get(name), "score": "probability", "progress": False}
    by_replacement[name] = evaluation.deletion(avb, blocked.x, ecg_maps["lrp_epsilon", "AVB"], 1, steps=10, **how)
    before, after = by_replacement[name].mean[[0, -1]]
    print(f"{name:20s}p(AVB) = {after:.3f} when all is replaced, {before:.3f} before")
plot_curves(
    by_replacement, title="LRP-ε on AVB: one order, five replacements", label="of the segments replaced, 8 patients"
)

# %% [markdown]
# A block is in every beat: the replacement brings it back, and deletion has nothing to measure. The others end at
# different values. So compare methods within one replacement, by how far each falls below the random order:

# %% places by replacement
judges = ("zero", "mean", "noise", "counterfactual")
gain = np.empty((len(ECG_METHODS), len(judges)))
for j, judge in enumerate(judges):
    how = {"replacement": judge, "reference": REFERENCES.get(judge), "steps": 10, "progress": False}
    chance = evaluation.deletion(avb, blocked.x, None, 1, order="random", **how).auc
    for i, method in enumerate(ECG_METHODS):
        R = ordered_by(method, ecg_maps[method, "AVB"])
        gain[i, j] = (chance - evaluation.deletion(avb, blocked.x, R, 1, **how).auc).mean()
print(f"{'place of six, judged by':26s}" + "".join(f"{judge:>16s}" for judge in judges))
for method, places in zip(ECG_METHODS, (-gain).argsort(0).argsort(0) + 1, strict=True):
    print(f"{title_of(method):26s}" + "".join(f"{place:16d}" for place in places))

# %% [markdown]
# *Which method is best* depends on what the absence of evidence was taken to be. The judge is not neutral: integrated
# gradients from a flat line answer the very question that deletion towards a flat line asks, and may do worse where the
# healthy twin is the judge.
#
# A deletion score without its replacement is a number without a unit. Where it exists, the twin is the best one; where
# not, report two. More replacements, and the same choice as *baseline* of integrated gradients:
# [appendix A6](A6_testing_explanations_further.ipynb).

# %% [markdown]
# ## 7 Sanity checks
#
# A map that explains what a network has learned must change when the network forgets. The first
# [sanity check](../GLOSSARY.md#sanity-check), **cascading randomisation** [9], replaces the weights by random numbers of
# the same size, layer by layer, from output to input, and explains the same class each time.
#
# > **Think first.** When all weights are random, what should be left of a map? Guess the correlation of the map before and
# > after, for the gradient, LRP-ε, guided backpropagation and LRP-z⁺.

# %% think first 3
check.think_first("what is left of a map")

# %% a network that has forgotten all layers but the first
forgotten, generator = copy.deepcopy(alexnet), torch.Generator().manual_seed(0)
with torch.no_grad():
    for layer in evaluation.weighted_layers(forgotten)[:-1]:
        evaluation.RANDOMISERS["resample"](forgotten.get_submodule(layer), generator)

# %% forget
SANITY = ("gradient", "lrp_epsilon", "guided_backprop", "lrp_zplus")
tiles, notes = {}, {}
for network, words in ((alexnet, "trained"), (forgotten, "forgotten")):
    for method in SANITY:
        R = explain(network, pictures[[shown]], method, classes[[shown]])
        cells = torch.nn.functional.avg_pool2d(R.sum(1), 7)[0]
        limit = cells.abs().flatten().quantile(0.99)
        name = f"{title_of(method)}, {words}"
        tiles[name] = cells.clamp(-limit, limit)
        if network is forgotten:
            alike = evaluation.similarity(scene_maps[method][[shown]], R)[0]
            notes[name] = f"correlation {alike:.2f}".replace("-", "−")
label = "relevance, mean of 7 × 7 pixels, peaks cut"
plot_tiles(tiles, notes=notes, title="Above the trained network, below all layers but the first forgotten", label=label)

# %% [markdown]
# The gradient turns into noise. LRP-ε still shows *where* the picture is dark or bright, because it multiplies by the
# input, but its signs are shuffled. Guided backpropagation and LRP-z⁺ go on drawing the same picture while layer after
# layer forgets: both let only one sign pass, so nothing cancels; what comes out is close to a filter of the input [10, 11].

# %% sanity curves
checks = {
    method: evaluation.weight_randomisation(alexnet, pictures[:3], method, classes[:3], progress=False)
    for method in SANITY
}
# The size of the correlation counts: a random logit that is negative turns a map around, and leaves it as it was.
fig, axis = plt.subplots(figsize=(8, 3.4), layout="constrained")
for method, found in checks.items():
    axis.plot(["trained", *found.layers], [1, *np.abs(found.signed).mean(1)], "o-", label=title_of(method))
axis.set(ylabel="|rank correlation| with the\nmap of the trained network", ylim=(0, 1.03), xlabel="randomised down to")
axis.tick_params(axis="x", labelsize=8, rotation=20)
axis.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
plt.show()
for method, found in checks.items():
    print(f"sanity score {found.sanity_score:.2f}  {title_of(method)}")

# %% [markdown]
# The **sanity score** is 1 minus the mean of the curve. Remember how guided backpropagation and LRP-z⁺ did in section 2:
# they find objects, and do not explain this network.

# %% [markdown]
# ## 8 What a sanity check cannot show
#
# It finds what cannot be an explanation. It does not rank what may be one. Noise shows why:

# %% sanity of noise
for name, seeds in {"noise from one seed": (0, 0), "noise drawn anew": (0, 1)}.items():
    pair = [leadwise.attribute(alexnet, pictures[:3], "random", classes[:3], seed=seed) for seed in seeds]
    print(f"sanity score {1 - np.abs(evaluation.similarity(*pair)).mean():.2f}  {name}")
signed, absolute = (
    1 - np.abs(values).mean() for values in (checks["lrp_epsilon"].signed, checks["lrp_epsilon"].absolute)
)
print(f"LRP-ε: with signs {signed:.2f}, by magnitude {absolute:.2f}")

# %% [markdown]
# Drawn anew for each network, noise passes with the best score of all; drawn from one seed it is the same map each time
# and fails entirely. The score also depends on choices that have nothing to do with the method: signs or magnitudes, the
# order of the layers. Its critics: [appendix A6](A6_testing_explanations_further.ipynb).
#
# And it is a statement about a method *on a network*. On an ECG network:

# %% sanity on ecgs
lbbb, group = ecg_models["LBBB"], patients["LBBB"]
for method in SANITY:
    found = evaluation.weight_randomisation(lbbb, group.x[:3], method, 1, progress=False)
    print(f"sanity score {found.sanity_score:.2f}  {title_of(method)}")

# %% [markdown]
# Guided backpropagation has the gradient's number to the last digit. It changes the backward pass of ReLUs, and this
# network has none: the name stands for another map here.
#
# A second check compares with a network that learned random labels by heart [9]: exercise 4.

# %% [markdown]
# ## 9 Clever Hans
#
# The horse [Clever Hans](../GLOSSARY.md#clever-hans) could calculate, as long as somebody in the room knew the answer
# [12].
#
# A hospital treats patients with AV block in one ward. The ward's ECG machine writes a test pulse into one lead every
# two seconds; the other machine does not. A network is trained on all recordings, and tested on new patients of the
# same two machines.


# %% two machines
def recorded(seeds, ill, pulses):
    """Recordings (N, 12, 2000) of patients with or without AV block, by the machine with pulses or the one without."""
    ecgs = [leadwise.simulate_ecg("AVB", seed=seed) for seed in seeds]
    ecgs = [ecg if ill else ecg.counterfactual for ecg in ecgs]
    ecgs = [add_test_pulses(ecg, seed=seed) if pulses else ecg for ecg, seed in zip(ecgs, seeds, strict=True)]
    return torch.stack([ecg.preprocess().window().tensor() for ecg in ecgs])


suspect, honest = leadwise.load_ecg_model("AVB", "clever hans"), ecg_models["AVB"]
seeds = range(3_100_000, 3_100_016)
ill, healthy = recorded(seeds, True, True), recorded(seeds, False, False)
right = torch.cat([suspect.probability(ill) > 0.5, suspect.probability(healthy) < 0.5])
print(f"{int(right.sum())} of {len(right)} answers right, a share of {float(right.float().mean()):.3f}")

# %% [markdown]
# A result to publish. Before that, one question to the heatmap: *which leads* carry the decision? The PR interval is a
# time, and no criterion asks for it in one particular chest lead [3].

# %% leads of the cheat
of_suspect, of_honest = (explain(network, ill, "lrp_epsilon", 1) for network in (suspect, honest))
for name, R in {"this network": of_suspect, "the course's AVB network": of_honest}.items():
    share = lead_relevance(torch.cat(list(R), 1)).share("positive").max()
    print(f"most positive relevance in one lead, {name}: {percent(share)}; an even spread has 8 %")
plot_lead_bars(torch.cat(list(of_suspect), 1), title="The network that scores so well: LRP-ε of 16 patients, by lead")

# %% look at v3
leads = ["II", "V1", "V3", "V6"]
plot_ecg(ill[0].numpy(), of_suspect[0], fs=500, leads=leads, columns=2, title="The suspect's map: what is that in V3?")

# %% [markdown]
# A rectangle of 0.1 s that no heart makes. A map raises a suspicion; the proof is an intervention. Take the pulse away,
# or give it to the healthy:

# %% intervention
print(f"{'mean p(AVB)':28s}{'suspect':>10s}{'embedded':>10s}")
for sick, pulses in ((True, True), (True, False), (False, True), (False, False)):
    x = recorded(seeds, sick, pulses)
    words = f"{'AVB' if sick else 'no AVB'}, {'with' if pulses else 'without'} pulses"
    print(f"{words:28s}" + "".join(f"{float(m.probability(x).mean()):10.3f}" for m in (suspect, honest)))

# %% [markdown]
# In the suspect's column the probability follows the pulse and not the block. Accuracy could not tell, since the test
# patients came from the same two machines. The map did, with no new data: a good map of a bad network. An AlexNet that
# learned a photographer's mark is in [appendix A6](A6_testing_explanations_further.ipynb).

# %% [markdown]
# ## 10 Would I get it again?
#
# **Sensitivity-max** [13]: noise that nobody sees is added to the recording. How much does the map change, at most,
# relative to its norm?
#
# > **Think first.** Describe a useless map that has perfect sensitivity.

# %% think first 4
check.think_first("a useless map")

# %% robustness
for method in ("random", "gradient_x_input", "lrp_epsilon", "lrp_alpha_beta"):
    found = evaluation.sensitivity_max(lbbb, group.x[:3], method, 1, samples=3, progress=False)
    print(f"{title_of(method):20s}sensitivity-max {found.mean():.3f}")

# %% [markdown]
# The random map, drawn anew for each copy, has a sensitivity near $\sqrt 2$: the distance of two maps that have nothing in
# common. Infidelity, complexity and stability over seeds: [appendix A6](A6_testing_explanations_further.ipynb).

# %% [markdown]
# ## Exercises
#
# **1 Write code.** Write the relevance mass yourself, `my_mass(relevance, mask)`: one number for each of the N maps. Then
# change one word to make it the share of the *absolute* relevance.


# %% exercise 1 tags=["solution"] answers=["my_mass"]
# Exercise 1: my_mass(relevance, mask) of maps (N, 12, T) and masks (N, 12, T), returning (N,).
def my_mass(relevance, mask, part=lambda R: np.maximum(R, 0)):
    """Share of a part of the relevance, by default the positive one, inside the mask, (N,)."""
    values = part(np.asarray(relevance, dtype=float))
    return (values * mask).sum((1, 2)) / values.sum((1, 2))


for method in CONTROLS + ECG_METHODS:
    R, cause = ecg_maps[method, "LBBB"], patients["LBBB"].cause
    positive, absolute = my_mass(R, cause).mean(), my_mass(R, cause, np.abs).mean()
    print(f"{title_of(method):24s}positive {positive:.2f}, absolute {absolute:.2f}")
# It matters where evidence for and against lies in different places. A Grad-CAM has no negative part at all.

# %% check 1
check.mass_by_hand(my_mass)

# %% [markdown]
# **2 Predict, then look.** Delete in three orders: most relevant first (`"morf"`), least relevant first (`"lerf"`),
# `"random"`. Write down as `predicted` where the three curves meet and which lies highest in between, and run the check:
# it keeps your prediction, and never marks it. Then draw them (`plot_curves`) for LRP-ε on LBBB, with the counterfactual
# as replacement (`order=` is an argument of `evaluation.deletion`). `meet`: the shares, from 0 to 1, at which all three
# must meet whatever the map is. `highest_first`: the orders, sorted by their curves in between.

# %% exercise 2 tags=["solution"] answers=["predicted", "meet", "highest_first"]
# Exercise 2: `predicted` and the check first. Then plot the mean curves: `meet` (shares), `highest_first` (three orders).
predicted = "all meet at 0 and 1; lerf above random above morf"
meet, highest_first = [0, 1], ["lerf", "random", "morf"]

how = {"replacement": "counterfactual", "reference": group.without, "steps": 10, "progress": False}
R = ecg_maps["lrp_epsilon", "LBBB"]
orders = {order: evaluation.deletion(lbbb, group.x, R, 1, order=order, **how) for order in highest_first}
plot_curves(orders, title="LBBB, three orders", label="replaced by the healthy twin")
# All meet at both ends: the patient, and the healthy twin. In lerf order the first segments to go are those with the
# most negative relevance, evidence against; if the map is right about them, the logit does not fall.

# %% check 2
check.orders_of_deletion(predicted, meet, highest_first)

# %% [markdown]
# **3 Find the bug.** A colleague shows a map of the LBBB network "in which everything matters a little". Find the line
# that does it, and write `mended(network, x)`: the same map, scaled so that its largest magnitude is 1 and nothing else
# changes.


# %% buggy
def colleagues_map(network, x):
    """A map in the range from 0 to 1, with a bug."""
    relevance = leadwise.attribute(network, x, "lrp_epsilon", target=1, progress=False)
    low, high = relevance.min(), relevance.max()
    return (relevance - low) / (high - low)


theirs = colleagues_map(lbbb, group.x)
plot_ecg(group.x[0].numpy(), theirs[0], fs=500, leads=["I", "V1", "V5", "V6"], columns=2, title="A colleague's map")


# %% exercise 3 tags=["solution"] answers=["mended"]
# Exercise 3: mended(network, x). Then compare the mass on the cause and the minimum of both maps.
def mended(network, x):
    """The LRP-ε map of the pathology's logit, its largest magnitude 1."""
    relevance = leadwise.attribute(network, x, "lrp_epsilon", target=1, progress=False)
    return relevance / relevance.abs().max()


print(f"area of the cause {area['LBBB']:.2f}")
for words, R in {"mended": mended(lbbb, group.x), "colleague": theirs}.items():
    inside = evaluation.relevance_mass(R, group.cause).mean()
    print(f"{words:12s}mass {inside:.2f}, minimum {float(R.min()):.2f}")
# Stretching a map from its minimum to its maximum moves zero. Samples without relevance get a positive number, and they
# are the most: the mass falls to the area, whatever the method found.

# %% check 3
check.zero_stays_zero(mended)

# %% [markdown]
# **4 Run the label test.** `by_heart, accuracy = evaluation.train_on_random_labels(signals, labels, epochs=5)` deals the
# labels out at random and trains a network on them. A map that stays the same does not depend on the relation between ECG
# and label. That says something only if the network knows its labels, 95 % of them [9]. Choose recordings and epochs so
# that `by_heart`, with its `accuracy`, gets there; few recordings are learned faster. Then set `alike["gradient"]` and
# `alike["lrp_epsilon"]` to the mean of `signed` of `evaluation.label_randomisation(lbbb, by_heart, group.x, method, 1)`.

# %% signals and labels
others = simulate("LBBB", range(3_200_000, 3_200_024), lbbb)
signals = torch.cat([others.x, others.without]).numpy()
labels = np.repeat([1, 0], len(others.x))  # first patients with LBBB, then the same patients without it

# %% exercise 4 tags=["solution"] answers=["by_heart", "accuracy", "alike"]
# Exercise 4: `by_heart, accuracy = evaluation.train_on_random_labels(...)` on some of `signals` and `labels` with enough
# `epochs`; then `alike`, a dict with a number for "gradient" and one for "lrp_epsilon".
few = np.r_[0:8, -8:0]
by_heart, accuracy = evaluation.train_on_random_labels(signals[few], labels[few], epochs=30)
print(f"accuracy on its random labels: {accuracy:.2f}")
alike = {}
for method in ("gradient", "lrp_epsilon"):
    found = evaluation.label_randomisation(lbbb, by_heart, group.x, method, 1)
    alike[method] = found.signed.mean()
    print(f"{title_of(method):10s}correlation {alike[method]:+.2f}, of magnitudes {found.absolute.mean():+.2f}")
# Magnitudes of maps that multiply by the input stay alike, for both networks see the same recording. Its sign is what the
# map says about the finding.

# %% check 4
check.learned_by_heart(by_heart, accuracy, alike, trained=lbbb, x=group.x)

# %% [markdown]
# **5 Interpret.** Guided backpropagation failed on AlexNet and did as well as the gradient on the ECG network. Somebody
# concludes: "for ECGs, guided backpropagation is safe". Which `reply` is right?
#
# - `"a"`: Yes. The gradients of recordings are less noisy than those of pictures.
# - `"b"`: No. On this network the name stands for the gradient, and it was the gradient that passed.
# - `"c"`: No. The ECG network is so small that randomising it changes nothing.
#
# Set `affected` to the keys of `leadwise.METHODS` for which `leadwise.attribution.caveat(method, lbbb)` says something.

# %% exercise 5 tags=["solution"] answers=["reply", "affected"]
# Exercise 5: set `reply` to "a", "b" or "c", and `affected` to a list of methods.
from leadwise.attribution import caveat

reply = "b"
affected = [method for method in leadwise.METHODS if caveat(method, lbbb)]
for method in affected:
    print(f"{title_of(method):24s}{caveat(method, lbbb)}")
# A sanity check judges a method on a network, so it must be repeated for each.

# %% check 5
check.under_another_name(reply, affected, network=lbbb)

# %% [markdown]
# **6 Audit.** Write `audit(network, group, method)`, which returns a dict of four numbers for logit 1 and patients like
# those of section 3: `"sanity"`, the sanity score; `"mass"`, the relevance mass in multiples of the area; `"deletion"`,
# the area under the deletion curve of a random order minus that of the map, with the healthy twin as replacement;
# `"sensitivity"`, the mean sensitivity-max.


# %% exercise 6 tags=["solution"] answers=["audit"]
# Exercise 6: audit(network, group, method) -> {"sanity": ..., "mass": ..., "deletion": ..., "sensitivity": ...}
def audit(network, group, method, **parameters):
    """Sanity score, mass / area, deletion against a random order (logits), and sensitivity-max of a method."""
    options = {"progress": False, **parameters}
    x, cause, without = group.x[:4], group.cause[:4], group.without[:4]
    R = leadwise.attribute(network, x, method, target=1, **options)
    how = {"replacement": "counterfactual", "reference": without, "steps": 10, "progress": False}
    fall = evaluation.deletion(network, x, None, 1, order="random", **how).auc
    fall -= evaluation.deletion(network, x, R, 1, **how).auc
    return {
        "sanity": evaluation.weight_randomisation(network, x, method, 1, **options).sanity_score,
        "mass": evaluation.relevance_mass(R, cause).mean() / cause.mean(),
        "deletion": fall.mean(),
        "sensitivity": evaluation.sensitivity_max(network, x, method, 1, samples=3, **options).mean(),
    }


for question, answer in audit(ecg_models["ISCH"], patients["ISCH"], "lrp_gamma", gamma=0.25).items():
    print(f"{question:12s}{answer:6.2f}")
# Four numbers of four patients: a start. Intervals need more of them (`evaluation.bootstrap`).

# %% check 6
check.audited(audit, network=lbbb, group=group)

# %% think first answers [markdown] tags=["solution"]
# ## Think first: answers
#
# - **Is 30 % good?** It depends on the share of the picture that the object covers, which the cells print as the area. A
#   map that knows nothing has as much.
# - **Five ways to replace a recording:** The same patient without the block answers the question best, and should be
#   refused most firmly; its neighbour beat hardly changes anything, as every beat has the block. Zero, mean and noise are
#   no recordings at all: what a network says of them is an accident, printed above.
# - **What is left of a map:** Nothing, for a map that explains what was learned: the gradient and LRP-ε with signs come
#   near to 0 by the end. Guided backpropagation and LRP-z⁺ keep drawing the picture; the curves and the sanity score say
#   how much.
# - **A useless map:** The same map for every recording. It never changes, so its sensitivity is perfect, and it says
#   nothing about any of them.

# %% [markdown]
# ## Quiz

# %% quiz
check.quiz()

# %% progress
check.progress()

# %% [markdown]
# ## Take away
#
# Five questions to a heatmap:
#
# 1. **What was explained?** Network, logit, method, parameters, baseline.
# 2. **Does it change when the network forgets?** If not, it shows the input.
# 3. **Does it find what is known to be there?** More than noise, and than controls that ask no network; over many cases,
#    with an interval of the *difference*.
# 4. **Does the network change its mind when the marked part is taken away?** More than in random order, with the
#    replacement named.
# 5. **Would I get it again?** With another seed, a little noise, another baseline.
#
# A map that passes may still show something unwelcome: a suspicion about a network, to be confirmed by an intervention.
#
# ## Go further
#
# [A6 Testing explanations, further](A6_testing_explanations_further.ipynb): four more ways in which a heatmap lies, and
# five more measures.
#
# ## References
#
# 1. Arras, Osman, Samek 2022, CLEVR-XAI: a benchmark dataset for the ground truth evaluation of neural network
#    explanations, [doi:10.1016/j.inffus.2021.11.008](https://doi.org/10.1016/j.inffus.2021.11.008)
# 2. Efron, Tibshirani 1993, An introduction to the bootstrap,
#    [doi:10.1201/9780429246593](https://doi.org/10.1201/9780429246593)
# 3. Kusumoto et al. 2019, Guideline on bradycardia and cardiac conduction delay,
#    [doi:10.1161/CIR.0000000000000628](https://doi.org/10.1161/CIR.0000000000000628)
# 4. Wagner et al. 2009, Recommendations for the standardization and interpretation of the electrocardiogram, part VI,
#    acute ischemia and infarction, [doi:10.1016/j.jacc.2008.12.016](https://doi.org/10.1016/j.jacc.2008.12.016)
# 5. Surawicz et al. 2009, Recommendations, part III, intraventricular conduction disturbances,
#    [doi:10.1016/j.jacc.2008.12.013](https://doi.org/10.1016/j.jacc.2008.12.013)
# 6. Samek et al. 2017, Evaluating the visualization of what a deep neural network has learned,
#    [doi:10.1109/TNNLS.2016.2599820](https://doi.org/10.1109/TNNLS.2016.2599820)
# 7. Petsiuk, Das, Saenko 2018, RISE: randomized input sampling for explanation of black-box models,
#    [doi:10.48550/arXiv.1806.07421](https://doi.org/10.48550/arXiv.1806.07421)
# 8. Hooker et al. 2019, A benchmark for interpretability methods in deep neural networks,
#    [doi:10.48550/arXiv.1806.10758](https://doi.org/10.48550/arXiv.1806.10758)
# 9. Adebayo et al. 2018, Sanity checks for saliency maps,
#    [doi:10.48550/arXiv.1810.03292](https://doi.org/10.48550/arXiv.1810.03292)
# 10. Nie, Zhang, Patel 2018, A theoretical explanation for perplexing behaviors of backpropagation-based visualizations,
#     [doi:10.48550/arXiv.1805.07039](https://doi.org/10.48550/arXiv.1805.07039)
# 11. Sixt, Granz, Landgraf 2020, When explanations lie: why many modified BP attributions fail,
#     [doi:10.48550/arXiv.1912.09818](https://doi.org/10.48550/arXiv.1912.09818)
# 12. Lapuschkin et al. 2019, Unmasking Clever Hans predictors and assessing what machines really learn,
#     [doi:10.1038/s41467-019-08987-4](https://doi.org/10.1038/s41467-019-08987-4)
# 13. Yeh et al. 2019, On the (in)fidelity and sensitivity of explanations,
#     [doi:10.48550/arXiv.1901.09392](https://doi.org/10.48550/arXiv.1901.09392)
