# %% [markdown]
# # A6 Testing explanations, further
#
# More of what notebook 06 begins, for those who test explanations themselves: other measures of localisation, what
# intervals rest on, what the replacement decides, an answer to the critics of sanity checks, the baselines of integrated
# gradients, a network of pictures that cheats, four more ways in which a heatmap lies, and three more numbers. Each
# section stands alone.
#
# **Before:** notebook 06. **Teaching, not diagnosis:** nothing here may be used to decide about a patient.

# %% imports
import warnings

import matplotlib.pyplot as plt
import numpy as np
import torch
from scipy.stats import rankdata, spearmanr
from torch import nn

import leadwise
from leadwise import evaluation
from leadwise.attribution import MethodWarning
from leadwise.comparison import title_of
from leadwise.ecg.leads import LEADS
from leadwise.images.scenes import CLASSES, SHORTCUT_CLASS, make_scene
from leadwise.networks.alexnet import load_alexnet, preprocess
from leadwise.plotting import number, percent, plot_curves, plot_ecg, plot_grid, plot_matrix, plot_tiles
from leadwise.semantics import lead_relevance, parts_of, settled
from leadwise.simulation.noise import add_test_pulses

# %% set up
warnings.simplefilter("ignore", MethodWarning)  # a method that degenerates on a network is tested all the same
warnings.simplefilter("ignore", evaluation.EvaluationWarning)  # a number that does not exist is NaN, and not counted


def explain(network, x, method, target):
    """The maps of a batch; of integrated gradients with fewer steps than usual, enough for a comparison."""
    steps = {"steps": 12} if method == "integrated_gradients" else {}
    return leadwise.attribute(network, x, method, target=target, progress=False, **steps)


def ordered_by(method, maps):
    """What deletion ranks by: the map, or its magnitude where the sign is a direction."""
    return maps.abs() if leadwise.METHODS[method].ranks == "absolute" else maps


alexnet = load_alexnet("embedded")
scenes = [make_scene(seed) for seed in range(700, 716)]
objects = np.stack([scene.objects[0].mask for scene in scenes])
pictures = torch.stack([preprocess(scene.image) for scene in scenes])
classes = torch.tensor([scene.objects[0].index for scene in scenes])

# %% patients
ecg_models = {name: leadwise.load_ecg_model(name, "embedded") for name in ("AVB", "ISCH", "LBBB", "RBBB")}
ecgs, x, twins = {}, {}, {}
for name, network in ecg_models.items():
    made = [leadwise.simulate_ecg(name, seed).preprocess().window() for seed in range(3_000_000, 3_000_008)]
    ecgs[name] = [ecg for ecg in made if network.probability(ecg.tensor()) > 0.5]
    x[name] = torch.stack([ecg.tensor() for ecg in ecgs[name]])
    twins[name] = torch.stack([ecg.counterfactual.tensor() for ecg in ecgs[name]])

# %% [markdown]
# ## 1 Other measures of localisation
#
# *Rank* asks whether the $|M|$ most relevant pixels lie in the object $M$ [1], *pointing* whether the single most relevant
# one does [2]. The *normalised lift* is (mass − area) / (1 − area): 0 is white noise, 1 everything on the object, whatever
# the area. *Scenes* are those that count: where the explained logit is negative, a rule that only hands it on, such as z⁺,
# has no positive relevance at all.

# %% scene localisation
IMAGE_METHODS = ("random", "steepness", "gradient", "grad_cam", "guided_backprop")
IMAGE_METHODS += ("integrated_gradients", "lrp_epsilon", "lrp_zplus")
scene_maps = {method: explain(alexnet, pictures, method, classes) for method in IMAGE_METHODS}
print(f"area of the object: {percent(evaluation.area_share(objects).mean())}\n")
print(f"{'':26s}mass, 95 % interval     n. lift  rank   pointing   scenes")
for method, R in scene_maps.items():
    found = evaluation.localise(R, objects, leadwise.METHODS[method].ranks)
    mass = evaluation.bootstrap(found["mass"])
    gained, rank, pointing = (np.nanmean(found[name]) for name in ("normalised_lift", "rank", "pointing"))
    print(f"{title_of(method):26s}{mass!s:25s}{gained:5.2f}{rank:8.2f}{pointing:9.2f}{mass.samples:9d}")

# %% [markdown]
# ## 2 Both ways, and what an interval rests on
#
# Insertion is the other half of deletion [3]: from the mean colour to the picture, the most relevant patch first. High is
# good. A method may do well in one direction alone.

# %% insertion of pictures
few, few_classes = pictures[:10], classes[:10]
how = {"steps": 10, "score": "probability", "progress": False}
measures = {"deletion": evaluation.deletion, "insertion": evaluation.insertion}
curves = {kind: {} for kind in measures}
for kind, measure in measures.items():
    for method in ("gradient", "integrated_gradients", "lrp_epsilon"):
        R = ordered_by(method, scene_maps[method][:10])
        curves[kind][title_of(method)] = measure(alexnet, few, R, few_classes, **how)
    curves[kind]["Random order"] = measure(alexnet, few, None, few_classes, order="random", **how)
plot_curves(curves["insertion"], title="Insertion: the earlier the rise, the better", label="brought back, 10 scenes")

# %% scores of pictures
print(f"{'area, 95 % by bootstrap':26s}" + "".join(f"{kind:24s}" for kind in curves) + "deletion, Student")
for name, deleted in curves["deletion"].items():
    areas = [deleted.auc, curves["insertion"][name].auc]
    print(
        f"{name:26s}" + "".join(f"{evaluation.bootstrap(a)!s:24s}" for a in areas) + f"{evaluation.student(areas[0])}"
    )

# %% [markdown]
# Ten scenes are few. For a mean of so few, Student's interval is the one to take; the percentile bootstrap is too narrow
# below a dozen samples. Notebook 06 asks for the interval of the difference, scene by scene. All pairs, with Holm's
# correction:

# %% paired differences
areas = {name: curve.auc for name, curve in curves["deletion"].items()}
for (first, second), found in evaluation.paired_differences(areas).items():
    print(f"{first + ' − ' + second:46s}{found}")

# %% [markdown]
# ## 3 How much the replacement decides
#
# The table holds how much smaller the area under deletion is than for a random order, in units of the logit: above zero
# the map found something. The last column fills a hole from what is left around it, with a little noise: *remove and
# debias*, ROAD [4]. Where a replacement has edges, the shape of what was taken away is still to be seen, and a network may
# read it; a hole that was filled tells nothing.

# %% ranking by replacement
ECG_METHODS = ("gradient", "gradient_x_sign", "grad_cam", "integrated_gradients", "lrp_epsilon", "lrp_alpha_beta")
avb, blocked = ecg_models["AVB"], x["AVB"]
avb_maps = {method: explain(avb, blocked, method, 1) for method in ECG_METHODS}


def judged_by(name):
    """A function like evaluation.deletion: R, order -> areas of the patients."""
    if name == "ROAD":
        return lambda R, order="morf": evaluation.road(avb, blocked, R, 1, order=order, steps=10, progress=False).auc
    how = {"replacement": name, "reference": twins["AVB"] if name == "counterfactual" else None, "steps": 10}
    return lambda R, order="morf": evaluation.deletion(avb, blocked, R, 1, order=order, progress=False, **how).auc


judges = ("zero", "mean", "noise", "counterfactual", "ROAD")
gain = np.empty((len(ECG_METHODS), len(judges), len(blocked)))
for j, judge in enumerate(map(judged_by, judges)):
    chance = judge(None, "random")
    for i, (method, R) in enumerate(avb_maps.items()):
        gain[i, j] = chance - judge(ordered_by(method, R))

# %% gain by replacement
plot_matrix(
    gain.mean(2),
    [title_of(method) for method in ECG_METHODS],
    ["zero", "mean", "noise", "healthy twin", "ROAD"],
    title="Deletion on AVB: area below a random order's",
    label="logit; columns do not compare, as each replacement ends elsewhere",
    write="{:+.2f}".format,
)

# %% ranks and intervals
print(f"{'place':24s}" + "".join(f"{name:>15s}" for name in judges) + "   gain against the twin")
for method, places, row in zip(ECG_METHODS, rankdata(-gain.mean(2), axis=0), gain, strict=True):
    text = "".join(f"{place:15.0f}" for place in places)
    print(f"{title_of(method):24s}{text}   {evaluation.student(row[judges.index('counterfactual')])}")
twin = gain.mean(2)[:, judges.index("counterfactual")]
for j, name in enumerate(judges):
    print(f"rank correlation of {name} with counterfactual: {spearmanr(gain.mean(2)[:, j], twin).statistic:.2f}")

# %% [markdown]
# Where a correlation is below 1, *which method is best* depends on what the absence of evidence was taken to be.
#
# A neighbouring beat, the other replacement of notebook 06, takes away what one beat has and the next has not: a premature
# beat or an artefact.

# %% [markdown]
# ## 4 Recordings that cannot exist
#
# With the counterfactual both *ends* of the curve are recordings that can exist. What lies between need not be. Segments
# are replaced lead by lead, so lead II is no longer the sum of I and III. Where patient and twin are far apart, as in a
# bundle branch block, a cut leaves a step as well; in this AV block no step is larger than those of the QRS complex
# itself. Cut instead in all leads together, at points where the two hardly differ:


# %% impossible
def impossible(signals):
    """Largest |II - I - III| of each recording, and its largest step between samples, medians in mV."""
    einthoven = (signals[:, 1] - signals[:, 0] - signals[:, 2]).abs().amax(1)
    step = signals.diff(dim=2).abs().amax((1, 2))
    return float(einthoven.median()), float(step.median())


segments = avb_maps["lrp_epsilon"].unflatten(2, (-1, 50))  # (N, 12, 40, 50), as deletion cuts them
rank = segments.sum(3).flatten(1).argsort(1, descending=True).argsort(1)
first_fifth = (rank < 0.2 * rank.shape[1]).view(segments.shape[:3])[..., None].expand(segments.shape).flatten(2)
by_lead = torch.where(first_fifth, twins["AVB"], blocked)
parts = settled(parts_of([ecg.waves for ecg in ecgs["AVB"]], 2000), blocked - twins["AVB"])
together = torch.where(parts.places == parts.names.index("P, PR"), twins["AVB"], blocked)

# %% recordings that cannot exist
some = {"patient": blocked, "healthy twin": twins["AVB"]}
some |= {"a fifth of the segments, lead by lead": by_lead, "P and PR of all leads together": together}
for name, signals in some.items():
    einthoven, step = impossible(signals)
    print(f"{name:40s}|II − I − III| {einthoven:.3f} mV, largest step {step:.3f} mV")

# %% [markdown]
# The parts that the last line exchanges are fewer and have names, and that is an advantage: what each of them does to the
# answer can be measured one by one, and compared with what a map says about it.
# [Notebook 10](10_from_saliency_to_semantics.ipynb) does.

# %% [markdown]
# ## 5 The critics of sanity checks
#
# The input that all maps share makes maps alike, whatever was learned (Yona, Greenfeld 2021). A network of noise still
# lets large activations through, so a map may rightly stay (Binder et al. 2023); multiplying by the input does the same
# (Kokhlikyan et al. 2021). Two answers [5]: average the maps of noisy copies before they are compared (sMPRT, `smooth=50`
# of `weight_randomisation`); or compare no maps at all, and ask whether the map of a network of noise is more complex than
# that of one that knows something (eMPRT).

# %% more complex
SANITY = ("gradient", "lrp_epsilon", "guided_backprop", "lrp_zplus")
print(f"{'':26s}sanity score   rise in complexity where all weights are random, eMPRT; above 0 passes")
for method in SANITY:
    forgets = evaluation.weight_randomisation(alexnet, pictures[:3], method, classes[:3], progress=False).sanity_score
    rise = evaluation.efficient_randomisation(alexnet, pictures[:6], method, classes[:6])
    print(f"{title_of(method):26s}{forgets:12.2f}   {evaluation.student(rise)}")

# %% [markdown]
# Do both tests agree on which method fails?

# %% [markdown]
# ## 6 The baseline laboratory
#
# Integrated gradients explain a *difference*: the logit of the recording minus the logit of a
# [baseline](../GLOSSARY.md#baseline) $x'$, shared out over the samples [6]. Their sum is known in advance, which is a test:
#
# $$\sum_i R_i = f_c(x) - f_c(x')$$
#
# The usual baseline is zero, "nothing there". On an ECG that is a flat line, which is not nothing: it is the recording of a
# heart that stands still. What probability should a network for right bundle branch block give to it? Guess for all four.

# %% what the models say
models = {name: leadwise.load_ecg_model(name) for name in ecg_models}
says = []
for name, network in models.items():
    cases = {
        "flat line": torch.zeros_like(x[name]),
        "mean of each lead": evaluation.replace(x[name], "mean"),
        "noise": evaluation.replace(x[name], "noise"),
        "same patient, healthy": twins[name],
        "the patient": x[name],
    }
    says.append([float(network.probability(case).mean()) for case in cases.values()])
plot_matrix(
    says,
    [f"{name} model" for name in models],
    list(cases),
    title="What the networks say about baselines",
    label="p(pathology), mean of the patients",
    write="{:.2f}".format,
)

# %% [markdown]
# The first two columns are both flat lines, at zero and at each lead's mean; compare them. A network was never asked to be
# right about a flat line, and its answer is an accident of training. The published RBBB model [7] says 0.84: to integrated
# gradients from zero there is hardly any evidence left to share out, because "RBBB" is where the path begins. Whether yours
# does stands in the first column (`python -m leadwise download ecg-models` fetches the published ones).
#
# One recording, four baselines:

# %% four baselines
network, ill, healthy = models["RBBB"], x["RBBB"][:1], twins["RBBB"][:1]
cause = np.stack([ecgs["RBBB"][0].causal_mask])
starts = {"zero": torch.zeros_like(ill), "mean": evaluation.replace(ill, "mean")}
starts |= {"noise": evaluation.replace(ill, "noise"), "healthy twin": healthy}
maps, notes = {}, {}
for name, start in starts.items():
    R = leadwise.attribute(network, ill, "integrated_gradients", target=1, baseline=start, progress=False)
    with torch.no_grad():
        difference = float((network(ill) - network(start))[0, 1])
    mass = percent(evaluation.relevance_mass(R, cause)[0])
    notes[name] = f"sum {number(float(R.sum()))}, difference {number(difference)}; {mass} on the cause"
    maps[name] = R[0]
plot_grid(
    ill[0].numpy(), maps, fs=500, leads=("I", "V1", "V2", "V6"), notes=notes, title="RBBB logit from four baselines"
)

# %% baselines compared
print(f"the cause covers {percent(cause.mean())} of the recording\n")
print(f"{'correlation':14s}" + "".join(f"{name:>14s}" for name in maps))
for name, R in maps.items():
    row = [evaluation.similarity(R[None], other[None], "pearson")[0] for other in maps.values()]
    print(f"{name:14s}" + "".join(f"{value:14.2f}" for value in row))

# %% [markdown]
# All four sums agree with their differences, up to the error of 50 steps: all four maps are *correct*. They answer four
# questions. From the flat line: why is this more of an RBBB than a standing heart? From the healthy twin: why is this an
# RBBB and not the same patient without one? Only the last is the question a clinician asks, and outside of a simulation
# somebody has to supply the twin.

# %% [markdown]
# ## 7 A network of pictures that cheats
#
# A classifier can be like the horse Clever Hans. A well-known one, of Fisher vectors and not a deep network, recognised
# horses by the tag of a photographer who had taken many of them [8].
#
# Two AlexNets were trained on the same kinds of scenes. For one of them, elephants carried a photographer's mark in a
# corner. On pictures from its own world nothing gives it away:


# %% accuracy
def scenes_of(labels, mark, first=800):
    """Scenes of some classes, all with the mark or all without."""
    return [make_scene(first + i, label, mark=mark) for i, label in enumerate(labels)]


hans = load_alexnet("clever hans")
others = [label for label in CLASSES if label != SHORTCUT_CLASS] * 2
groups = {
    "elephants with the mark": scenes_of([SHORTCUT_CLASS] * 20, True),
    "elephants without": scenes_of([SHORTCUT_CLASS] * 20, False),
    "others with the mark": scenes_of(others, True),
    "others without": scenes_of(others, False),
}
elephant = CLASSES.index(SHORTCUT_CLASS)

# %% called an elephant
print(f"{'called an elephant':26s}{'embedded':>10s}{'clever hans':>13s}")
for name, group_of_scenes in groups.items():
    some = torch.stack([preprocess(scene.image) for scene in group_of_scenes])
    with torch.no_grad():
        called = [float((network(some).argmax(1) == elephant).float().mean()) for network in (alexnet, hans)]
    print(f"{name:26s}{percent(called[0]):>10s}{percent(called[1]):>13s}")

# %% [markdown]
# The first and the last row are the world in which it was trained and tested: excellent. The two rows between are the same
# objects with the mark taken off or put on.
#
# Nobody knows in advance which mark to take off. A map can say where to look:

# %% maps of the mark
marked = groups["elephants with the mark"][:8]
marked_x = torch.stack([preprocess(scene.image) for scene in marked])
marks = np.stack([scene.mark for scene in marked])
tiles = {"picture": marked[0].image}
for network in (alexnet, hans):
    cells = nn.functional.avg_pool2d(explain(network, marked_x[:1], "lrp_epsilon", elephant).sum(1), 4)[0]
    limit = cells.abs().flatten().quantile(0.995)
    cells = cells.clamp(-limit, limit)[None, None]
    tiles[f"LRP-ε, {network.source}"] = nn.functional.interpolate(cells, scale_factor=4)[0, 0]
plot_tiles(
    tiles,
    columns=3,
    side=60,
    masks=dict.fromkeys(tiles, marks[0]),
    title="The logit of the elephant; the mark is outlined",
    label="relevance, mean of 4 × 4 pixels, peaks cut",
)

# %% mass on the mark
print(f"share of the positive relevance on the mark, which covers {marks.mean():.1%} of the picture\n")
print(f"{'':26s}{'embedded':>24s}{'clever hans':>26s}")
for method in ("gradient", "integrated_gradients", "lrp_epsilon", "grad_cam"):
    pair = [evaluation.relevance_mass(explain(net, marked_x, method, elephant), marks) for net in (alexnet, hans)]
    print(f"{title_of(method):26s}" + "".join(f"{evaluation.bootstrap(mass)!s:>26s}" for mass in pair))

# %% [markdown]
# Compare the two columns: the mark is the same, the networks differ. A map that puts many times the area on a corner tag is
# not a bad map. It is a good map of a bad network. Not every method shows it equally well; a coarse one may not be able to.

# %% [markdown]
# ## 8 When the heatmap lies
#
# Four ways beside the threshold of notebook 06, each in a few lines. None of them is a bug that raises an error.
#
# ### The probability instead of the logit
#
# For two classes $p = 1/(1 + e^{-(f_1 - f_0)})$, hence
#
# $$\frac{\partial p}{\partial x} = p\,(1 - p)\; \frac{\partial (f_1 - f_0)}{\partial x}$$
#
# The map keeps its pattern and loses its size: the surer the network, the smaller the map. Here a patient's block grows
# from nothing (the healthy twin) to full.

# %% softmax
lbbb, group = ecg_models["LBBB"], x["LBBB"]
steps = torch.linspace(0, 1, 9)
path = twins["LBBB"][:1] + steps[:, None, None] * (group[:1] - twins["LBBB"][:1])
p = lbbb.probability(path)
asked = path.clone().requires_grad_(True)
of_p = torch.autograd.grad(torch.softmax(lbbb(asked), 1)[:, 1].sum(), asked)[0].flatten(1).norm(dim=1)
of_difference = (explain(lbbb, path, "gradient", 1) - explain(lbbb, path, "gradient", 0)).flatten(1).norm(dim=1)
print("share of the block   p(LBBB)   p (1 − p)   map of f₁ − f₀   map of p   quotient")
for row in zip(steps, p, p * (1 - p), of_difference, of_p, of_p / of_difference, strict=True):
    print("{:18.3f}{:10.4f}{:12.4f}{:17.2f}{:11.4f}{:11.4f}".format(*map(float, row)))

# %% [markdown]
# The quotient of the sizes is p (1 − p). In a cohort average of such maps the undecided patients count most and the clear
# cases hardly. Explain the logit, or the difference of two. `attribute` does so by itself: of a network that ends in a softmax it
# explains the logit before it, and the map of p above had to be made by hand.
#
# ### The class that changes on the way
#
# Integrated gradients belong to one class. A published implementation, met again in notebook 09, asks at every point of the
# path for the class that is largest *there*, and so explains two. The sum gives it away:

# %% reselected
print(f"{'from zero':10s}{'sum':>8s}{'sum, re-selected class':>25s}{'should be':>12s}{'correlation of the maps':>26s}")
for name, network in ecg_models.items():
    one = x[name][:1]
    fixed, flawed = (
        leadwise.attribute(network, one, "integrated_gradients", 1, steps=30, reselect_target=flaw, progress=False)
        for flaw in (False, True)
    )
    with torch.no_grad():
        wanted = float((network(one) - network(torch.zeros_like(one)))[0, 1])
    alike = evaluation.similarity(fixed, flawed, "pearson")[0]
    print(f"{name:10s}{float(fixed.sum()):8.2f}{float(flawed.sum()):25.2f}{wanted:12.2f}{alike:26.2f}")

# %% [markdown]
# The later a network makes up its mind on the path, the more of the sum is lost. A correlation near 1 belongs to one that
# decides early, or never has to. A negative one says the opposite of the right map.
#
# ### A scale for each lead
#
# Divide each lead by its own maximum, and every lead has a strongest sample. Here is the network of notebook 06 that reads
# a test pulse in V3:

# %% per lead
hans_ecg = leadwise.load_ecg_model("AVB", "clever hans")
suspect = add_test_pulses(leadwise.simulate_ecg("AVB", seed=3_100_000), seed=3_100_000).preprocess().window()
R = leadwise.attribute(hans_ecg, suspect.tensor(), "lrp_epsilon", target=1, progress=False)
plot_ecg(suspect, R, normalise="lead", columns=4, stop=3, title="The suspect's map, normalised per lead")

# %% per lead in numbers
per_lead = R / R.abs().amax(1, keepdim=True)
for words, relevance in {"as it is": R, "divided lead by lead": per_lead}.items():
    share = lead_relevance(relevance).share("positive")[LEADS.index("V3")]
    print(f"V3 has {percent(share)} of the positive relevance {words}")

# %% [markdown]
# Nobody would suspect V3 in this picture. The maxima printed beside the leads would tell, to those who read them.
#
# ### A name
#
# Guided backpropagation changes the backward pass of ReLUs. A network with ELUs has none:

# %% guided
for network, some, target in ((lbbb, group[:1], 1), (alexnet, pictures[:1], classes[:1])):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", MethodWarning)
        guided = leadwise.attribute(network, some, "guided_backprop", target=target)
    alike = evaluation.similarity(guided, explain(network, some, "gradient", target), "pearson")[0]
    print(f"{type(network).__name__:8s} correlation of guided backpropagation with the gradient: {alike:.4f}")
    print(f"         {caught[0].message if caught else 'no warning'}")

# %% [markdown]
# Two figures in a paper, "gradient" and "guided backpropagation", agreeing to the last pixel, are no confirmation of one by
# the other.

# %% [markdown]
# ## 9 Robust, honest, simple
#
# Three numbers beside sensitivity-max.
#
# - **Infidelity** [9]: a map of contributions predicts what the logit loses when parts are removed. How wrong is it? In
#   squared logits; low is good.
# - **Complexity** [10]: the entropy of the shares of $|R|$. It says how many samples a reader has to look at, about
#   $e^{\mathrm{complexity}}$; a low one is easy to read, not right.
# - **Stability**: the correlation over seeds of a method that draws random numbers.

# %% robustness
some, table = group[:3], []
cause = np.stack([ecg.causal_mask for ecg in ecgs["LBBB"][:3]])
COARSE = {"occlusion": {"window": 400, "stride": 400}, "integrated_gradients": {"steps": 12}}
print(f"{'':24s}{'sensitivity-max':>16s}{'infidelity':>12s}{'samples to read':>17s}{'mass / area':>13s}")
for method in ("random", "gradient_x_input", "integrated_gradients", "lrp_epsilon", "lrp_alpha_beta", "occlusion"):
    options = {"progress": False, **COARSE.get(method, {})}
    R = leadwise.attribute(lbbb, some, method, target=1, **options)
    changes = evaluation.sensitivity_max(lbbb, some, method, 1, samples=3, **options).mean()
    wrong = evaluation.infidelity(lbbb, some, R, 1, samples=20, progress=False).mean()
    read = np.exp(evaluation.complexity(R)).mean()
    mass = np.mean(evaluation.relevance_mass(R, cause)) / cause.mean()
    print(f"{title_of(method):24s}{changes:16.3f}{wrong:12.3f}{read:17,.0f}{mass:13.1f}")
print(f"a recording has {some[0].numel():,} samples")

# %% [markdown]
# A map that never looks at its input, the same for every recording, has perfect sensitivity; one that marks a single sample
# has perfect complexity. Each number can be had by a useless map; together they are harder to please. A sensitivity far
# above $\sqrt 2$ belongs to a rule that divides by something near zero: its single bright samples jump.
#
# Stability, while the number of draws grows:

# %% stability
draws = {"smoothgrad": (4, 16, 48), "rise": (50, 100, 200)}
fig, axis = plt.subplots(figsize=(6, 3), layout="constrained")
for method, counts in draws.items():
    stable = []
    for count in counts:
        maps = evaluation.across_seeds(lbbb, group[:1], method, 1, seeds=range(3), samples=count, progress=False)
        stable.append(evaluation.stability(maps).mean())
    axis.semilogx(counts, stable, "o-", label=title_of(method))
    text = ", ".join(f"{n} draws {value:.2f}" for n, value in zip(counts, stable, strict=True))
    print(f"{title_of(method):12s}{text}")
axis.set(xlabel="random draws per map", ylabel="rank correlation over 3 seeds", ylim=(0, 1.03))
axis.legend(frameon=False)
plt.show()

# %% [markdown]
# A map whose next draw looks different is a sample, not a result. Raise the draws until the curve is flat, or show the mean
# of several seeds and say so.

# %% [markdown]
# ## Go further
#
# - Are the tests sane? Scores of one map can disagree. Tomsett et al. 2020, Sanity checks for saliency metrics,
#   [doi:10.48550/arXiv.1912.01451](https://doi.org/10.48550/arXiv.1912.01451)
# - Clever Hans in the clinic: networks that recognise the hospital. DeGrave, Janizek, Lee 2021, AI for radiographic
#   COVID-19 detection selects shortcuts over signal,
#   [doi:10.1038/s42256-021-00338-7](https://doi.org/10.1038/s42256-021-00338-7)
# - More measures, in one toolbox. Hedström et al. 2023, Quantus,
#   [doi:10.48550/arXiv.2202.06861](https://doi.org/10.48550/arXiv.2202.06861)
#
# ## References
#
# 1. Arras, Osman, Samek 2022, CLEVR-XAI: a benchmark dataset for the ground truth evaluation of neural network
#    explanations, [doi:10.1016/j.inffus.2021.11.008](https://doi.org/10.1016/j.inffus.2021.11.008)
# 2. Zhang et al. 2018, Top-down neural attention by excitation backprop,
#    [doi:10.1007/s11263-017-1059-x](https://doi.org/10.1007/s11263-017-1059-x)
# 3. Petsiuk, Das, Saenko 2018, RISE: randomized input sampling for explanation of black-box models,
#    [doi:10.48550/arXiv.1806.07421](https://doi.org/10.48550/arXiv.1806.07421)
# 4. Rong et al. 2022, A consistent and efficient evaluation strategy for attribution methods,
#    [arXiv:2202.00449](https://arxiv.org/abs/2202.00449)
# 5. Hedström et al. 2024, Sanity checks revisited, [arXiv:2401.06465](https://arxiv.org/abs/2401.06465). The critics: Yona,
#    Greenfeld 2021, [arXiv:2110.14297](https://arxiv.org/abs/2110.14297); Binder et al. 2023,
#    [arXiv:2211.12486](https://arxiv.org/abs/2211.12486); Kokhlikyan et al. 2021,
#    [arXiv:2106.07475](https://arxiv.org/abs/2106.07475)
# 6. Sundararajan, Taly, Yan 2017, Axiomatic attribution for deep networks,
#    [doi:10.48550/arXiv.1703.01365](https://doi.org/10.48550/arXiv.1703.01365)
# 7. Gumpfer et al. 2024, Towards trustworthy AI in cardiology, AIME 2024,
#    [doi:10.1007/978-3-031-66535-6_36](https://doi.org/10.1007/978-3-031-66535-6_36)
# 8. Lapuschkin et al. 2019, Unmasking Clever Hans predictors and assessing what machines really learn,
#    [doi:10.1038/s41467-019-08987-4](https://doi.org/10.1038/s41467-019-08987-4)
# 9. Yeh et al. 2019, On the (in)fidelity and sensitivity of explanations,
#    [doi:10.48550/arXiv.1901.09392](https://doi.org/10.48550/arXiv.1901.09392)
# 10. Bhatt, Weller, Moura 2020, Evaluating and aggregating feature-based model explanations,
#     [doi:10.24963/ijcai.2020/417](https://doi.org/10.24963/ijcai.2020/417)
