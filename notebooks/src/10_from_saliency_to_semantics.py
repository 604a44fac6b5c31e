# %% [markdown]
# # 10 From saliency to semantics
#
# A heatmap shows where. A cardiologist speaks of leads and waves: "the QRS complex in V1". This notebook turns maps into
# such statements, with numbers, sets the [criteria of the diagnosis](../GLOSSARY.md#diagnostic-criterion) beside them, and
# then asks whether they are true.
#
# **You will be able to**
#
# - sum a map over leads and waves, and judge a share against the area that it lies on,
# - average relevance over beats,
# - write a sentence about a network that another person can check, and that is no diagnosis,
# - ask a network and its map the same question, and say whether they agree.
#
# **Before:** notebooks 07 to 09. **Teaching, not diagnosis:** nothing here may be used to decide about a patient.
#
# **Clinician's path:** from 09; whole. Next: 11.

# %% imports
import csv
import warnings
from functools import partial
from pathlib import Path
from textwrap import fill

import matplotlib.pyplot as plt
import numpy as np
import torch

import leadwise
from leadwise.attribution import MethodWarning
from leadwise.checks import semantics as check
from leadwise.comparison import title_of
from leadwise.ecg.leads import LEADS
from leadwise.evaluation import area_share, paired_differences, relevance_mass, student
from leadwise.paths import checkout
from leadwise.plotting import percent, plot_ecg, plot_matrix
from leadwise.semantics import WAVES, beat_average, lead_wave_matrix, wave_labels, waves_of

# %% networks
METHOD = "lrp_epsilon_std_x"
explain = partial(leadwise.attribute, explain="log-odds", progress=False)  # what the answer depends on, see notebook 09
PATHOLOGIES = ("AVB", "ISCH", "LBBB", "RBBB")
MODELS = {name: leadwise.load_ecg_model(name) for name in PATHOLOGIES}

# %% [markdown]
# ## 1 From a map to a matrix
#
# One recording with a left bundle branch block (LBBB), a real one where it has been downloaded, and the map of the log-odds of
# LBBB. The brackets below the leads are P, QRS and T.
#
# A simulated recording knows its waves. In any other they are found by [delineation](../GLOSSARY.md#delineation) (notebook 07),
# in the raw signal: the published filters bend the line around P and T.

# %% a map
name, info = next(iter(leadwise.records("LBBB").items()))
raw = leadwise.load_record(name)
ecg, waves = raw.preprocess().window(), waves_of(raw)
relevance = explain(MODELS["LBBB"], ecg.tensor(), METHOD, target=1)
print(f"{info.title} [{info.origin}], explained by {title_of(METHOD)}")
plot_ecg(ecg, relevance, waves=waves, columns=4, stop=2, title="Map of the log-odds of LBBB, first 2 s")

# %% [markdown]
# **Waves.** Each sample gets one of six labels: the three waves, the segments PR and ST between them, and the rest. Of a beat
# whose QRS lies before the recording no wave is known: what is left of it counts as rest.

# %% labels
labels = wave_labels(waves, ecg.samples)
shown = slice(0, 1000)
time, signal = ecg.time[shown], ecg.lead("V1")[shown]
fig, axis = plt.subplots(figsize=(9, 2.6), layout="constrained")
for i, (wave, colour) in enumerate(
    zip(WAVES, ("#7fb3d5", "#d6eaf8", "#e59866", "#fdebd0", "#82c99d", "white"), strict=True)
):
    axis.fill_between(
        time, 0, 1, where=labels[shown] == i, step="mid", color=colour, label=wave, transform=axis.get_xaxis_transform()
    )
axis.plot(time, signal, color="black", linewidth=1)
axis.set(xlabel="s", ylabel="V1, mV", xlim=(0, 2))
axis.legend(ncols=6, loc="upper center", bbox_to_anchor=(0.5, 1.25), frameon=False)
plt.show()
print(", ".join(f"{wave} {percent(np.mean(labels == i))}" for i, wave in enumerate(WAVES)), "of the time")

# %% [markdown]
# **Leads by waves.** With $W_{tw} = 1$ where sample $t$ has label $w$, the matrix of a map $R$ (12 leads × $T$ samples) is
#
# $$M = R\,W \in \mathbb{R}^{12 \times 6}, \qquad \sum M = \sum R$$
#
# It is kept twice, for the positive and the negative relevance. What is shown is a choice: *signed* lets both cancel,
# *absolute* adds them.

# %% signed
matrix = lead_wave_matrix(relevance, waves)
print(f"sum of the map {float(relevance.sum()):.4f}, of the matrix {matrix.sum().sum():.4f}")
matrix.plot("signed", title="Signed: for and against, cancelled")

# %% absolute
matrix.plot("absolute", title="Absolute: for and against, added")

# %% [markdown]
# A cell that is strong in the second table and pale in the first holds evidence for and against in turn. That may be the
# network, or the method: many maps alternate from sample to sample. Sums over a wave are steadier than samples.
#
# > **Think first.** A colleague says: "a third of the relevance lies between the beats, so the network looks at the baseline."
# > Which number would you ask for, and which map would you compare with?

# %% think first 1
check.think_first("a number and a map to compare with")

# %% [markdown]
# ### A share is worth nothing without its area
#
# Long parts collect more, by chance alone. The control is white noise.

# %% control
noise = explain(MODELS["LBBB"], ecg.tensor(), "random", target=1)
by_wave = {"the map": matrix.along(1), "a random map": lead_wave_matrix(noise, waves).along(1)}
print("share of the positive relevance".ljust(34) + "".join(f"{wave:>7s}" for wave in WAVES))
for title, table in by_wave.items():
    print(f"{title:34s}" + "".join(f"{percent(share):>7s}" for share in table.share()))
print(f"{'share of the time':34s}" + "".join(f"{percent(area):>7s}" for area in matrix.along(1).area))

# %% [markdown]
# The random map is the share of the time. What tells is the quotient, called **[lift](../GLOSSARY.md#lift)** here: 1 is
# chance, 3 is three times as much as an even spread would put there.
#
# $$\text{lift} = \frac{\text{share of the relevance}}{\text{share of the samples}}$$

# %% lift
matrix.plot("positive", lift=True, title="Lift: white is chance, orange more, blue less")

# %% [markdown]
# Ask for both. A high lift on a cell that holds 1 % is a curiosity; a high share with a lift of 1 is the area.

# %% ranked
for (lead, wave), share in matrix.ranked()[:6]:
    cell = LEADS.index(lead), WAVES.index(wave)
    print(f"{wave:4s} in {lead:4s}{percent(share):>6s}   lift {matrix.lift()[cell]:.1f}")

# %% [markdown]
# ## 2 One beat instead of all
#
# The heart repeats itself, so a map should as well. Beats are laid on top of each other at the R peak; mean and spread are
# taken over beats.

# %% beat average
beats = beat_average(relevance, waves, ecg)
beats.plot(title="Mean relevance of a beat")

# %% spread
beats.plot("spread", title="Where beats differ")

# %% how steady
chance = beat_average(noise, waves, ecg)
print(f"{beats.count} beats; spread over beats / size of the mean beat (root mean squares)")
for title, average in {title_of(METHOD): beats, "random map": chance}.items():
    print(f"  {title:20s}{np.sqrt(np.mean(average.spread**2) / np.mean(average.mean**2)):.1f}")
print(f"  expected of noise   {np.sqrt(beats.count - 1):.1f}")

# %% [markdown]
# A mean over $n$ beats of noise keeps $1/n$ of its variance, so that the quotient is $\sqrt{n - 1}$. Relevance that belongs
# to the heart stays well below it. The spread says how steadily the network reads this recording; it says nothing about the
# certainty of its answer.

# %% [markdown]
# ## 3 What the criteria name
#
# For each of the four diagnoses the guidelines name waves and leads. The course keeps them in one table, with sources.

# %% criteria
from leadwise.semantics import CRITERIA, agreement, describe

for pathology, row in CRITERIA.items():
    leads = "any lead" if row.leads == LEADS else " ".join(row.leads)
    print(fill(f"{pathology}: {row.says}", 100, subsequent_indent="      "))
    print(f"      cells: {' and '.join(row.waves)} in {leads}")
    if row.companions:
        print(f"      belonging to it, defining it less: {' and '.join(row.companions)}")
    print(fill(f"source: {row.source}", 100, initial_indent="      ", subsequent_indent="      "), "\n")

# %% [markdown]
# The left bundle branch block has two kinds of cells. The broad QRS defines it. ST and T opposite to QRS stand in the same statement
# [1], with the word "usually": they belong to the block, and define it less, since ischaemia, hypertrophy and drugs turn T as well.
# A definition decides what "agrees with the textbook" means, so both are counted.
#
# `agreement` is the share of the positive relevance in the cells, beside their area. `describe` writes sentences: what the network
# answers, where the evidence lies, and what the criteria name.

# %% sentence
for title, companions in {"QRS alone": False, "with ST and T": True}.items():
    found = agreement(matrix, "LBBB", companions=companions)
    print(f"{title:14s}{percent(found.share)} on {percent(found.area)} of the samples, lift {found.lift:.1f}")
p = float(MODELS["LBBB"].probability(ecg.tensor()))
print("\n" + fill(describe(relevance, waves, "LBBB", probability=p), 100))

# %% [markdown]
# The sentences speak about a network, never about a patient. They can be checked, number by number. And they do not say that
# the network is wrong where the lift is low: criteria say where *people* read a finding reliably by eye; a network may read
# the same finding elsewhere.

# %% [markdown]
# ## 4 Four pathologies
#
# First one recording each, real ones where they have been downloaded.

# %% four sentences
for pathology, model in MODELS.items():
    name, info = next(iter(leadwise.records(pathology).items()))
    recording = leadwise.load_record(name)
    window, parts = recording.preprocess().window(), waves_of(recording)
    map_ = explain(model, window.tensor(), METHOD, target=1)
    p = float(model.probability(window.tensor()))
    print(f"{info.title} [{info.origin}]; {model.source} network")
    print(
        fill(describe(map_, parts, pathology, probability=p), 100, initial_indent="   ", subsequent_indent="   "), "\n"
    )

# %% [markdown]
# ## 5 Is it true?
#
# For simulated patients the cause is known, as for drawn scenes [3]. Below are new ones, on which nothing was trained, each with a *twin*, its
# [counterfactual](../GLOSSARY.md#counterfactual): the same patient, rhythm and noise without the condition.

# %% patients
COUNT = 8


def patient(condition, seed):
    """A simulated patient: the window that a model sees, and the waves in it."""
    whole = leadwise.simulate_ecg(condition, seed)
    return whole.preprocess().window(), waves_of(whole)


patients = {name: [patient(name, 9_000_000 + i) for i in range(COUNT)] for name in PATHOLOGIES}
x = {name: torch.stack([ecg.tensor() for ecg, _ in group]) for name, group in patients.items()}
twins = {name: torch.stack([ecg.counterfactual.tensor() for ecg, _ in group]) for name, group in patients.items()}
masks = {name: np.stack([ecg.causal_mask for ecg, _ in group]) for name, group in patients.items()}
maps = {name: explain(MODELS[name], x[name], METHOD, target=1) for name in PATHOLOGIES}

# %% [markdown]
# > **Think first.** In a left bundle branch block, which waves differ from the healthy twin? In an AV block of the first
# > degree [4], which samples are the cause: the P wave, the time after it, or the QRS complex?

# %% think first 2
check.think_first("what differs from the twin")

# %% truth and map
truth, answer = {}, {}
for name in PATHOLOGIES:
    waves_in = [w for _, w in patients[name]]
    for table, found in ((truth, masks[name].astype(float)), (answer, maps[name])):
        shares = [lead_wave_matrix(one, w).along(1).share() for one, w in zip(found, waves_in, strict=True)]
        table[name] = np.mean(shares, 0)
plot_matrix(
    [table[name] for name in PATHOLOGIES for table in (truth, answer)],
    [f"{name}: {what}" for name in PATHOLOGIES for what in ("cause", "relevance")],
    WAVES,
    title="Where the cause lies, and where the positive relevance",
    label=f"share of all in a row; means of {COUNT} simulated patients, {title_of(METHOD)}",
    write=percent,
)

# %% right for which reasons
print(f"{'':6s}{'right answers':>14s}{'relevance inside the cause':>32s}{'area':>7s}  most relevance in; criteria")
for name, model in MODELS.items():
    right = int((model.probability(x[name]) > 0.5).sum() + (model.probability(twins[name]) < 0.5).sum())
    mass = student(relevance_mass(maps[name], masks[name]))
    top = [WAVES[i] for i in np.argsort(-answer[name])[:2]]
    named = ", ".join(CRITERIA[name].waves) + "".join(f" ({wave})" for wave in CRITERIA[name].companions)
    area = percent(area_share(masks[name]).mean())
    print(f"{name:6s}{right:8d} of {2 * COUNT:2d}{mass!s:>32s}{area:>7s}  {', '.join(top)}; {named}")

# %% both definitions of a left bundle branch block
for title, criterion in {"QRS alone": CRITERIA["LBBB"], "with ST and T": CRITERIA["LBBB"].wider}.items():
    lifts = [
        agreement(lead_wave_matrix(m, w), criterion).lift
        for m, (_, w) in zip(maps["LBBB"], patients["LBBB"], strict=True)
    ]
    print(f"LBBB, {title:14s} lift {np.mean(lifts):.1f}, from {min(lifts):.1f} to {max(lifts):.1f} over the patients")

# %% [markdown]
# Read each row from left to right. Right answers say that the network has found *something*; the relevance inside the cause, with
# its 95 % interval over the patients and beside its area, says whether the map points there more than by chance; the last columns say
# whether the map's waves are those of the textbook. The first does not imply the others. By which of the two definitions of LBBB does
# the map agree better?

# %% [markdown]
# ## 6 Ask the network, not the map
#
# A map is a claim. An [intervention](../GLOSSARY.md#intervention) tests it: exchange one part of the beat, in all leads,
# with the twin's, and see how far the log-odds change. Parts work together, so single exchanges need not add up to the
# whole; Shapley's value, the mean over all orders of exchange, does. This needs a twin, which only simulated patients have;
# and where the pieces meet, it may leave a small step.
#
# > **Think first.** Choose a pathology. Which part of the beat does its map above name, and will replacing that part turn the
# > network's answer?

# %% think first 3
check.think_first("the map's part and the exchange")

# %% interventions
from leadwise.semantics import WAVE_GROUPS, contrast, interventions, misplaced, parts_of

PARTS = tuple(WAVE_GROUPS)
divided = {name: parts_of([w for _, w in patients[name]], 2000) for name in PATHOLOGIES}
effects = {
    name: interventions(MODELS[name], x[name], twins[name], divided[name], progress=False) for name in PATHOLOGIES
}
print(f"{'share of the fall':22s}" + "".join(f"{part:>8s}" for part in PARTS) + f"{'sum':>8s}")
for name, effect in effects.items():
    for title, shares in {"alone": effect.shares("out"), "Shapley": effect.shares()}.items():
        print(f"{name:6s}{title:16s}" + "".join(f"{percent(share):>8s}" for share in [*shares, shares.sum()]))

# %% [markdown]
# ## 7 The same question
#
# The map of this notebook answers another question: what speaks *for* the pathology, counted from zero. The exchange asks
# what makes the patient *differ from the twin*, with sign. Integrated gradients can be asked the same: from the twin, of the
# log-odds, summed with sign.

# %% the same question
# With 50 steps, the map of the published AVB network misses 7 % of the change.
PATH = {"method": "integrated_gradients", "steps": 200, "progress": False}
matched = {name: divided[name].sums(contrast(MODELS[name], x[name], twins[name], **PATH)) for name in PATHOLOGIES}
positive = {name: divided[name].sums(maps[name].clamp(min=0)) for name in PATHOLOGIES}
asked = {
    "this notebook's map, positive": ("#d55e00", positive),
    "integrated gradients from the twin": ("#e6a700", matched),
    "intervention": ("#0072b2", {name: effect.shapley for name, effect in effects.items()}),
}
for name in PATHOLOGIES:
    for title, (_, table) in asked.items():
        shares = table[name].sum(0) / table[name].sum()
        print(f"{name:5s}{title:36s}" + "".join(f"{percent(share):>7s}" for share in shares))

# %% claimed and measured
fig, axes = plt.subplots(1, 4, figsize=(9.5, 3.4), sharex=True, sharey=True, layout="constrained")
places = np.arange(len(PARTS))
for axis, name in zip(axes, PATHOLOGIES, strict=True):
    for row, (title, (colour, table)) in enumerate(asked.items()):
        shares = table[name].sum(0) / table[name].sum()
        bars = axis.barh(places + 0.27 * (row - 1), shares, 0.25, color=colour, label=title)
        axis.bar_label(bars, [percent(share) for share in shares], fontsize=7, padding=2)
    axis.axvline(0, color="black", linewidth=0.6)
    axis.set_title(f"{name} (criteria: {' and '.join(CRITERIA[name].waves)})", fontsize=9)
    axis.set(xticks=[], xlim=(-0.3, 1.25))
    axis.set_yticks(places, PARTS)
axes[0].invert_yaxis()
fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
plt.show()

# %% [markdown]
# The largest of a few means is soon another one. A part is named only where it leads every other, patient by patient, after
# Holm's correction for all pairs (of many, some differ by chance: notebook 12); the interval, of 95 %, is that of its lead over the
# next.


# %% in words
def leader(values):
    """The part that leads all others for sure, else None, and its lead over the next; of values (N, parts)."""
    first, second = np.argsort(-values.mean(0))[:2]
    found = paired_differences({k: values[:, k] for k in range(len(PARTS))})
    sure = all(difference.sure for pair, difference in found.items() if first in pair)
    lead = student(values[:, first] - values[:, second])
    return (PARTS[first] if sure else None), lead


for name in PATHOLOGIES:
    measured, _ = leader(effects[name].shapley)
    for title, (_, table) in asked.items():
        part, lead = leader(table[name] / np.abs(table[name]).sum(1, keepdims=True))
        same = "undecided" if None in (part, measured) else "the same part" if part == measured else "another part"
        verdict = "" if title == "intervention" else same
        print(f"{name:5s}{title:36s}{part or 'no part':9s}leads by {lead!s:24s} {verdict}".rstrip())

# %% [markdown]
# **Ask the same question of map and network.** A map that names another part than the exchange may be right about its own
# question: in an AV block QRS may decide against a flat line, but not against the twin, which has the same. Only where the
# matched map fails as well is the *method* at fault. Then ask the criteria for that part:
#
# - **Named first.** In this the network reads what a cardiologist reads.
# - **Named second, or not at all.** The network is right, for another reason than the one that defines the finding. In a
#   left bundle branch block ST and T turn against QRS, on the textbook's second line [1]: who reads T finds the block, as
#   long as nothing else turns T. Ischaemia does, and hypertrophy. A test set without such patients cannot show it.
# - **No part for sure.** More patients, or no statement.
#
# What would make one trust such a network? That map and intervention agree; over many patients, with an interval; on
# recordings of another hospital; and where a companion of the disease is missing. No single heatmap can give this [2].
#
# Much of a map is the same in the healthy, and maps differ by method: both comparisons are in
# [appendix A10](A10_semantics_further.ipynb).

# %% [markdown]
# ## 8 Where intervention and localisation disagree
#
# The course's benchmark (`python benchmarks/ground_truth.py`) asks every method, and controls that know no network. Two
# scores, two orders. `misplaced`: how much of the map, ill against twin, lies in other parts than the effect, or has the
# other sign. `lift`: how much of the patient's own map lies where the two differ.

# %% two orders
table = (checkout() or Path.cwd().parent) / "benchmarks" / "ground_truth.csv"
rows = list(csv.DictReader(table.open())) if table.exists() else []
rows = [row for row in rows if row["data"] == "ECG" and row["model"] == "embedded" and row["setting"] != "tuned"]
for cause in PATHOLOGIES:
    some = [row for row in rows if row["cause"] == cause]
    by_effect, by_place = (
        [row["method"] for row in sorted(some, key=lambda row: sign * float(row[score]))]
        for score, sign in (("misplaced", 1), ("lift", -1))
    )
    apart = {row["method"]: (by_effect.index(row["method"]) + 1, by_place.index(row["method"]) + 1) for row in some}
    for method in ("integrated_gradients", "gradient", "grad_cam_pp", "lrp_gamma", "square") if some else ():
        first, second = apart[method]
        print(f"{cause:5s}{title_of(method):22s}by intervention {first:2d}, by localisation {second:2d} of {len(some)}")

# %% one case by hand
asked_of = leadwise.load_ecg_model("AVB", "embedded", verbose=False), x["AVB"], twins["AVB"]  # as in the table
effect = interventions(*asked_of, divided["AVB"], progress=False).shapley.sum(0)
print(f"{'AVB':34s}" + "".join(f"{part:>8s}" for part in PARTS))
print(f"{'effect, log-odds of all patients':34s}" + "".join(f"{value:8.1f}" for value in effect))
for method, how in {"integrated_gradients": {"steps": 200}, "grad_cam_pp": {}}.items():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MethodWarning)  # Grad-CAM has no leads, see notebook 09
        own = explain(*asked_of[:2], method, target=1, **how).clamp(min=0)
        sums = divided["AVB"].sums(contrast(*asked_of, method, progress=False, **how)).sum(0)
    shares = divided["AVB"].sums(own).sum(0) / float(own.sum())
    gaps = np.abs(sums / np.abs(sums).sum() - effect / np.abs(effect).sum())
    print(f"{title_of(method)}\n{'   own map, positive':34s}" + "".join(f"{percent(share):>8s}" for share in shares))
    inside, area = relevance_mass(own, masks["AVB"]).mean(), area_share(masks["AVB"]).mean()
    print(f"      inside the mask {percent(inside)}, on {percent(area)} of the samples")
    print(f"{'   ill against twin':34s}" + "".join(f"{value:8.1f}" for value in sums))
    print(
        f"      half the gaps {' + '.join(f'{gap / 2:.2f}' for gap in gaps)} = {misplaced(sums, effect):.2f} misplaced"
    )

# %% [markdown]
# Localisation scores the own map. From a flat line integrated gradients pay QRS and T too, outside the mask; against the twin
# nothing for what both have. Grad-CAM++ marks the stretch in the patient, and leads there; in the twin it marks another, so
# that the difference has parts that do nothing. And a high lift needs no network: look for $x^2$ in LBBB.

# %% [markdown]
# ## Exercises
#
# Solutions, and answers to the prompts, are in `solutions/10_from_saliency_to_semantics.ipynb`.
#
# **1 Write code.** Which leads speak for ischaemia? Make a function `group_of(relevance)` that takes a map (12, T) and
# returns `"anterior"` (V3, V4), `"lateral"` (I, aVL, V5, V6) or `"inferior"` (II, III, aVF): the group of leads with the
# largest lift of positive relevance. In `leadwise.semantics`, `LEAD_GROUPS` maps names to leads, and
# `group_relevance(relevance, groups)` sums a map over such groups; its `.lift()` has one number a group. The names are those
# of walls, by tradition; here they mean leads. The simulator knows which leads its patients' ST depression shows in
# (`ecg.territory`): compare.

# %% exercise 1 tags=["solution"] answers=["group_of"]
# Exercise 1: group_of(relevance) -> "anterior", "lateral" or "inferior". Try it on maps["ISCH"] and patients["ISCH"].
from leadwise.semantics import LEAD_GROUPS, group_relevance


def group_of(relevance):
    """The group of leads with the largest lift of positive relevance."""
    groups = {name: LEAD_GROUPS[name] for name in ("anterior", "lateral", "inferior")}
    return list(groups)[int(np.argmax(group_relevance(relevance, groups).lift()))]


for (ecg, _), map_ in zip(patients["ISCH"], maps["ISCH"], strict=True):
    st = ecg.parameters["st"]
    print(f"{ecg.territory:15s} ST is deepest in {min(st, key=st.get):3s}  the map's leads: {group_of(map_)}")
# Whatever the pattern, ST is deepest around V4 and V5, as it is in patients: depression tells that there is ischaemia, not
# where. A map that favours a group of leads says where this network looked, and nothing about a wall or an artery.

# %% check 1
check.the_group(group_of)

# %% [markdown]
# **2 Predict, then look.** You shift the map of section 1 by half a heart beat, in all leads (`torch.roll`). Which change: the
# shares of the leads, the shares of the waves, the sum of the matrix? Write it into `predicted`, and run the check: it keeps your
# prediction, and never marks it. Then make `shifted`, the matrix of the shifted map, and compare it with `matrix`.

# %% exercise 2 tags=["solution"] answers=["predicted", "shifted"]
# Exercise 2: predicted = {"leads": ..., "waves": ..., "sum": ...}, True where it changes. Then `shifted` = lead_wave_matrix of
# the shifted map and the same `waves`; the R peaks are [w.peak for w in waves if w.kind == "QRS"].
predicted = {"leads": False, "waves": True, "sum": False}

distance = np.median(np.diff([w.peak for w in waves if w.kind == "QRS"]))
shifted = lead_wave_matrix(torch.roll(torch.as_tensor(relevance), int(distance / 2), dims=-1), waves)
for title, table in {"map": matrix, "shifted": shifted}.items():
    by_lead = " ".join(percent(share) for share in table.along(0).share()[:4])
    parts = " ".join(f"{name} {percent(share)}" for name, share in zip(WAVES, table.along(1).share(), strict=True))
    print(f"{title:8s} sum {table.sum().sum():.3f}; leads {by_lead} ...; waves {parts}")
# Leads and sum stay: both ignore time. Only the waves move. Lead shares can therefore never tell a map that looks at the
# beats from one that is out of step with them.

# %% check 2
check.out_of_step(predicted, shifted, relevance=relevance, waves=waves)

# %% [markdown]
# **3 Find the bug.** A colleague explains a window that starts 1.3 s into the recording and reports the sentence below. No
# error appears. What is wrong with `colleague`, and how would you have noticed? Make the right waves, `repaired`.

# %% a colleague's sentence
START = 1.3  # s
whole = leadwise.simulate_ecg("LBBB", 9_300_000)
later = whole.preprocess().window(START)
later_map = explain(MODELS["LBBB"], later.tensor(), METHOD, target=1)
colleague = waves_of(whole)
print(fill(describe(later_map, colleague, "LBBB"), 100))

# %% exercise 3 tags=["solution"] answers=["repaired"]
# Exercise 3: repaired holds the waves of `later`. Then describe again, and measure how well waves fit the signal.
repaired = waves_of(whole, START)
for title, found in {"colleague": colleague, "repaired": repaired}.items():
    inside = wave_labels(found, later.samples) == WAVES.index("QRS")
    steep = np.abs(np.diff(later.signal, axis=1, append=later.signal[:, -1:]))
    print(f"{title:10s} steepness inside QRS / outside: {steep[:, inside].mean() / steep[:, ~inside].mean():.1f}")
print(fill(describe(later_map, repaired, "LBBB"), 100))
# The waves count from the start of the recording, the map from the start of the window: everything is 1.3 s late. QRS
# is the steepest part of a beat; labels for which that fails do not belong to the signal. Or draw it, with waves=...

# %% check 3
check.waves_of_window(repaired, ecg=whole, start=START)

# %% [markdown]
# **4 Interpret.** The LBBB network explained on a healthy person: without the probability, `describe` gives a sentence that sounds
# like the others. Compute what it leaves out: the network's `probability`, and the `balance`, the sum of the map with its signs. Which `conclusion` is
# right?
#
# - **a** The network sees an LBBB here, where the sentence says.
# - **b** The sentence says where the evidence for LBBB lies, not how much there is, nor what speaks against.
# - **c** The map is wrong: in a healthy person nothing may speak for LBBB.

# %% a healthy person
healthy, parts = patient("NORM", 9_100_000)
healthy_map = explain(MODELS["LBBB"], healthy.tensor(), METHOD, target=1)
print(fill(describe(healthy_map, parts, "LBBB"), 100))

# %% exercise 4 tags=["solution"] answers=["probability", "balance", "conclusion"]
# Exercise 4: two numbers from `healthy` and `healthy_map`, and "a", "b" or "c".
probability = float(MODELS["LBBB"].probability(healthy.tensor()))
balance = float(healthy_map.sum())
print(f"p(LBBB) = {probability:.3f}; balance {balance:.2f}, positive {float(healthy_map.clamp(min=0).sum()):.2f}")
conclusion = "b"
print(fill(describe(healthy_map, parts, "LBBB", probability=probability), 100))
# Shares add up to 100 % whatever there is to share. Probability and balance belong beside every sentence: with the probability,
# `describe` begins with a no, says how much speaks against, and leaves the criteria out.

# %% check 4
check.a_healthy_sentence(
    probability, balance, conclusion, model=MODELS["LBBB"], x=healthy.tensor(), relevance=healthy_map
)

# %% [markdown]
# **5 Write code.** A reviewer demands that ST and T count for LBBB on a par with QRS. Write that
# `Criterion` (of `leadwise.semantics`), `wider`: the leads of `CRITERIA["LBBB"]`, three waves. Then compute `lifts`, a dict:
# strict (QRS alone), wider → mean share of the positive relevance in its `cells` over the LBBB patients, divided by the mean area.
# Has the agreement become better? And what would a network that reads T alone look like by each definition?

# %% exercise 5 tags=["solution"] answers=["wider", "lifts"]
# Exercise 5: wider = Criterion(says, waves, leads, source); lifts = {"strict": ..., "wider": ...}.
# criterion.cells is a bool table (12, 6); patients["LBBB"] holds (ecg, waves), maps["LBBB"] the maps.
from leadwise.semantics import Criterion

strict = CRITERIA["LBBB"]
wider = Criterion("QRS, ST and T", ("QRS", "ST", "T"), strict.leads, strict.source)
matrices = [lead_wave_matrix(map_, w) for map_, (_, w) in zip(maps["LBBB"], patients["LBBB"], strict=True)]
lifts = {}
for name, criterion in {"strict": strict, "wider": wider}.items():
    share = np.mean([m.share()[criterion.cells].sum() for m in matrices])
    area = np.mean([m.area[criterion.cells].sum() for m in matrices])
    lifts[name] = share / area
    print(f"{name:8s} share {percent(share)}, area {percent(area)}, lift {lifts[name]:.2f}")
# The share can only grow, since cells were added; so does the area. Whether it has become *better* is for the lift to say.
# A network that reads T alone disagrees with the strict definition and agrees with the wider one: which of the two one holds it to
# has to be decided before the maps are seen, and both be reported. A criterion that is changed afterwards tests nothing.

# %% check 5
check.a_wider_criterion(wider, lifts, maps=maps["LBBB"], patients=patients["LBBB"])

# %% think first answers [markdown] tags=["solution"]
# ## Think first: answers
#
# - **A number and a map to compare with:** The share of the time that lies between the beats; and a random map, which has
#   just this share there. The quotient of both is the lift.
# - **What differs from the twin:** In a left bundle branch block QRS, and ST and T that follow from it; in a block of the
#   AV node the time from the onset of P to QRS, as P comes earlier. QRS and T are the same as the twin's.
# - **The map's part and the exchange:** Whatever the map names, the exchange decides. The tables of sections 6 and 7 show where both
#   name the same part, and where they don't.

# %% [markdown]
# ## Quiz

# %% quiz
check.quiz()

# %% progress
check.progress()

# %% [markdown]
# ## Take away
#
# - Sum maps over leads and waves: fewer numbers, steadier ones, and a language that can be contradicted.
# - A share means nothing without its area. A random map is the control.
# - Criteria say where people read, and name some things first and some second. Low agreement is a finding, not an error.
# - Accuracy does not tell which wave was used, and a map only claims it. Interventions test it, where both are asked the same.
# - One sentence about one patient is an anecdote. Thousands of recordings, with intervals: [12 Cohorts](12_cohorts.ipynb).
#
# ## Go further
#
# - [A10 Semantics, further](A10_semantics_further.ipynb): ill minus healthy, where methods disagree, and work of others.
# - Which replacement is fair, and networks that rely on a machine's mark: [06 Can you trust it?](06_can_you_trust_it.ipynb)
#
# ## References
#
# 1. Surawicz et al. 2009, AHA/ACCF/HRS recommendations for the standardization and interpretation of the
#    electrocardiogram, part III, [doi:10.1161/CIRCULATIONAHA.108.191095](https://doi.org/10.1161/CIRCULATIONAHA.108.191095)
# 2. Ghassemi, Oakden-Rayner, Beam 2021, The false hope of current approaches to explainable artificial intelligence in
#    health care, [doi:10.1016/S2589-7500(21)00208-9](https://doi.org/10.1016/S2589-7500(21)00208-9)
# 3. Arras, Osman, Samek 2022, CLEVR-XAI: a benchmark dataset for the ground truth evaluation of neural network
#    explanations, [doi:10.1016/j.inffus.2021.11.008](https://doi.org/10.1016/j.inffus.2021.11.008)
# 4. Kusumoto et al. 2019, Guideline on bradycardia and cardiac conduction delay,
#    [doi:10.1161/CIR.0000000000000628](https://doi.org/10.1161/CIR.0000000000000628)
