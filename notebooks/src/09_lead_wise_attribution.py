# %% [markdown]
# # 09 Lead-wise attribution
#
# One recording, one network, many explanations. This notebook puts every method of the course on twelve leads and asks
# what each can say about *where* (which lead) and *when* (which wave) a network looked.
#
# **You will be able to**
#
# - explain a 12-lead ECG with any method of the course in one call,
# - read a relevance map: its sign, its target class, its sum, its normalisation,
# - say which methods degenerate on this network, and why,
# - recognise a known flaw of integrated gradients in a published implementation.
#
# **Before:** notebooks 07 and 08. **Teaching, not diagnosis:** nothing here may be used to decide about a patient.
#
# **Clinician's path:** from 04; whole. Next: 10.

# %% imports
import warnings
from textwrap import fill

import matplotlib.pyplot as plt
import numpy as np  # noqa: F401, for the exercises
import torch

import leadwise
from leadwise.attribution import MethodWarning, caveat
from leadwise.checks import lead_wise as check
from leadwise.comparison import COMPARISON, explain_all, title_of
from leadwise.ecg.leads import LEADS
from leadwise.plotting import number, percent, plot_ecg, plot_grid, plot_lead_bars
from leadwise.semantics import CRITERIA, WAVES, lead_wave_matrix, waves_of
from leadwise.semantics import agreement as agreement_with

# Methods warn where they degenerate and where a map misses what it promises. Section 4 listens to them.
warnings.simplefilter("ignore", MethodWarning)

# %% [markdown]
# ## 1 A recording and a network
#
# The network looks for a left [bundle branch block](../GLOSSARY.md#bundle-branch-block) (LBBB). Real recordings and published weights are used where they have
# been downloaded, simulated recordings and embedded weights where not; the lines below say which.

# %% load
name, info = next(iter(leadwise.records("LBBB").items()))
ecg = leadwise.load_record(name).preprocess().window()
model = leadwise.load_ecg_model("LBBB")
print(f"record {info.title} [{info.origin}]")
print(f"p(LBBB) = {float(model.probability(ecg.tensor())):.3f}")

# %% [markdown]
# In LBBB the left ventricle is activated late, through muscle instead of the conduction system. The QRS complex is broad
# (at least 120 ms), mostly negative in V1, and broad, often notched and positive in I, aVL, V5 and V6, without a q in I, V5 and
# V6; in V5 and V6 its [R-peak time](../GLOSSARY.md#r-peak-time) exceeds 60 ms. ST and T usually turn opposite to QRS [1]: what is
# activated late recovers late. That belongs to the block and defines it less than the broad QRS does.
#
# > **Think first.** Which leads and which wave should a map point to, if the network uses what a cardiologist uses? Name two
# > of each.

# %% think first 1
check.think_first("leads and waves of the criteria")

# %% the recording
plot_ecg(ecg, title=f"{info.title}: what the network sees")

# %% [markdown]
# ## 2 The first map
#
# The **[gradient](../GLOSSARY.md#gradient)** of the explained logit $f_c$ answers: which samples, if raised by a little, would raise the logit most
# [2]? It has the same shape as the input.
#
# $$R = \frac{\partial f_c}{\partial x} \in \mathbb{R}^{12 \times 2000}$$

# %% gradient
x = ecg.tensor()
relevance = leadwise.attribute(model, x, "gradient", target=1)
print(tuple(x.shape), "->", tuple(relevance.shape))
plot_ecg(ecg, relevance, title="Gradient of the LBBB logit", label="R, logit per mV")

# %% [markdown]
# Orange raises the logit, blue lowers it. The gradient is large where the network is *sensitive*, which is not the same as
# where the evidence lies: a flat stretch can be sensitive too.
#
# **[Layer-wise relevance propagation](../GLOSSARY.md#layer-wise-relevance-propagation)** (LRP) asks a different question: how much did each sample *contribute* to the logit
# [3]? It hands the logit back layer by layer, each layer sharing it out in proportion to what its inputs contributed:
#
# $$R_j = \sum_k \frac{a_j w_{jk}}{z_k + \epsilon \operatorname{sign}(z_k)} R_k, \qquad z_k = \sum_j a_j w_{jk} + b_k$$

# %% lrp
lrp = leadwise.attribute(model, x, "lrp_epsilon", target=1, epsilon=0.1)
plot_ecg(ecg, lrp, title="LRP-ε of the LBBB logit", label="R, share of the logit")

# %% [markdown]
# Which leads carry it? The bars add up the positive and the negative relevance of each lead.

# %% lead bars
plot_lead_bars(lrp, title="LRP-ε: share of the relevance by lead")

# %% [markdown]
# And which wave? The samples of each lead are summed over the parts of the beat, and each part is set beside the criterion: once
# with QRS alone, which defines the block, and once with ST and T, which belong to it. A *lift* is the share of the positive
# relevance, divided by the share of the samples; 1 is what an even spread has (notebook 10).

# %% which wave
found_waves = waves_of(leadwise.load_record(name))
for title, map_ in {
    "LRP-ε": lrp,
    "integrated gradients": leadwise.attribute(model, x, "integrated_gradients", target=1, progress=False),
}.items():
    matrix = lead_wave_matrix(map_, found_waves)
    by_wave = ", ".join(
        f"{wave} {percent(share)}" for wave, share in zip(WAVES, matrix.along(1).share(), strict=True) if share >= 0.01
    )
    narrow, wide = (agreement_with(matrix, "LBBB", companions=both) for both in (False, True))
    print(f"{title}: {by_wave}")
    print(f"   in {', '.join(CRITERIA['LBBB'].leads)}: lift of QRS {narrow.lift:.1f}, with ST and T {wide.lift:.1f}")

# %% [markdown]
# This answers the question above for one recording. Where most lies in QRS, the map points to what defines the block. Where ST and T
# hold much, the network may well read the textbook, but its second line. That is worth knowing: a broad QRS of this
# shape has fewer other causes than a turned T, which ischaemia and hypertrophy bring as well, and a network that relies on T will
# be wrong about those. Whether it does no map can say; notebook 10 asks the network itself.

# %% [markdown]
# ## 3 All methods side by side
#
# `METHODS` holds one row for each method: its function, its parameters with their ranges, its formula, its source. The
# names of the SIGN-XAI package [4] are understood as well: `lrpsign_epsilon_0_25_std_x` is LRP with
# $\epsilon = 0.25\,\sigma(a)$ and the SIGN rule in the first layer.

# %% methods table
for family in ("gradient", "cam", "perturbation", "LRP", "control"):
    names = [method for method, row in leadwise.METHODS.items() if row.family == family]
    print(fill(f"{family} ({len(names)}): {', '.join(names)}", 96, subsequent_indent="    "))

# %% all maps
maps = explain_all(model, ecg, COMPARISON)
print(f"explained logit {float(model(x)[1].detach()):.2f}; of each map its sum, and where its positive relevance lies")
for method, map_ in maps.items():
    by_wave = dict(zip(WAVES, lead_wave_matrix(map_, found_waves).along(1).share(), strict=True))
    where = ", ".join(f"{wave} {percent(by_wave[wave]):>4s}" for wave in ("QRS", "T", "rest"))
    print(f"{title_of(method):44s} sum {number(float(map_.sum())):>6s}   {where}")

# %% comparison
SHOWN = ("gradient", "gradient_x_input", "gradient_x_sign", "integrated_gradients")
SHOWN += ("grad_cam", "lrp_epsilon_0_1", "lrp_alpha_1_beta_0", "random")
rows = {title_of(method): maps[method] for method in SHOWN}
plot_grid(ecg, rows, leads=("V1", "V6"), stop=2, title=f"One {model.pathology} logit, {len(rows)} maps of it")

# %% [markdown]
# Look down one column. Some pairs of methods agree on the QRS complex and disagree on its sign; some put their weight
# between the beats; the last row, a **random map**, is what no information looks like. Most of these maps have been compared
# with the authors' own software, on two real recordings (`benchmarks/reference_maps.json`);
# [SmoothGrad](../GLOSSARY.md#smoothgrad), [DeepLIFT](../GLOSSARY.md#deeplift) and [occlusion](../GLOSSARY.md#occlusion)
# have no such reference. Where two programs agree, both compute the same; whether it is what you wanted to ask, they cannot say.
#
# Where a thin single line outshines the rest of an [αβ](../GLOSSARY.md#alpha-beta-rule) row, it is an artefact of its own: a [bias](../GLOSSARY.md#bias) opposes the positive part, a
# denominator comes near zero, and one sample gets most of the relevance.
#
# The **sum** is a first test for integrated gradients and DeepLIFT, which promise a difference of two logits (a [Grad-CAM](../GLOSSARY.md#grad-cam) is
# scaled to its maximum; its sum means nothing). LRP promises less: biases keep a part of the relevance, or add to it, and
# $\epsilon$ absorbs some more. How much, depends on the network.

# %% what arrives
print("sum of a correct LRP-ε map, as a share of the logit")
for pathology in ("AVB", "ISCH", "LBBB", "RBBB"):
    network = leadwise.load_ecg_model(pathology, verbose=False)
    signal = leadwise.load_record(next(iter(leadwise.records(pathology)))).preprocess().window().tensor()
    explained = float(network(signal)[1].detach())
    arrived = {
        epsilon: float(leadwise.attribute(network, signal, "lrp_epsilon", target=1, epsilon=epsilon).sum()) / explained
        for epsilon in (1e-6, 0.1)
    }
    print(f"{pathology:5s}" + "".join(f"   ε = {epsilon:g}: {share:.2f}" for epsilon, share in arrived.items()))

# %% [markdown]
# A sum below the logit is therefore no sign of a mistake, and a sum near it no proof. The test is the ledger of
# [notebook 04](04_layer_wise_relevance.ipynb), section 4: what arrives, what the biases keep and what $\epsilon$ absorbs
# add up to the logit.

# %% [markdown]
# ## 4 Four ways to misread a map
#
# **The class.** A map explains one logit.
#
# > **Think first.** The network has two logits. Is the map of “no finding” the negative of the map of “pathology”? Guess their
# > correlation.

# %% think first 2
check.think_first("two logits, one map")

# %% target
healthy = leadwise.attribute(model, x, "lrp_epsilon", target=0)
agreement = torch.corrcoef(torch.stack([lrp.flatten(), healthy.flatten()]))[0, 1]
print(f"correlation between the maps for 'pathology' and 'no finding': {float(agreement):.2f}")
plot_grid(ecg, {"pathology": lrp, "no finding": healthy}, leads=("I", "V1", "V6"), title="LRP-ε of the two logits")

# %% [markdown]
# At −1 the two logits are mirror images. A network may come near to that in training, but nothing obliges it: two logits can rise
# together, so their maps are two maps. Say which one is shown. The answer depends on neither alone but on their difference, the
# log-odds $f_1 - f_0$: with `explain="log-odds"` that is what is explained, and the two maps are each other's
# negative. Reports, cohorts and explorers do so.

# %% log-odds
odds = [leadwise.attribute(model, x, "lrp_epsilon", target=target, explain="log-odds") for target in (1, 0)]
print(f"correlation of the log-odds' maps: {float(torch.corrcoef(torch.stack([o.flatten() for o in odds]))[0, 1]):.2f}")
print(
    f"of the log-odds' and the logit's:  {float(torch.corrcoef(torch.stack([odds[0].flatten(), lrp.flatten()]))[0, 1]):.2f}"
)

# %% [markdown]
# **The normalisation.** Per record, as in section 2, the strongest sample of all leads sets the scale. Per lead, every lead gets
# a strongest sample, and a lead that hardly matters looks as busy as the one that decides.

# %% normalised per lead
plot_ecg(ecg, lrp, normalise="lead", columns=4, stop=2, title="Normalised per lead: leads do not compare")

# %% [markdown]
# **The threshold.** Hiding weak relevance makes a map look decided. Count what a quarter of the maximum hides.

# %% threshold
kept = (lrp.abs() >= 0.25 * lrp.abs().max()).float().mean()
share = lrp.abs()[lrp.abs() >= 0.25 * lrp.abs().max()].sum() / lrp.abs().sum()
print(f"{float(kept):.1%} of the samples stay; they hold {float(share):.0%} of the absolute relevance")

# %% [markdown]
# **The method.** Some methods lose their meaning on some networks. `attribute` warns then, and `caveat` says why.

# %% caveats
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always", MethodWarning)
    leadwise.attribute(model, x, "guided_backprop", target=1)
print("warning:", caught[0].message, "\n")
for method in leadwise.METHODS:
    if caveat(method, model):
        print(f"{method:16s} {caveat(method, model)}")

# %% [markdown]
# ## 5 The weight of small voltages
#
# Many methods end with *times input*. That hides what happens at small voltages: a sample at 0 mV gets relevance 0, however
# much the network depends on it. **[SIGN](../GLOSSARY.md#sign)** multiplies by the sign of the input instead of its value [4]:
#
# $$R = \operatorname{sign}_\mu(x) \odot \frac{\partial f_c}{\partial x}, \qquad
# \operatorname{sign}_\mu(x) = +1 \text{ if } x \ge \mu \text{ else } -1$$

# %% sign
small = x.abs() < 0.05


def share_at_small_voltages(method):
    """Share of the absolute relevance on samples within 0.05 mV of the zero line."""
    relevance = leadwise.attribute(model, x, method, target=1).abs()
    return float(relevance[small].sum() / relevance.sum())


print(f"{float(small.float().mean()):.0%} of all samples lie within 0.05 mV of the zero line. They get")
for method in ("gradient_x_input", "gradient_x_sign", "lrp_z", "lrpsign_z"):
    print(f"  {share_at_small_voltages(method):4.0%} of the absolute relevance under {method}")

# %% [markdown]
# ## 6 A flaw to recognise: the class that changes on the way
#
# **[Integrated gradients](../GLOSSARY.md#integrated-gradients)** averages the gradient along the straight path from a baseline $x'$ to the recording [5]:
#
# $$R = (x - x') \odot \int_0^1 \frac{\partial f_c}{\partial x}\big(x' + \alpha (x - x')\big)\, d\alpha$$
#
# The class $c$ is fixed. A published implementation explains, at each point of the path, whichever class is largest
# *there*. Where the decision flips on the way, it averages gradients of two different logits.
#
# > **Think first.** The usual baseline is a flat line. Which probability does the network give to a flat line?

# %% think first 3
check.think_first("the probability of a flat line")

# %% the path
alphas = torch.linspace(0, 1, 50)
fig, axis = plt.subplots(figsize=(7, 3.2), layout="constrained")
for pathology in ("AVB", "ISCH", "LBBB", "RBBB"):
    candidates = leadwise.records(pathology)
    recording = leadwise.load_record(next(iter(candidates))).preprocess().window()
    network = leadwise.load_ecg_model(pathology, verbose=False)
    path = alphas[:, None, None] * recording.tensor()
    axis.plot(alphas, network.probability(path), label=pathology)
axis.axhline(0.5, color="grey", linewidth=0.8, linestyle="--")
axis.set(xlabel="α, from the flat line (0) to the recording (1)", ylabel="p(pathology)", ylim=(-0.03, 1.03))
axis.legend(title="model and recording", frameon=False, loc="lower right")
plt.show()

# %% [markdown]
# Each curve that crosses the dashed line changes class on the way. A curve that starts above it belongs to a network that
# calls *no ECG at all* pathological: the flat line is not a neutral baseline. The published RBBB model gives it 0.84.

# %% reselected target
fixed = leadwise.attribute(model, x, "integrated_gradients", target=1, steps=150)
flawed = leadwise.attribute(model, x, "integrated_gradients", target=1, steps=150, reselect_target=True)
agreement = torch.corrcoef(torch.stack([fixed.flatten(), flawed.flatten()]))[0, 1]
print(f"correlation of the two maps: {float(agreement):.2f}")
print(f"sum, fixed class:      {float(fixed.sum()):7.2f}")
print(f"sum, reselected class: {float(flawed.sum()):7.2f}")
with torch.no_grad():
    difference = model(x)[1] - model(torch.zeros_like(x))[1]
print(f"logit(recording) - logit(flat line) = {float(difference):.2f}")

# %% [markdown]
# [Completeness](../GLOSSARY.md#completeness) tells them apart: the sum of the correct map is the difference of the two logits, up to the error of 150 steps,
# and the flawed one misses it as soon as the class changes on the way. On the published models and recordings the two maps, of that
# implementation's 50 steps, correlate by −0.87 (AV block, 03509) and −0.53 (LBBB, 14493), and of 150 steps by −0.87 and −0.40: they say
# the opposite. The course's tests reproduce the published maps with
# `reselect_target=True`, and nothing else.

# %% [markdown]
# ## 7 Explore
#
# Choose a recording, a model, a method, and whether the log-odds or one logit is explained. The sliders below the first block belong to the chosen method: they are made from
# its row in `METHODS`. Below the picture stands the call that makes the map.

# %% explorer
from leadwise.explorers import ECGExplorer, MethodGrid

explorer = ECGExplorer(model="LBBB", method="lrp_epsilon_std_x")
explorer

# %% [markdown]
# And several methods side by side. A control for the display changes all of them.

# %% method grid
MethodGrid(name, "LBBB", methods=("gradient_x_input", "integrated_gradients", "grad_cam", "lrp_epsilon"))

# %% [markdown]
# ## 8 Which map is right?
#
# For a real recording nobody can say: no ECG comes with its causes. A simulated one does. The hatched line marks the
# samples in which this LBBB differs from the same patient's normal beat; nothing else made it one.

# %% ground truth
simulated = leadwise.simulate_ecg("LBBB", seed=8).preprocess().window()
mask = torch.tensor(simulated.causal_mask)
found = leadwise.attribute(model, simulated.tensor(), "lrp_epsilon", target=1).clamp(min=0)
held, area = percent(float(found[mask].sum() / found.sum())), percent(float(mask.float().mean()))
title = f"The known cause (hatched) covers {area} of the recording and holds {held} of the positive LRP-ε"
plot_ecg(simulated, found, mask=simulated.causal_mask, leads=["I", "V2", "V6"], columns=1, stop=2.5, title=title)

# %% inside the cause
print(f"the cause covers {area} of all samples; of the positive relevance it holds")
for method in (
    "random",
    "square",
    "gradient_x_input",
    "gradient_x_sign",
    "integrated_gradients",
    "lrp_epsilon",
    "lrp_alpha_1_beta_0",
):
    positive = leadwise.attribute(model, simulated.tensor(), method, target=1).clamp(min=0)
    print(f"  {percent(float(positive[mask].sum() / positive.sum())):>5s}  {title_of(method)}")

# %% [markdown]
# The random map lands at the share of the area, as it must; what lies below it points elsewhere. What lies above it has found
# something about the recording, and not yet about the network: $x^2$ asks no network at all. One recording is an anecdote;
# notebooks 06 and 10 measure many patients, and 10 asks the network itself.

# %% [markdown]
# ## Exercises
#
# Each cell holds the names that its check asks for. Solutions are in `solutions/09_lead_wise_attribution.ipynb`.
#
# **1 Predict, then look.** Which lead gets more $|R|$ when the RBBB network explains a right bundle branch block, V1 or V6?
# Write your answer, with a reason if you like, into `predicted` (`HeartVector` of notebook 07 shows what changes), and run the
# check: it keeps your prediction, and never marks it. Then compute `shares`, a dict:
# V1 and V6 → their share of $\sum |R|$ over all leads, by LRP-ε with its defaults.

# %% a right bundle branch block
rbbb = leadwise.load_ecg_model("RBBB")
blocked = leadwise.load_record(next(iter(leadwise.records("RBBB")))).preprocess().window()

# %% exercise 1 tags=["solution"] answers=["predicted", "shares"]
# Exercise 1: predicted is "V1" or "V6", and why; shares = {"V1": ..., "V6": ...} of the map of `blocked` by `rbbb`.
predicted = "V1, for the right ventricle is activated last"

by_lead = leadwise.attribute(rbbb, blocked.tensor(), "lrp_epsilon", target=1).abs().sum(1)
shares = {lead: float(by_lead[LEADS.index(lead)] / by_lead.sum()) for lead in ("V1", "V6")}
print(", ".join(f"{lead} {percent(share)}" for lead, share in shares.items()))
# The right ventricle is activated last, and it lies to the right and in front: the late forces point at V1.

# %% check 1
check.v1_or_v6(predicted, shares, model=rbbb, x=blocked.tensor())

# %% [markdown]
# **2 Write code.** Which share of a map lies in the chest leads? Make a function `chest_share(relevance)` that takes a map
# (12, T), a [tensor](../GLOSSARY.md#tensor), and returns the share of $\sum |R|$ in V1 to V6, from 0 to 1. Try it on three methods, the random map among them.


# %% exercise 2 tags=["solution"] answers=["chest_share"]
# Exercise 2: chest_share(relevance) -> a number from 0 to 1.
def chest_share(relevance):
    """Share of the absolute relevance (12, T) in V1 to V6."""
    by_lead = relevance.abs().sum(1)
    return float(by_lead[6:].sum() / by_lead.sum())


for method in ("random", "grad_cam", "lrp_epsilon_0_1"):
    print(f"{title_of(method):16s}{percent(chest_share(maps[method]))}")
# Half of the leads are chest leads: the random map has half its relevance there, and so has Grad-CAM, which knows no leads.

# %% check 2
check.chest_share(chest_share)

# %% [markdown]
# **3 Find the bug.** A colleague shows four maps of the recording of section 1. All are said to be integrated gradients of
# the LBBB logit from a flat line, in units of the logit. One is. The others have a flaw each: one map `"copied"` to all
# leads, each lead scaled by itself (`"per lead"`), or the `"class changes"` on the way. Sections 4 and 6 have the tests. Make
# `flaws`, a dict: A, B, C, D → flaw, or `"none"`.

# %% a colleague's maps
suspects = check.colleagues_maps(model, x)
plot_grid(ecg, suspects, leads=("I", "V1", "V6"), title="Four maps, one caption")

# %% exercise 3 tags=["solution"] answers=["flaws"]
# Exercise 3: test each map of `suspects`; flaws = {"A": ..., "B": ..., "C": ..., "D": ...}.
with torch.no_grad():
    gained = float(model(x)[1] - model(torch.zeros_like(x))[1])
print(f"the sum should be {gained:.2f}")
for name, found in suspects.items():
    strongest = found.abs().amax(1)
    between = float((found - found[0]).abs().max() / found.abs().max())
    print(
        f"{name}: sum {float(found.sum()):8.2f}; strongest sample of a lead from {float(strongest.min()):.4f} to "
        f"{float(strongest.max()):.4f}; leads differ by {percent(between)}"
    )
flaws = {"A": "class changes", "B": "none", "C": "copied", "D": "per lead"}
# Who concludes from C that aVR matters as much as V1 has measured a copy; from D, a scale. A looks like any other map: only
# its sum gives it away.

# %% check 3
check.colleagues_flaws(flaws)

# %% [markdown]
# **4 Interpret.** Compute `sums`, a dict from $\epsilon$ = 0.001, 0.1 and 10 to $\sum |R|$ of LRP-ε of the LBBB logit. Which
# `reading` fits, by the formula in section 2?
#
# - **a** The larger $\epsilon$, the less sure is the network, and the less there is to explain.
# - **b** Each layer keeps a part of the relevance, and most where $|z_k|$ is small beside $\epsilon$.
# - **c** A large $\epsilon$ removes what speaks against the class, and keeps what speaks for it.

# %% exercise 4 tags=["solution"] answers=["sums", "reading"]
# Exercise 4: sums = {0.001: ..., 0.1: ..., 10: ...}; reading is "a", "b" or "c".
by_epsilon = {
    epsilon: leadwise.attribute(model, x, "lrp_epsilon", target=1, epsilon=epsilon) for epsilon in (0.001, 0.1, 10)
}
sums = {epsilon: float(relevance.abs().sum()) for epsilon, relevance in by_epsilon.items()}
for epsilon, relevance in by_epsilon.items():
    negative = float(-relevance.clamp(max=0).sum() / sums[epsilon])
    print(f"ε = {epsilon:<6g} Σ|R| {sums[epsilon]:7.3f}, {percent(negative)} of it negative")
reading = "b"
# A share |z| / (|z| + ε) of the relevance passes each unit. What cancelled to a small z is held back first, for better (it is
# noisy) and for worse (it may be the evidence).

# %% check 4
check.what_epsilon_does(sums, reading, model=model, x=x)

# %% think first answers [markdown] tags=["solution"]
# ## Think first: answers
#
# - **Leads and waves of the criteria:** For a left bundle branch block: a broad QRS in I, aVL, V5 and V6, and in V1; T,
#   which turns against it, comes second. Notebook 10 has the criteria of all four findings.
# - **Two logits, one map:** Not in general: two logits may rise together, so that their correlation, printed above, need
#   not be −1. The maps of the log-odds are each other's negative, by construction.
# - **The probability of a flat line:** The curves begin with it, at the left end. It may lie on either side of a half, for
#   no network was trained on flat lines.

# %% [markdown]
# ## Quiz

# %% quiz
check.quiz()

# %% progress
check.progress()

# %% [markdown]
# ## Take away
#
# - A map explains one logit of one network, or the difference of two; name it, and the method with its parameters.
# - Sensitivity (gradient), contribution (LRP, integrated gradients) and necessity (occlusion) are different questions.
# - Per-record normalisation compares leads. Per-lead normalisation does not.
# - Sums are tests where a method promises one: integrated gradients a difference of logits. LRP's closes only with biases and ε.
# - Grad-CAM has no lead information; guided backpropagation on a network without ReLU is the gradient.

# %% [markdown]
# ## Go further
#
# - Sanity checks of methods on ECGs, and maps averaged over whole populations: Wagner et al. 2024, Explaining deep learning for
#   ECG analysis, [doi:10.48550/arXiv.2305.17043](https://doi.org/10.48550/arXiv.2305.17043)
# - What a network for atrial fibrillation and left bundle branch block marks, by lead and by beat: Bender et al. 2022, Analysis
#   of a deep learning model for 12-lead ECG classification, [doi:10.48550/arXiv.2211.01738](https://doi.org/10.48550/arXiv.2211.01738)
# - Baselines other than a flat line, and what they change: [06 Can you trust it?](06_can_you_trust_it.ipynb)

# %% [markdown]
# ## References
#
# 1. Surawicz et al. 2009, AHA/ACCF/HRS recommendations for the standardization and interpretation of the
#    electrocardiogram, part III, [doi:10.1161/CIRCULATIONAHA.108.191095](https://doi.org/10.1161/CIRCULATIONAHA.108.191095)
# 2. Simonyan, Vedaldi, Zisserman 2014, Deep inside convolutional networks, [arXiv:1312.6034](https://arxiv.org/abs/1312.6034)
# 3. Bach et al. 2015, On pixel-wise explanations for non-linear classifier decisions by layer-wise relevance propagation,
#    [doi:10.1371/journal.pone.0130140](https://doi.org/10.1371/journal.pone.0130140)
# 4. Gumpfer et al. 2023, SIGNed explanations, [doi:10.1016/j.inffus.2023.101883](https://doi.org/10.1016/j.inffus.2023.101883)
# 5. Sundararajan, Taly, Yan 2017, Axiomatic attribution for deep networks, [arXiv:1703.01365](https://arxiv.org/abs/1703.01365)
