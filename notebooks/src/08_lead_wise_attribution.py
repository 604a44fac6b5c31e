# %% [markdown]
# # 08 Lead-wise attribution
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
# **Before:** notebooks 06 and 07. **Teaching, not diagnosis:** nothing here may be used to decide about a patient.

# %% imports
import warnings
from textwrap import fill

import matplotlib.pyplot as plt
import torch

import ecgxai
from ecgxai.attribution import MethodWarning, caveat
from ecgxai.comparison import COMPARISON, explain_all, title_of
from ecgxai.plotting import number, plot_ecg, plot_grid, plot_lead_bars

# %% [markdown]
# ## 1 A recording and a network
#
# The network looks for a left bundle branch block (LBBB). Real recordings and published weights are used where they have
# been downloaded, simulated recordings and embedded weights where not; the lines below say which.

# %% load
name, info = next(iter(ecgxai.records("LBBB").items()))
ecg = ecgxai.load_record(name).preprocess().window()
model = ecgxai.load_ecg_model("LBBB")
print(f"record {info.title} [{info.origin}]")
print(f"p(LBBB) = {float(model.probability(ecg.tensor())):.3f}")

# %% [markdown]
# In LBBB the left ventricle is activated late, through muscle instead of the conduction system. The QRS complex is broad
# (at least 120 ms), mostly negative in V1, and broad, often notched and positive in I, aVL, V5 and V6 [1].
#
# **Think first.** Which leads and which wave should a map point to, if the network uses what a cardiologist uses?

# %% the recording
plot_ecg(ecg, title=f"{info.title}: what the network sees")

# %% [markdown]
# ## 2 The first map
#
# The **gradient** of the explained logit $f_c$ answers: which samples, if raised by a little, would raise the logit most
# [2]? It has the same shape as the input.
#
# $$R = \frac{\partial f_c}{\partial x} \in \mathbb{R}^{12 \times 2000}$$

# %% gradient
x = ecg.tensor()
relevance = ecgxai.attribute(model, x, "gradient", target=1)
print(tuple(x.shape), "->", tuple(relevance.shape))
plot_ecg(ecg, relevance, title="Gradient of the LBBB logit", label="R, logit per mV")

# %% [markdown]
# Orange raises the logit, blue lowers it. The gradient is large where the network is *sensitive*, which is not the same as
# where the evidence lies: a flat stretch can be sensitive too.
#
# **Layer-wise relevance propagation** (LRP) asks a different question: how much did each sample *contribute* to the logit
# [3]? It hands the logit back layer by layer, each layer sharing it out in proportion to what its inputs contributed:
#
# $$R_j = \sum_k \frac{a_j w_{jk}}{z_k + \epsilon \operatorname{sign}(z_k)} R_k, \qquad z_k = \sum_j a_j w_{jk} + b_k$$

# %% lrp
lrp = ecgxai.attribute(model, x, "lrp_epsilon", target=1, epsilon=0.1)
plot_ecg(ecg, lrp, title="LRP-ε of the LBBB logit", label="R, share of the logit")

# %% [markdown]
# Which leads carry it? The bars add up the positive and the negative relevance of each lead.

# %% lead bars
plot_lead_bars(lrp, title="LRP-ε: share of the relevance by lead")

# %% [markdown]
# ## 3 All methods side by side
#
# `METHODS` holds one row for each method: its function, its parameters with their ranges, its formula, its source. The
# names of the SIGN-XAI package [4] are understood as well: `lrpsign_epsilon_0_25_std_x` is LRP with
# $\epsilon = 0.25\,\sigma(a)$ and the SIGN rule in the first layer.

# %% methods table
for family in ("gradient", "cam", "perturbation", "LRP", "control"):
    names = [method for method, row in ecgxai.METHODS.items() if row.family == family]
    print(fill(f"{family} ({len(names)}): {', '.join(names)}", 96, subsequent_indent="    "))

# %% comparison
maps = explain_all(model, ecg, COMPARISON)
notes = {title_of(method): f"sum {number(float(relevance.sum()))}" for method, relevance in maps.items()}
logit = float(model(x)[1].detach())
plot_grid(
    ecg,
    {title_of(method): relevance for method, relevance in maps.items()},
    leads=("I", "II", "V1", "V6"),
    notes=notes,
    title=f"{model.pathology} model, explained logit {logit:.2f}",
)

# %% [markdown]
# Look down one column. Some pairs of methods agree on the QRS complex and disagree on its sign; some put their weight
# between the beats; the last row, a **random map**, is what no information looks like. All maps have been checked against
# the authors' own software on real recordings; they differ because they ask different questions, not by mistake.
#
# Thin single lines in the αβ rows are an artefact of their own: where a bias opposes the positive part, a denominator comes
# near zero, and one sample gets most of the relevance.
#
# The **sum** is a first test, for the methods that share out the logit (a Grad-CAM is scaled to its maximum; its sum means
# nothing). LRP without bias terms would hand back exactly the logit. With biases a part of the
# relevance stays in them, and a large $\epsilon$ absorbs some more.

# %% [markdown]
# ## 4 Four ways to misread a map
#
# **The class.** A map explains one logit. The map of the other class is not simply its negative.

# %% target
healthy = ecgxai.attribute(model, x, "lrp_epsilon", target=0)
agreement = torch.corrcoef(torch.stack([lrp.flatten(), healthy.flatten()]))[0, 1]
print(f"correlation between the maps for 'pathology' and 'no finding': {float(agreement):.2f}")
plot_grid(ecg, {"pathology": lrp, "no finding": healthy}, leads=("I", "V1", "V6"), title="LRP-ε of the two logits")

# %% [markdown]
# **The normalisation.** Per record, the strongest sample of all leads sets the scale. Per lead, every lead gets a strongest
# sample, and a lead that hardly matters looks as busy as the one that decides.

# %% normalised per record
plot_ecg(ecg, lrp, normalise="record", columns=4, stop=2, title="Normalised per record: leads compare")

# %% normalised per lead
plot_ecg(ecg, lrp, normalise="lead", columns=4, stop=2, title="Normalised per lead: leads do not compare")

# %% [markdown]
# **The threshold.** Hiding weak relevance makes a map look decided. Here a quarter of the maximum is enough to remove most
# of it.

# %% threshold
kept = (lrp.abs() >= 0.25 * lrp.abs().max()).float().mean()
share = lrp.abs()[lrp.abs() >= 0.25 * lrp.abs().max()].sum() / lrp.abs().sum()
print(f"{float(kept):.1%} of the samples stay; they hold {float(share):.0%} of the absolute relevance")
plot_ecg(ecg, lrp, threshold=0.25, columns=4, stop=2, title="Only what exceeds 25 % of the maximum, first 2 s")

# %% [markdown]
# **The method.** Some methods lose their meaning on some networks. `attribute` warns then, and `caveat` says why.

# %% caveats
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always", MethodWarning)
    ecgxai.attribute(model, x, "guided_backprop", target=1)
print("warning:", caught[0].message, "\n")
for method in ecgxai.METHODS:
    if caveat(method, model):
        print(f"{method:16s} {caveat(method, model)}")

# %% [markdown]
# ## 5 The weight of small voltages
#
# Many methods end with *times input*. That hides what happens at small voltages: a sample at 0 mV gets relevance 0, however
# much the network depends on it. **SIGN** multiplies by the sign of the input instead of its value [4]:
#
# $$R = \operatorname{sign}_\mu(x) \odot \frac{\partial f_c}{\partial x}, \qquad
# \operatorname{sign}_\mu(x) = +1 \text{ if } x \ge \mu \text{ else } -1$$

# %% sign
small = x.abs() < 0.05


def share_at_small_voltages(method):
    """Share of the absolute relevance on samples within 0.05 mV of the zero line."""
    relevance = ecgxai.attribute(model, x, method, target=1).abs()
    return float(relevance[small].sum() / relevance.sum())


print(f"{float(small.float().mean()):.0%} of all samples lie within 0.05 mV of the zero line. They get")
for method in ("gradient_x_input", "gradient_x_sign", "lrp_z", "lrpsign_z"):
    print(f"  {share_at_small_voltages(method):4.0%} of the absolute relevance under {method}")

# %% [markdown]
# ## 6 A flaw to recognise: the class that changes on the way
#
# **Integrated gradients** averages the gradient along the straight path from a baseline $x'$ to the recording [5]:
#
# $$R = (x - x') \odot \int_0^1 \frac{\partial f_c}{\partial x}\big(x' + \alpha (x - x')\big)\, d\alpha$$
#
# The class $c$ is fixed. A published implementation explains, at each point of the path, whichever class is largest
# *there*. Where the decision flips on the way, it averages gradients of two different logits.
#
# **Think first.** The usual baseline is a flat line. What does the network say to a flat line?

# %% the path
alphas = torch.linspace(0, 1, 50)
fig, axis = plt.subplots(figsize=(7, 3.2), layout="constrained")
for pathology in ("AVB", "ISCH", "LBBB", "RBBB"):
    candidates = ecgxai.records(pathology)
    recording = ecgxai.load_record(next(iter(candidates))).preprocess().window()
    network = ecgxai.load_ecg_model(pathology, verbose=False)
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
fixed = ecgxai.attribute(model, x, "integrated_gradients", target=1)
flawed = ecgxai.attribute(model, x, "integrated_gradients", target=1, reselect_target=True)
agreement = torch.corrcoef(torch.stack([fixed.flatten(), flawed.flatten()]))[0, 1]
print(f"correlation of the two maps: {float(agreement):.2f}")
print(f"sum, fixed class:      {float(fixed.sum()):7.2f}")
print(f"sum, reselected class: {float(flawed.sum()):7.2f}")
with torch.no_grad():
    difference = model(x)[1] - model(torch.zeros_like(x))[1]
print(f"logit(recording) - logit(flat line) = {float(difference):.2f}")
plot_grid(
    ecg, {"fixed class": fixed, "reselected class": flawed}, leads=("I", "V1", "V6"), title="Integrated gradients"
)

# %% [markdown]
# Completeness tells them apart: the sum of the correct map is the difference of the two logits, up to the error of 50 steps,
# and the flawed one misses it as soon as the class changes on the way. On the published models and recordings the two maps correlate by -0.87 (AV
# block, 03509) and -0.53 (LBBB, 14493): they say the opposite. The course's tests reproduce the published maps with
# `reselect_target=True`, and nothing else.

# %% [markdown]
# ## 7 Explore
#
# Choose a recording, a model, a method. The sliders below the first block belong to the chosen method: they are made from
# its row in `METHODS`. The line above the picture holds the call that makes the map.

# %% explorer
from ecgxai.explorers import ECGExplorer

explorer = ECGExplorer(model="LBBB", method="lrp_epsilon_std_x")
explorer

# %% [markdown]
# ## 8 Which map is right?
#
# For a real recording nobody can say: no ECG comes with its causes. A simulated one does. The hatched line marks the
# samples in which this LBBB differs from the same patient's normal beat; nothing else made it one.

# %% ground truth
simulated = ecgxai.simulate_ecg("LBBB", seed=8).preprocess().window()
found = ecgxai.attribute(model, simulated.tensor(), "lrp_epsilon", target=1)
plot_ecg(
    simulated,
    found,
    mask=simulated.causal_mask,
    leads=["I", "II", "V1", "V2", "V5", "V6"],
    title="LRP-ε and the known cause",
)

# %% inside the cause
mask = torch.tensor(simulated.causal_mask)
print(f"the cause covers {float(mask.float().mean()):.0%} of all samples; of the positive relevance it holds")
for method in (
    "random",
    "gradient_x_input",
    "gradient_x_sign",
    "integrated_gradients",
    "lrp_epsilon",
    "lrp_alpha_1_beta_0",
):
    positive = ecgxai.attribute(model, simulated.tensor(), method, target=1).clamp(min=0)
    print(f"  {float(positive[mask].sum() / positive.sum()):4.0%}  {title_of(method)}")

# %% [markdown]
# The random map lands at the share of the area, as it must. What lies above it has found something; what lies below it points
# elsewhere. One recording is an anecdote; a later notebook will measure this over many patients.

# %% [markdown]
# ## Exercises
#
# 1. **Predict, then look.** Will the map of the RBBB model on a right bundle branch block favour V1 or V6? Write down why
#    (`HeartVector` in notebook 06 shows what changes), then use the explorer.
# 2. **Write code.** Compute the share of $|R|$ that lies in V1 to V6 for three methods of your choice.
# 3. **Find the bug.** A colleague shows a Grad-CAM of a 12-lead ECG and concludes that aVR is as important as V1. What is
#    wrong?
# 4. **Interpret.** Raise `epsilon` from 0.001 to 10. Which parts of the map vanish first, and what happens to the sum?

# %% [markdown]
# ## Take away
#
# - A map explains one logit of one network; name both, and the method with its parameters.
# - Sensitivity (gradient), contribution (LRP, integrated gradients) and necessity (occlusion) are different questions.
# - Per-record normalisation compares leads. Per-lead normalisation does not.
# - Sums are tests: integrated gradients must sum to a difference of logits, LRP nearly to the logit.
# - Grad-CAM has no lead information; guided backpropagation on a network without ReLU is the gradient.
#
# ## References
#
# 1. Surawicz et al. 2009, AHA/ACCF/HRS recommendations for the standardization and interpretation of the
#    electrocardiogram, part III, [doi:10.1161/CIRCULATIONAHA.108.191095](https://doi.org/10.1161/CIRCULATIONAHA.108.191095)
# 2. Simonyan, Vedaldi, Zisserman 2014, Deep inside convolutional networks, [arXiv:1312.6034](https://arxiv.org/abs/1312.6034)
# 3. Bach et al. 2015, On pixel-wise explanations for non-linear classifier decisions by layer-wise relevance propagation,
#    [doi:10.1371/journal.pone.0130140](https://doi.org/10.1371/journal.pone.0130140)
# 4. Gumpfer et al. 2023, SIGNed explanations, [doi:10.1016/j.inffus.2023.101883](https://doi.org/10.1016/j.inffus.2023.101883)
# 5. Sundararajan, Taly, Yan 2017, Axiomatic attribution for deep networks, [arXiv:1703.01365](https://arxiv.org/abs/1703.01365)
