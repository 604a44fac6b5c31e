# %% [markdown]
# # 13 Your own network
#
# After a course people have a network of their own: eight leads, 100 Hz, many labels, skip connections or attention. This
# notebook brings two such networks, lets the course's methods at them, and asks three times whether to believe what comes out.
#
# **You will be able to**
#
# - say in ten lines what a network takes and means, and have it explained, saved and shown in every menu,
# - read a refusal, and know what is answered instead,
# - take completeness and conservation as receipts, and say what a receipt does not prove,
# - compare the maps of two architectures, with interventions as judge, and attention with relevance,
# - test a map that somebody else has made.
#
# **Before:** notebooks 04, 09 and 10. **Teaching, not diagnosis:** nothing here may be used to decide about a patient.

# %% imports
import tempfile
import warnings
from functools import partial
from pathlib import Path
from textwrap import fill

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn

import leadwise
from leadwise.attribution import MethodWarning, receipt
from leadwise.checks import own_network as check
from leadwise.explorers import ECGExplorer, ECGNetworkExplorer
from leadwise.networks.xresnet1d import Block
from leadwise.plotting import percent, plot_ecg, plot_grid
from leadwise.semantics import contrast, describe, interventions, lead_wave_matrix, misplaced, parts_of, waves_of

warnings.simplefilter("ignore", MethodWarning)  # sections 2 and 3 ask for what is said

# %% [markdown]
# ## 1 Ten lines
#
# The network is an **xresnet1d**, the architecture that did best on the public collection PTB-XL [1], here small and trained on
# simulated patients (`training/architectures.py`). PyTorch knows it as a module that takes numbers. That its rows are eight
# leads, 10 ms apart, that it gives five logits, and that these are labels which may stand together, no module says. A `Network`
# does.

# %% ten lines
module = leadwise.NETWORKS["xresnet1d"].module  # yours: any trained torch.nn.Module
net = leadwise.Network(
    module,
    leads=("I", "II", "V1", "V2", "V3", "V4", "V5", "V6"),
    fs=100,
    samples=1000,
    classes=("AVB", "ISCH", "LBBB", "RBBB", "AF"),
    outputs="labels",
    criteria={"LBBB": "LBBB"},
)
ecg = leadwise.simulate_ecg("LBBB", seed=4_000_000)  # or leadwise.read_ecg("export.dcm")
x, lbbb = net.input(ecg), net.index("LBBB")
relevance = leadwise.attribute(net, x, "lrp_epsilon", target=lbbb)
print(net)
print({name: round(float(p), 3) for name, p in zip(net.classes, net.probability(x)[0], strict=True)})

# %% [markdown]
# `outputs` is `"labels"` (each logit by itself: sigmoid), `"classes"` (they exclude each other: softmax) or `"probabilities"`.
# `layout` names the axes: `"NCT"` (N, leads, T), `"NTC"` (N, T, leads) or `"N1CT"` (N, 1, leads, T). `pick` says where the logits
# are if the module returns more than them: an index, a key, a function. `preprocess` is `None`, `"published"`, or a function of
# a recording. `input` does the rest: it chooses the leads, resamples, cuts.

# %% the map
whole = net.recording(ecg)
plot_ecg(whole, net.on_recording(relevance, whole), leads=net.leads, stop=4, title="An xresnet1d on eight leads")

# %% [markdown]
# From here on everything in the course takes it: tables and sentences, cohorts, reports, explorers. Put into `NETWORKS`, it
# stands in every menu. Saved, it is two files: weights without code, and a card that says the rest.

# %% everything else
matrix = lead_wave_matrix(net.by_leads(relevance)[0], waves_of(ecg, fs=net.fs), net.leads)
print(fill(describe(matrix), 96))
with tempfile.TemporaryDirectory() as folder:
    net.save(Path(folder) / "mine")
    again = leadwise.Network.load(Path(folder) / "mine")
print("read back, it answers the same:", torch.equal(again.probability(x), net.probability(x)))
leadwise.NETWORKS["mine"] = net
ECGExplorer("sim-lbbb-1", model="mine", method="lrp_epsilon")

# %% [markdown]
# What the channels of its layers do in time:

# %% layers
ECGNetworkExplorer("sim-lbbb-1", model="xresnet1d")

# %% [markdown]
# ## 2 What is refused, and what is not
#
# A description can be wrong, and a method can have no answer. A map would come out all the same, if nobody looked.
#
# > **Think first.** Which of these would you notice by yourself: a lead too few, a class too few, labels taken for
# > probabilities, 5 s of signal instead of 10, a branch of the network that a method does not know?

# %% think first 1
check.think_first("what you would notice")


# %% requests
class Spectrum(nn.Module):
    """The xresnet1d's logits, and a branch that reads frequencies."""

    def __init__(self):
        super().__init__()
        self.body, self.head = module, nn.Linear(501, 5)

    def forward(self, x):
        return self.body(x) + self.head(torch.fft.rfft(x).abs().mean(1))


means = {"leads": net.leads, "fs": 100, "samples": 1000}
former = leadwise.NETWORKS["transformer"]
requests = {
    "seven leads": lambda: leadwise.Network(module, **means | {"leads": net.leads[:7]}),
    "four classes": lambda: leadwise.Network(module, **means, classes=net.classes[:4]),
    "logits, said to be probabilities": lambda: leadwise.Network(module, **means, outputs="probabilities"),
    "five logits, no word on them": lambda: leadwise.Network(module, **means).probability(x),
    "5 s of signal": lambda: net.input(leadwise.simulate_ecg("NORM", 1, seconds=5)),
    "LRP of a spectrum": lambda: leadwise.attribute(Spectrum(), x, "lrp_epsilon", target=lbbb),
    "Grad-CAM of a transformer": lambda: leadwise.attribute(former, x, "grad_cam", target=lbbb),
}

# %% refusals
for name, request in requests.items():
    try:
        request()
        print(f"{name}: answered")
    except ValueError as refusal:
        print(fill(f"{name}: {refusal}", 96, subsequent_indent="    "), "\n")

# %% [markdown]
# Each refusal names what came, what was expected and what to do. The spectrum is refused for a reason: LRP has no rule for
# complex numbers, and without a word the map would be that of the other branch alone. Methods that need only gradients or
# logits still answer.
#
# Other things are set right instead. A network left in **training mode** drops units at random and takes the batch's mean for
# that of all patients:

# %% training mode
torch.manual_seed(0)
module.train()
with torch.no_grad():
    own = [float(torch.sigmoid(module(torch.cat([x, 0 * x])))[0, lbbb]) for _ in range(3)]
asked = float(net.probability(torch.cat([x, 0 * x]))[0, lbbb])
module.eval()
print("the module in training mode, asked three times beside a flat line:", [round(p, 3) for p in own])
print(f"the Network around it: {asked:.3f}")

# %% [markdown]
# ## 3 Receipts
#
# Some methods promise what their map adds up to, and `receipt` returns the map together with how well the promise was kept.
#
# - **Completeness**: integrated gradients and DeepLIFT sum to the change of the score from the reference to the recording.
# - **Conservation**: in LRP the score is what reaches the input, plus what biases keep, plus what $\epsilon$ absorbs.

# %% receipts
maps = {}
for method, how in {
    "integrated_gradients": {"steps": 20},
    "integrated_gradients ": {"steps": 200},
    "deeplift": {},
    "lrp_epsilon": {"epsilon": 1e-6},
    "lrp_epsilon ": {"epsilon": 0.1},
    "gradient": {},
}.items():
    maps[method] = receipt(net, x, method.strip(), target=lbbb, progress=False, **how)
    print(fill(f"{how} {maps[method].sentence}", 96, subsequent_indent="    "))

# %% [markdown]
# Where does the score go as $\epsilon$ grows? Biases keep much of it here, for every normalisation holds one.

# %% ledger
epsilons = 10.0 ** np.arange(-6, 1.1)
found = [receipt(net, x, "lrp_epsilon", target=lbbb, epsilon=epsilon) for epsilon in epsilons]
score = float(found[0].explained.sum())
fig, axis = plt.subplots(figsize=(7, 3.2), layout="constrained")
for label, values, marker in (
    ("reaches the input", [float(r.conserved.sum()) for r in found], "o"),
    ("stays with biases", [r.bias for r in found], "s"),
    ("is absorbed by ε", [r.absorbed for r in found], "^"),
):
    axis.plot(epsilons, np.array(values) / score, marker=marker, label=label)
axis.axhline(1, color="grey", linewidth=0.8, linestyle="--")
axis.set(xscale="log", xlabel="ε", ylabel="share of the LBBB logit")
axis.legend(frameon=False)
plt.show()

# %% [markdown]
# The three always add up to 1, the dashed line. A receipt that closes says that nothing was lost on the way. It doesn't say
# that the relevance went to the right place:

# %% closed, and useless
twin = net.input(ecg.swap())  # the same patient without the block
for name, one in {"xresnet1d": net, "transformer": former}.items():
    closed = receipt(one, x, "deeplift", target=lbbb, baseline=twin)
    total = float(closed.relevance.abs().sum() / closed.relevance.sum().abs())
    print(f"{name:12s}{closed.sentence}\n{'':12s}Σ|R| is {total:.3g} times the sum")

# %% [markdown]
# On the transformer the promise is kept as well, by parts that are hundreds of times larger than their sum and cancel. DeepLIFT
# divides differences by differences, and behind a softmax or a normalisation these can be nearly nothing. The receipt says so
# beyond a factor of 100.

# %% [markdown]
# ## 4 Two architectures, the same patients
#
# The **transformer** [2] cuts the recording into 100 pieces of 100 ms and lets each look at every other. Both networks answer
# alike. Do they look at the same?
#
# > **Think first.** The maps of two networks that are both right: will they correlate, sample by sample, at 0.9, 0.5 or 0.1?

# %% think first 2
check.think_first("two right networks")


# %% patients
def patients(condition, count=6):
    """Inputs (N, 8, 1000) of simulated patients and of their twins, and the parts of their beats."""
    made = [leadwise.simulate_ecg(condition, seed) for seed in range(4_000_000, 4_000_000 + count)]
    ill, well = (torch.cat([net.input(one) for one in group]) for group in (made, [one.swap() for one in made]))
    return ill, well, parts_of([waves_of(one, fs=100) for one in made], 1000, fs=100, rows=net.leads)


ill, well, parts = patients("LBBB")
networks = {"xresnet1d": net, "transformer": former}
differ = partial(contrast, method="integrated_gradients", steps=50, progress=False)  # what makes ill differ from well
both = {name: differ(one, ill, well, target=lbbb) for name, one in networks.items()}
for name, one in networks.items():
    p = [float(one.probability(group)[:, lbbb].mean()) for group in (ill, well)]
    print(f"{name:12s}mean p(LBBB): ill {p[0]:.3f}, their twins {p[1]:.3f}")
alike = [
    float(torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1]) for a, b in zip(*both.values(), strict=True)
]
print(f"correlation of the two maps of a patient: {min(alike):.2f} to {max(alike):.2f}")

# %% two maps
plot_grid(
    whole,
    {name: net.on_recording(found[0], whole) for name, found in both.items()},
    leads=("I", "V1", "V6"),
    stop=3,
    title="Ill against twin, one patient",
)

# %% [markdown]
# Sample by sample the maps have little in common: one is made of single samples, the other of pieces of 100 ms. Yet that is not
# the question. Do they name the same **waves**? And is it true? The judge is the network itself: exchange a wave with the
# healthy twin's, and see what the score does (notebook 10).

# %% the judge
effects = {name: interventions(one, ill, well, parts, lbbb, progress=False) for name, one in networks.items()}
print(f"{'share of the change':34s}" + "".join(f"{part:>9s}" for part in parts.names) + "  misplaced")
for name, effect in effects.items():
    sums = parts.sums(both[name])
    for title, shares, wrong in (
        ("the network", effect.shares(), ""),
        ("its map", sums.sum(0) / sums.sum(), f"{misplaced(sums.sum(0), effect.shapley.sum(0)):.2f}"),
    ):
        print(f"{name:12s}{title:22s}" + "".join(f"{percent(share):>9s}" for share in shares) + f"{wrong:>11s}")

# %% [markdown]
# Both networks use the QRS complex most, which defines the block, and the transformer takes more from ST and T. The maps say so too,
# each of its own network, within the error in the last column: the share that lies in a wrong part, small for one network and
# larger for the other. Two maps that differ may thus both be right, about two networks. Not every method stands the test on both:

# %% other methods
print(f"{'misplaced, LBBB':24s}" + "".join(f"{name:>14s}" for name in networks))
for method in ("deeplift", "lrp_epsilon", "gradient_x_input", "random"):
    row = []
    for name, one in networks.items():
        sums = parts.sums(contrast(one, ill, well, method, lbbb, progress=False)).sum(0)
        row.append(float(misplaced(sums, effects[name].shapley.sum(0))))
    print(f"{method:24s}" + "".join(f"{value:14.2f}" for value in row))

# %% [markdown]
# What holds for one architecture, one condition and six patients, holds for these. With your own network, run it again.

# %% [markdown]
# ## 5 Attention against relevance
#
# A transformer seems to explain itself: each encoder has weights that say how much each piece looks at each other, rows that sum
# to 1. They are often shown as explanations, and whether they may be is disputed: attention weights were found unrelated to
# gradients and replaceable [3], and the test was found too easy [4]. **Rollout** multiplies the weights of all layers, with the
# skip connections [5]. The judge again: replace one piece by the twin's, and note the fall of the logit.
#
# > **Think first.** Attention weights are never negative, and there is one set for all five labels. Which questions can they
# > therefore not answer?

# %% think first 3
check.think_first("what attention cannot answer")


# %% per piece
def per_piece(relevance):
    """Sum a map (1, 8, 1000) over leads and pieces: (100,)."""
    return relevance.reshape(8, 100, 10).sum((0, 2))


def falls(x, twin, target):
    """Fall of the logit when a piece becomes the twin's, (100,)."""
    mixed = x.repeat(100, 1, 1)
    for piece in range(100):
        mixed[piece, :, 10 * piece : 10 * piece + 10] = twin[0, :, 10 * piece : 10 * piece + 10]
    with torch.no_grad():
        return former.logits(x)[0, target] - former.logits(mixed)[:, target]


def rollout(layers):
    """Follow attention through the layers: how much the mean over pieces holds of each, (100,)."""
    flow = torch.eye(100)
    for weights in layers:
        flow = (weights[0].mean(0) + torch.eye(100)) / 2 @ flow
    return flow.mean(0)


# %% attention
table = {title: [] for title in ("attention, first encoder", "attention, last encoder", "rollout", "LRP-ε", "IG")}
for a, b, ig in zip(ill[:, None], well[:, None], both["transformer"], strict=True):
    layers, effect = former.module.attention(a), falls(a, b, lbbb)
    pieces = [layer.mean((0, 1, 2)) for layer in layers] + [rollout(layers)]
    pieces += [per_piece(contrast(former, a, b, "lrp_epsilon", lbbb)), per_piece(ig)]
    for title, values in zip(table, pieces, strict=True):
        table[title].append(float(np.corrcoef(values, effect)[0, 1]))
print("correlation with the fall of the logit, over 100 pieces: mean of six patients, and the range")
for title, values in table.items():
    print(f"   {title:26s}{np.mean(values):5.2f}   ({min(values):.2f} to {max(values):.2f})")

# %% attention and effect
time = np.arange(100) * 0.1
fig, axes = plt.subplots(4, 1, figsize=(8, 5), sharex=True, layout="constrained")
axes[0].plot(np.arange(1000) / 100, b[0, 2], color="grey", linewidth=0.8, label="twin")
axes[0].plot(np.arange(1000) / 100, a[0, 2], color="black", linewidth=0.8, label="ill")
axes[0].set_ylabel("V1, mV")
axes[0].set_ylim(-2, 1.6)
axes[0].legend(frameon=False, ncols=2, loc="upper right")
for axis, (title, values) in zip(
    axes[1:], {"attention": pieces[1], "relevance (IG)": pieces[4], "fall of logit": effect}.items(), strict=True
):
    axis.bar(time, values, width=0.1, align="edge", color="#0072b2")
    axis.set_ylabel(title)
axes[-1].set(xlabel="time, s", xlim=(0, 10))
fig.align_ylabels()
plt.show()

# %% [markdown]
# Attention says where a layer takes something from. It does not say what for: all labels share it, it has no sign, and what is
# looked at may be multiplied by nothing afterwards. Here it hardly follows what the network does about LBBB. Integrated gradients
# follow best. LRP-ε, whose sums over waves were right, is hardly better than rollout piece by piece: a map can be right by the
# wave and wrong by the tenth of a second.

# %% [markdown]
# ## 6 Reading other people's maps
#
# Much published LRP was computed with hooks on modules, by zennit [6] or its like. Section 2 of
# [Appendix A4](A4_rules_in_depth.ipynb) shows what a hook can't see: the `+` of a skip connection. The xresnet1d has eight.
# zennit's remedy is a **canoniser** that puts a module where the `+` was; for this network somebody has to write it.


# %% a canoniser
from zennit.attribution import Gradient
from zennit.canonizers import AttributeCanonizer
from zennit.composites import LayerMapComposite
from zennit.layer import Sum
from zennit.rules import Epsilon, Norm, Pass
from zennit.types import Activation, AvgPool, BatchNorm, Linear


def joined(block, x):
    """The forward pass of a block with its two branches joined by a module."""
    return block.act(block.join(torch.stack([block.convpath(x), block.idpath(x)], -1)))


class Joined(AttributeCanonizer):
    """Gives each block of an xresnet1d a module where its + was."""

    def __init__(self):
        super().__init__(lambda _, m: {"forward": joined.__get__(m), "join": Sum()} if isinstance(m, Block) else None)


# %% hooks
def by_hooks(epsilon, canonizers):
    """LRP-ε of the LBBB logit by zennit."""
    rule = Epsilon(epsilon)
    rules = [(Linear, rule), (BatchNorm, rule), (Activation, Pass()), (AvgPool, Norm()), (Sum, Norm())]
    start = nn.functional.one_hot(torch.tensor([lbbb]), 5) * net.logits(x).detach()
    with Gradient(module, LayerMapComposite(rules, canonizers=canonizers)) as attributor:
        return attributor(x, start)[1].detach()


logit = float(net.logits(x)[0, lbbb].detach())
print(f"{'sum of the map / logit':28s}{'no canoniser':>14s}{'canoniser':>12s}{'leadwise':>10s}")
for epsilon in (0.1, 1e-6):
    ours = leadwise.attribute(net, x, "lrp_epsilon", target=lbbb, epsilon=epsilon)
    three = [by_hooks(epsilon, []), by_hooks(epsilon, [Joined()]), ours]
    shares = [float(one.sum()) / logit for one in three]
    print(f"ε = {epsilon:<24g}{shares[0]:14.3g}{shares[1]:12.3g}{shares[2]:10.3g}")
    same = [float(torch.corrcoef(torch.stack([one.flatten(), ours.flatten()]))[0, 1]) for one in three]
    print(f"{'  correlation with ours':28s}{same[0]:14.4f}{same[1]:12.4f}{same[2]:10.4f}")

# %% [markdown]
# Without a canoniser nothing fails: a map comes out, looks like any other once it is scaled to its maximum, and is wrong by
# orders of magnitude, because each `+` hands on everything twice. With it, and a small $\epsilon$, two programs that share no
# line give one map. At $\epsilon = 0.1$ they differ, each by its own definition: zennit stabilises a convolution and its normalisation one
# after the other, the course takes both as one linear operation.
#
# So ask of a map you are shown: **which score** (logit, log-odds, which class)? **What does it sum to**, and what was promised?
# **Which rules** where (skip connections, normalisations)? In **evaluation mode**? And who was the judge?

# %% [markdown]
# ## Exercises
#
# Each cell holds the names that its check asks for. Solutions are in `solutions/13_your_own_network.ipynb`.
#
# **1 Write code.** A colleague's module `stranger` comes with a note: *"Input (N, T, leads): V1, II, V5 in this order, 4 s at
# 250 Hz. Returns a dict; under `scores` two numbers, sinus rhythm and AF, which exclude each other."* Make `mine`, the `Network`
# that says all this.

# %% a stranger
stranger = check.stranger()

# %% exercise 1 tags=["solution"] answers=["mine"]
# Exercise 1: mine = leadwise.Network(stranger, ...), with everything that the note says.
mine = leadwise.Network(
    stranger,
    leads=("V1", "II", "V5"),
    fs=250,
    samples=1000,
    classes=("sinus rhythm", "AF"),
    outputs="classes",
    layout="NTC",
    pick="scores",
)
print(mine)

# %% check 1
check.described(mine, module=stranger)

# %% [markdown]
# **2 Predict, then try.** Which of these are refused? Write their letters into `predicted`, and run the check: it keeps your
# prediction, and never marks it. Then try, and make `answers`, a dict from letter to `"answered"` or `"refused"`.
#
# - **a** `net.input` of a recording of 10 s at 500 Hz
# - **b** `net.input` of a recording of 8 s
# - **c** `net.probability` after `module.train()`
# - **d** the log-odds of a network of three logits whose `outputs` nobody has said
# - **e** integrated gradients of `Spectrum()`
# - **f** LRP-ε of `Spectrum()`

# %% exercise 2 tags=["solution"] answers=["predicted", "answers"]
# Exercise 2: predicted, such as "a, e"; answers = {"a": ..., "b": ..., "c": ..., "d": ..., "e": ..., "f": ...}
predicted = "b, d, f"
answers = dict.fromkeys("ace", "answered") | dict.fromkeys("bdf", "refused")
# a is resampled, c is asked as in evaluation, e needs gradients only. b has no last two seconds, d no meaning, f no rule.

# %% check 2
check.refused_or_not(predicted, answers)

# %% [markdown]
# **3 Interpret a receipt.** By how much do integrated gradients of the transformer's LBBB logit for `x`, from a flat line, miss the
# change of the logit? Make `missed`, a dict from `steps` = 5, 15, 50 and 150 to the `completeness` of the receipt, and
# `enough`, the smallest of these with less than 2 %.

# %% exercise 3 tags=["solution"] answers=["missed", "enough"]
# Exercise 3: missed = {5: ..., 15: ..., 50: ..., 150: ...}; enough = one of these numbers.
missed = {
    steps: receipt(former, x, "integrated_gradients", target=lbbb, steps=steps, progress=False).completeness
    for steps in (5, 15, 50, 150)
}
print({steps: percent(value) for steps, value in missed.items()})
enough = min(steps for steps, value in missed.items() if value < 0.02)

# %% check 3
check.steps_enough(missed, enough, network=former, x=x)

# %% [markdown]
# **4 Judge.** For right bundle branch blocks, whose map is nearest to what an exchange shows? For each network and each of
# `lrp_epsilon`, `deeplift` and `gradient_x_input`, by `contrast` with its defaults, compute how much is `misplaced` (all patients
# together, as in section 4). Make `best`, a dict: network's name → method.

# %% right bundle branch blocks
ill_r, well_r, parts_r = patients("RBBB")
rbbb = net.index("RBBB")

# %% exercise 4 tags=["solution"] answers=["best"]
# Exercise 4: best = {"xresnet1d": ..., "transformer": ...} on ill_r, well_r and parts_r, for the class rbbb.
best = {}
for name, one in networks.items():
    shown = interventions(one, ill_r, well_r, parts_r, rbbb, progress=False).shapley.sum(0)
    scores = {
        method: float(misplaced(parts_r.sums(contrast(one, ill_r, well_r, method, rbbb, progress=False)).sum(0), shown))
        for method in ("lrp_epsilon", "deeplift", "gradient_x_input")
    }
    best[name] = min(scores, key=scores.get)
    print(name, {method: round(score, 2) for method, score in scores.items()})

# %% check 4
check.best_methods(best, networks=networks, cases=(ill_r, well_r, parts_r), target=rbbb)

# %% [markdown]
# **5 Write code.** Make a function `looked_at(attention)` that takes the weights of one encoder, (N, heads, P, P) with row = who
# looks and column = at whom, and returns (N, P): how much each piece is looked at, averaged over heads and over all who look.


# %% exercise 5 tags=["solution"] answers=["looked_at"]
# Exercise 5: looked_at(attention) -> (N, P)
def looked_at(attention):
    """Mean attention that each piece receives."""
    return attention.mean((1, 2))


# The mean over columns is 1/P for every row, whatever the network: rows sum to 1.

# %% check 5
check.looked_at(looked_at)

# %% [markdown]
# **6 Find the bug.** Four maps of `x`, each said to be LRP-ε with $\epsilon = 10^{-6}$ of the LBBB logit of `net`. One is. The others:
# made by `"hooks"` without a canoniser, of the `"other class"` AF, `"scaled"` to a maximum of 1. Make `flaws`, a dict: A, B, C, D →
# flaw, or `"none"`.

# %% other people's maps
suspects = check.other_peoples_maps(net, x, hooked=by_hooks(1e-6, []))
for name, found in suspects.items():
    print(f"{name}: largest |R| {float(found.abs().max()):.3g}")

# %% exercise 6 tags=["solution"] answers=["flaws"]
# Exercise 6: flaws = {"A": ..., "B": ..., "C": ..., "D": ...}
kept = receipt(net, x, "lrp_epsilon", target=lbbb, epsilon=1e-6)
print(f"logit {logit:.2f}, of which {float(kept.conserved.sum()):.2f} reach the input")
for name, found in suspects.items():
    same = float(np.corrcoef(found.flatten(), kept.relevance.flatten())[0, 1])
    print(f"{name}: sum {float(found.sum()):.3g}, correlation with our own map {same:.2f}")
flaws = {"A": "other class", "B": "scaled", "C": "hooks", "D": "none"}
# B correlates fully and sums to something else; A sums to about what AF has; C to nothing that anybody promised.

# %% check 6
check.peoples_flaws(flaws)

# %% think first answers [markdown] tags=["solution"]
# ## Think first: answers
#
# - **What you would notice:** Hardly any of them: most would give a number and a map. `Network` refuses the first two, and
#   the engine the last; labels taken for probabilities, and a window of the wrong length, are caught because the
#   description says what they should be.
# - **Two right networks:** Two networks that are both right may read different leads and different samples of the same
#   waves, so a correlation per sample says little. The table shows how far they agree, and the exchange of parts says where
#   both look.
# - **What attention cannot answer:** For or against: a weight has no sign. And which label: the same weights serve all
#   five.

# %% [markdown]
# ## Quiz

# %% quiz
check.quiz()

# %% progress
check.progress()

# %% [markdown]
# ## Take away
#
# - Say once what your network takes and means; what you leave out is asked for, not guessed.
# - A refusal is information. What has no rule is not explained by a part of it.
# - A receipt that closes proves that nothing was lost, not that it went to the right place.
# - Maps of two right networks may differ and both be true. An intervention says of which network each is.
# - Attention has no class and no sign; a map from elsewhere needs its score, its sum and its rules.
#
# ## Go further
#
# - Train it: `python training/architectures.py` makes an xresnet1d, Ribeiro's network and a transformer in minutes.
# - Many recordings with your own network: [10 From saliency to semantics](10_from_saliency_to_semantics.ipynb), cohorts.
# - Conservation in transformers, where normalisation and attention break it: Ali et al. 2022, XAI for transformers,
#   [arXiv:2202.07304](https://arxiv.org/abs/2202.07304)
#
# ## References
#
# 1. Strodthoff et al. 2021, Deep learning for ECG analysis: benchmarks and insights from PTB-XL,
#    [doi:10.1109/JBHI.2020.3022989](https://doi.org/10.1109/JBHI.2020.3022989)
# 2. Dosovitskiy et al. 2021, An image is worth 16x16 words, [arXiv:2010.11929](https://arxiv.org/abs/2010.11929)
# 3. Jain, Wallace 2019, Attention is not explanation, [arXiv:1902.10186](https://arxiv.org/abs/1902.10186)
# 4. Wiegreffe, Pinter 2019, Attention is not not explanation,
#    [doi:10.18653/v1/D19-1002](https://doi.org/10.18653/v1/D19-1002)
# 5. Abnar, Zuidema 2020, Quantifying attention flow in transformers,
#    [doi:10.18653/v1/2020.acl-main.385](https://doi.org/10.18653/v1/2020.acl-main.385)
# 6. Anders et al. 2021, Software for dataset-wide XAI: from local explanations to global insights with Zennit, CoRelAy, and
#    ViRelAy, [arXiv:2106.13200](https://arxiv.org/abs/2106.13200)
