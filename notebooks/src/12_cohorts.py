# %% [markdown]
# # 12 Cohorts
#
# "The network reads the bundle branch block in V1": in whom? One map is an anecdote, forty are a hint. This notebook goes from
# one patient to forty, to two thousand, to twenty thousand, and asks in whom a network reads differently. One of the answers
# is a fault that no check of a single recording can find.
#
# **You will be able to**
#
# - explain any number of recordings in constant memory, stop, and go on to the same bit,
# - tell the spread of patients from the uncertainty of their mean, and plan how many recordings a question takes,
# - compare groups, with intervals, many at once, without being fooled by the number of comparisons,
# - tell a group that is composed differently from a group that is read differently.
#
# **Before:** notebook 10; notebook 11 helps. **Teaching, not diagnosis:** nothing here may be used to decide about a patient.

# %% imports
import tempfile
from functools import partial
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import leadwise
from leadwise.checks import cohorts as check
from leadwise.cohort import Cohort, difference, difference_within, explain_cohort, forest, load_checkpoint
from leadwise.ecg.leads import LEADS
from leadwise.ecg.record import ECG
from leadwise.evaluation import holm
from leadwise.paths import checkout
from leadwise.plotting import percent
from leadwise.semantics import WAVES

METHOD = "lrp_epsilon"
MODEL = leadwise.load_ecg_model("LBBB", "embedded")  # the one that the stored results below are of

# %% [markdown]
# ## 1 One patient, and forty
#
# A recording here is what a hospital has: a signal, and nothing of what the simulator knows. Its waves have to be found. The
# last argument is needed later.


# %% a recording
def recording(condition, seed, exchanged=False):
    """The signal of a simulated patient; exchanged: with the cables of V1 and V2 in each other's place."""
    ecg = leadwise.simulate_ecg(condition, seed, seconds=5)
    rows = [*range(6), 7, 6, *range(8, 12)] if exchanged else range(12)
    return ECG(ecg.signal[rows], ecg.fs)


one = explain_cohort(MODEL, [partial(recording, "LBBB", 9_200_000)], METHOD, progress=False)
shares = zip(LEADS, one.mean("lead_share"), strict=True)
print("one patient:", ", ".join(f"{lead} {percent(share)}" for lead, share in shares))

# %% [markdown]
# `explain_cohort` takes paths, names, recordings, or functions that return one. It delineates, filters, explains and sums up each,
# batch by batch, and keeps means and squared deviations only (Welford [1], merged after Chan [2]), so that its memory does not
# grow. What it has goes to a checkpoint. Here somebody pulls the plug.

# %% interrupted
patients = [partial(recording, "LBBB", 9_200_000 + i) for i in range(40)]
checkpoint = Path(tempfile.mkdtemp()) / "lbbb"


def power_cut(done, total):
    """Stop the run after 25 recordings."""
    if done == 25:
        raise KeyboardInterrupt


try:
    explain_cohort(MODEL, patients, METHOD, checkpoint=checkpoint, batch=5, progress=power_cut)
except KeyboardInterrupt:
    print("stopped; saved:", load_checkpoint(checkpoint).records, "recordings")

# %% resumed
forty = explain_cohort(MODEL, patients, METHOD, checkpoint=checkpoint, batch=5, progress=False)
at_once = explain_cohort(MODEL, patients, METHOD, batch=5, progress=False)
print("resumed:", forty.records, "recordings")
print("equal to a run without interruption, to the last bit:", (forty.mean("share") == at_once.mean("share")).all())

# %% [markdown]
# > **Think first.** You add another forty patients. What becomes narrower: the spread of the patients, or the interval of their
# > mean?

# %% think first 1
check.think_first("what becomes narrower")

# %% spread and interval
mean, (low, high), spread = forty.mean("lead_share"), forty.interval("lead_share"), forty.spread("lead_share")
fig, axis = plt.subplots(figsize=(9, 2.8), layout="constrained")
axis.bar(LEADS, mean, color="#e0a070")
axis.errorbar(LEADS, mean, spread, fmt="none", ecolor="#999999", elinewidth=5, label="spread of the patients (1 SD)")
axis.errorbar(
    LEADS, mean, [mean - low, high - mean], fmt="none", ecolor="black", capsize=4, label="95 % interval of the mean"
)
axis.plot(LEADS, one.mean("lead_share"), "x", color="#0072b2", label="the one patient")
axis.set_ylabel("share of the positive relevance")
axis.legend(frameon=False)
plt.show()

# %% [markdown]
# The interval $\bar x \pm t\,s/\sqrt{n}$ belongs to the *mean*; a single patient lies where the grey bar allows. Twice the
# patients make it narrower by $\sqrt 2$, and leave the spread where it is.

# %% matrix
forty.plot(title="LBBB network: mean of 40 patients with LBBB")

# %% [markdown]
# ## 2 Two thousand
#
# Next, a hospital: a simulated PTB-XL [3], with that table's columns and our own recordings. Sex and age stand in the table and
# change nothing in a recording; the condition does. Eight carts recorded them.
#
# Such a run takes a minute on two cores: `explain_cohort(..., groups=("sex", "cart"), workers=2)` spreads it over processes, or over a
# cluster, [with the same bits](../book/cohorts.md). It was made beforehand by `benchmarks/cohort_finding.py`; what it leaves
# is a small file, means and squares without recordings.

# %% stored
folder = (checkout() or Path.cwd().parent) / "benchmarks"
hospital = Cohort.load(folder / "cohort_finding_2000.npz")
print(hospital.records, "recordings, left out:", hospital.left_out)
for column in ("sex", "age_band", "cart", "finding"):
    print(f"{column:9s}", ", ".join(f"{value} {group.records}" for value, group in hospital.groups[column].items()))

# %% by finding
forest(hospital, "finding", "wave_share", "QRS", title="Share of QRS in the evidence for LBBB, by condition")

# %% [markdown]
# Conditions differ, as they should. The question of this notebook is another one: does the network read *alike* patients
# differently, by anything that should not matter?

# %% [markdown]
# ## 3 Who differs?
#
# `difference` subtracts two means and gives Welch's interval and p value [4] for each number. First by sex: 12 leads × 6 waves.
#
# > **Think first.** Sex changes nothing in these recordings. How many of the 72 cells will differ with p < 0.05?

# %% think first 2
check.think_first("how many cells by chance")

# %% by sex
women, men = (hospital.groups["sex"][name] for name in ("female", "male"))
found = difference(women, men, "share")
print(
    f"p < 0.05 in {(found.p < 0.05).sum()} of {found.p.size} cells; after Holm's correction in {(found.p_holm < 0.05).sum()}"
)
lead, wave = np.unravel_index(found.p.argmin(), found.p.shape)
print(f"smallest p: {found.p.min():.3f}, {WAVES[wave]} in {LEADS[lead]}: a sentence for a paper, and about nothing")

# %% [markdown]
# ### Many comparisons
#
# Of $K$ comparisons in which nothing differs, $0.05\,K$ fall below 0.05: with 72 cells, three or four. Holm [5] sorts the p values,
# multiplies the smallest by $K$, the next by $K-1$ and so on, and lets none be smaller than the one before it. Then *no* false
# alarm is among those below 0.05, with 95 % probability, whatever depends on what. Shares add up to one, so they do depend.

# %% false alarms
rng = np.random.default_rng(0)
p = rng.uniform(size=(2000, 72))  # two thousand studies in which nothing differs
alarms = (p < 0.05).sum(1)
corrected = np.array([(holm(row) < 0.05).sum() for row in p])
print(
    f"no correction: {alarms.mean():.1f} false alarms a study; {percent((alarms > 0).mean())} of the studies have one"
)
print(
    f"Holm:          {corrected.mean():.2f} false alarms a study; {percent((corrected > 0).mean())} of the studies have one"
)

# %% [markdown]
# What counts as one family? Whatever would have been reported, had it come out. Now the carts: eight carts, each against
# all others, in twelve leads, are 96 comparisons, and Holm is told of all of them.


# %% cart by cart
def others(groups, name):
    """All groups of a column but one, as one cohort."""
    first, *rest = (group for value, group in groups.items() if value != name)
    for group in rest:
        first = first.merge(group)
    return first


def table(found):
    """Print the surest difference of each cart; return p after Holm's correction for all carts and leads."""
    p = dict(zip(found, holm(np.stack([d.p for d in found.values()])), strict=True))
    for cart, d in found.items():
        at = d.p.argmin()
        size = f"{100 * d.value[at]:+5.1f} points [{100 * d.low[at]:+.1f}, {100 * d.high[at]:+.1f}]"
        print(f"{cart}, n = {d.counts[0]:5d}  {LEADS[at]:4s}{size}  p after Holm {p[cart][at]:.2g}")
    return p


by_cart = hospital.groups["cart"]
p = table({cart: difference(by_cart[cart], others(by_cart, cart), "lead_share") for cart in by_cart})

# %% [markdown]
# ## 4 Composed differently, or read differently?
#
# A cart stands out. Before anybody writes that the network is unfair to its patients:
#
# > **Think first.** Cart 3 stands in a clinic for conduction disease. What follows for the mean of its maps, even if every single
# > patient is read as everywhere else?

# %% think first 3
check.think_first("cart 3")

# %% composition
for cart in ("cart 1", "cart 3"):
    counts = {name: hospital.groups["cart, finding"][f"{cart}, {name}"].records for name in ("NORM", "LBBB")}
    whole = hospital.groups["cart"][cart].records
    print(cart, *(f"{name} {percent(count / whole)}" for name, count in counts.items()))


def only(cohort, finding):
    """Cart -> the cohort of its patients with one condition."""
    ending = f", {finding}"
    return {k.removesuffix(ending): g for k, g in cohort.groups["cart, finding"].items() if k.endswith(ending)}


# %% [markdown]
# A group is compared within *strata* of what is known to matter, as an epidemiologist does [6]: healthy with healthy, LBBB with
# LBBB. The differences are averaged with the numbers that the cart has of each.


# %% within conditions
def within(cohort, cart, name="lead_share"):
    """A cart minus the others, within each condition."""
    strata = {finding: only(cohort, finding) for finding in cohort.groups["finding"]}
    strata = {finding: groups for finding, groups in strata.items() if cart in groups}
    mine = {finding: groups[cart] for finding, groups in strata.items()}
    return difference_within(mine, {finding: others(groups, cart) for finding, groups in strata.items()}, name)


p = table({cart: within(hospital, cart) for cart in by_cart})

# %% [markdown]
# Cart 3 is as all others: its *mixture* differed. Cart 1 now falls below 0.05. One family in twenty does so where nothing
# differs, and this is the third family that we look at: what one has gone looking for is confirmed with new recordings, or not.
# Of cart 7 this says little, as there are only a few: look at its interval.

# %% [markdown]
# ## 5 Twenty thousand

# %% twenty thousand
archive = Cohort.load(folder / "cohort_finding_20000.npz")
print(archive.records, "recordings, left out:", archive.left_out, "(no heartbeat found)")
found = {cart: within(archive, cart) for cart in by_cart}
p = table(found)

# %% who
d = found["cart 7"]
fig, axis = plt.subplots(figsize=(9, 2.8), layout="constrained")
sure = p["cart 7"] < 0.05
for some, colour, name in ((~sure, "#999999", "not sure"), (sure, "#d55e00", "p < 0.05 after Holm, 96 comparisons")):
    where = np.flatnonzero(some)
    bars = np.abs(np.stack([d.low, d.high])[:, some] - d.value[some]) * 100
    axis.errorbar(where, 100 * d.value[some], bars, fmt="o", color=colour, capsize=3, label=name)
axis.axhline(0, color="black", linewidth=0.6)
axis.set(
    xticks=range(12),
    xticklabels=LEADS,
    ylabel="cart 7 − others, points",
    title="Where patients of cart 7 are read differently",
)
axis.legend(frameon=False)
plt.show()

# %% [markdown]
# Cart 1 is gone, and another cart has come, with one recording in a hundred: whatever its patients have, the network finds less
# in V1, and perhaps more in V2. The answer itself gives nothing away.

# %% the answer
answer = within(archive, "cart 7", "probability")
print(f"mean p(LBBB), cart 7 - others: {answer.value:+.4f} [{answer.low:+.4f}, {answer.high:+.4f}]")

# %% [markdown]
# The maps say *where* to look. What is there is for the voltages to say: the average beats of V1 and V2.

# %% mean beats
fig, axes = plt.subplots(1, 2, figsize=(9, 2.6), sharex=True, sharey=True, layout="constrained")
for axis, lead in zip(axes, ("V1", "V2"), strict=True):
    for name, group, colour in (("all", archive, "black"), ("cart 7", archive.groups["cart"]["cart 7"], "#d55e00")):
        beat = group.mean("beat_signal")[LEADS.index(lead)]
        axis.plot(np.arange(len(beat)) / 500 * 1000 - 350, beat, color=colour, label=name)
    axis.set(title=lead, xlabel="ms from R", xlim=(-100, 400))
axes[0].set_ylabel("mV")
axes[0].legend(frameon=False)
plt.show()

# %% [markdown]
# V1 of cart 7 has the T wave of everybody's V2, and the other way round: two cables are exchanged. Chest leads obey no law, so a check
# of one recording cannot find it (notebook 11). An average of voltages alone would have shown it as well, once one had known which
# leads of which cart to draw.

# %% [markdown]
# ### From a finding to a cause
#
# A difference between groups is an observation. The cause is tested as always: by changing it alone. The same forty healthy people,
# recorded with right and with exchanged cables, and then exchanged back.

# %% live
people = [9_400_000 + i for i in range(40)]
one_by_one = {"groups": {"person": people}, "progress": False}
right = explain_cohort(MODEL, [partial(recording, "NORM", i) for i in people], METHOD, **one_by_one)
wrong = explain_cohort(MODEL, [partial(recording, "NORM", i, True) for i in people], METHOD, **one_by_one)
healthy = only(archive, "NORM")
archived = difference(healthy["cart 7"], others(healthy, "cart 7"), "lead_share")
live = difference(wrong, right, "lead_share")
for lead in ("V1", "V2"):
    i = LEADS.index(lead)
    print(
        f"{lead}: exchanged − right {100 * live.value[i]:+.1f} points; cart 7's healthy − others {100 * archived.value[i]:+.1f} points"
    )


def mended(seed):
    """An exchanged recording with V1 and V2 put back."""
    ecg = recording("NORM", seed, True)
    return ECG(ecg.signal[[*range(6), 7, 6, *range(8, 12)]], ecg.fs)


back = explain_cohort(MODEL, [partial(mended, i) for i in people], METHOD, progress=False)
print("exchanged back, equal to the last bit:", (back.mean("share") == right.mean("share")).all())

# %% [markdown]
# ### Could one patient have told?
#
# Exchanged or not, patient by patient: how often is the share of V1 unusually low?

# %% single patients
shares = {
    name: np.array([person.mean("lead_share")[LEADS.index("V1")] for person in cohort.groups["person"].values()])
    for name, cohort in {"right": right, "exchanged": wrong}.items()
}
limit = np.quantile(shares["right"], 0.05)
caught = (shares["exchanged"] < limit).mean()
print(f"below the lowest twentieth of the right ones: {percent(caught)} of the exchanged; false alarms 5 %")
plt.figure(figsize=(7, 2.4), layout="constrained")
plt.hist(list(shares.values()), bins=15, label=list(shares), color=["#999999", "#d55e00"])
plt.gca().set(xlabel="share of V1, single patients", ylabel="people")
plt.legend(frameon=False)
plt.show()

# %% [markdown]
# In single patients the two overlap. The mean of many is another thing than many single answers: sure of the cart, it convicts
# no recording.

# %% [markdown]
# ## Exercises
#
# Each cell holds the names that its check asks for. Solutions are in `solutions/12_cohorts.ipynb`.
#
# **1 Write code.** Holm's correction by hand: `adjusted(p)` takes K p values and returns K corrected ones in the same order. Sort;
# multiply the smallest by K, the next by K − 1, ..., the largest by 1; let none be smaller than the one before it in this
# order; none above 1; back to the order in which they came. Do not call `holm`, but compare with it.


# %% exercise 1 tags=["solution"] answers=["adjusted"]
# Exercise 1: adjusted(p) -> array (K,). np.argsort and np.maximum.accumulate help.
def adjusted(p):
    """p values after Holm's correction."""
    p = np.asarray(p, float)
    order = np.argsort(p)
    steps = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1)
    corrected = np.empty(len(p))
    corrected[order] = steps
    return corrected


print(adjusted([0.01, 0.04, 0.03]), holm([0.01, 0.04, 0.03]))
# The second smallest, 0.03 × 2 = 0.06, lifts the largest, 0.04 × 1, to 0.06 as well.

# %% check 1
check.holm_by_hand(adjusted)

# %% [markdown]
# **2 Predict, then look.** From `hospital` to `archive` there are ten times the recordings. By which factor does each of these
# change, about? "interval" (its width, of the share of V1), "spread" (of that share), "false alarms" (cells of the table by sex with
# p < 0.05, expected), "smallest" (the smallest difference between women and men that would be sure). Write your guess into
# `predicted`, in words or numbers, and run the check: it keeps your prediction, and never marks it. Then look, and make `factors`, a
# dict with a number for each.

# %% exercise 2 tags=["solution"] answers=["predicted", "factors"]
# Exercise 2: predicted; factors = {"interval": ..., "spread": ..., "false alarms": ..., "smallest": ...}, archive / hospital.
predicted = "the interval shrinks to a third, the others stay"
factors = {"interval": 10**-0.5, "spread": 1, "false alarms": 1, "smallest": 10**-0.5}

V1 = LEADS.index("V1")
for name, cohort in {"hospital": hospital, "archive": archive}.items():
    low, high = cohort.interval("lead_share")
    cells = difference(*(cohort.groups["sex"][sex] for sex in ("female", "male")), "share").p < 0.05
    print(
        f"{name:9s} interval {high[V1] - low[V1]:.4f}, spread {cohort.spread('lead_share')[V1]:.4f}, alarms {cells.sum()}"
    )
# More patients do not make false alarms rarer: a p value under no difference is uniform, whatever n. They make real
# differences easier to see, and tiny ones sure. How large a difference matters has to be said beforehand.

# %% check 2
check.ten_times(predicted, factors)

# %% [markdown]
# **3 Find the bug.** A colleague writes: "patients of cart 3 are read with less relevance in V1 than others". The code below runs,
# the p value is right, the conclusion is not. Make `repaired`, a dict with the keys "NORM" and "LBBB": for each, the difference of
# `lead_share` between cart 3 and all other carts *within* that condition, from `archive`; `only` and `others` of section 4 help.

# %% a colleague's difference
claim = difference(archive.groups["cart"]["cart 3"], others(archive.groups["cart"], "cart 3"), "lead_share")
for lead in ("V1", "V6"):
    print(f"{lead}: {100 * claim.value[LEADS.index(lead)]:+.1f} points, p = {claim.p[LEADS.index(lead)]:.1g}")

# %% exercise 3 tags=["solution"] answers=["repaired"]
# Exercise 3: repaired = {"NORM": difference(...), "LBBB": difference(...)}.
repaired = {}
for finding in ("NORM", "LBBB"):
    groups = only(archive, finding)
    repaired[finding] = difference(groups["cart 3"], others(groups, "cart 3"), "lead_share")
    smallest = repaired[finding].p_holm.min()
    print(
        f"{finding}: largest {100 * np.abs(repaired[finding].value).max():.1f} points, smallest p after Holm {smallest:.2f}"
    )
# Four in ten of cart 3's patients have an LBBB, one in twelve elsewhere. The mean mixes them; within each, nothing is left.

# %% check 3
check.within_conditions(repaired, archive=archive)

# %% [markdown]
# **4 Plan.** Healthy recordings alone would not have shown cart 7's fault: `archived` has p = 0.12 after correction. How many healthy
# recordings of a cart does it take? Against very
# many others, a difference $d$ of a number with spread $s$ is found with 80 % probability, at 5 % divided by $K$ comparisons,
# with $n = (z_{1 - 0.05/2K} + z_{0.8})^2\, s^2 / d^2$; $z$ are quantiles of the normal distribution (`scipy.stats.norm.ppf`).
# Compute `needed` for the share of V1: $d$ from `archived` (section 5), $s$ from the healthy of all *other* carts, $K = 96$.

# %% exercise 4 tags=["solution"] answers=["needed"]
# Exercise 4: needed = number of recordings. others(healthy, "cart 7").spread("lead_share") is one value a lead.
from scipy.stats import norm

V1 = LEADS.index("V1")
d, s = archived.value[V1], others(healthy, "cart 7").spread("lead_share")[V1]
needed = (norm.ppf(1 - 0.05 / (2 * 96)) + norm.ppf(0.8)) ** 2 * s**2 / d**2
print(f"d = {100 * d:.1f} points, s = {100 * s:.1f} points: {needed:.0f} healthy recordings")
print(
    "there were", only(hospital, "NORM")["cart 7"].records, "in hospital and", healthy["cart 7"].records, "in archive"
)
# d itself is an estimate, and that of a difference that was picked because it was large is too large: plan with some reserve.

# %% check 4
check.how_many(needed, healthy=healthy)

# %% [markdown]
# **5 Interpret.** The mean p(LBBB) of cart 7 is not surely another than elsewhere (section 5). Which `conclusion` holds?
#
# - **a** The exchange does not matter: the network's answers are the same.
# - **b** The means agree within the interval; whether single answers changed takes pairs, each patient with and without.
# - **c** The maps are wrong, since the answers agree.
#
# Then look at the pairs: `pairs`, an array (40, 2), p(LBBB) of each of `people`, healthy, with right and with exchanged cables.

# %% exercise 5 tags=["solution"] answers=["pairs", "conclusion"]
# Exercise 5: pairs[i] = (p right, p exchanged) of recording("NORM", people[i], False / True); conclusion = "a", "b" or "c".
# MODEL.probability(ecg.preprocess().window().tensor()) is the network's answer.
conclusion = "b"
pairs = np.array(
    [
        [
            float(MODEL.probability(recording("NORM", i, exchanged).preprocess().window().tensor()))
            for exchanged in (False, True)
        ]
        for i in people
    ]
)
apart = np.abs(pairs[:, 1] - pairs[:, 0])
print(
    f"means {pairs.mean(0).round(4)}; largest change {apart.max():.3f}; {(apart > 0.5 * pairs[:, 0]).sum()} changed by half or more"
)
# Ups and downs cancel in a mean. Here all answers stay a clear no; of patients near 0.5 nobody could say so.

# %% check 5
check.pairs_not_means(pairs, conclusion, model=MODEL, people=people, recording=recording)

# %% think first answers [markdown] tags=["solution"]
# ## Think first: answers
#
# - **What becomes narrower:** The interval of the mean, by about the root of two. The spread describes the patients and
#   stays.
# - **How many cells by chance:** About 5 % of 72, three or four, although sex changes nothing: that is what p < 0.05
#   promises. After Holm's correction none should be left.
# - **Cart 3:** Its mean must differ, because it is a mean over other conditions. Only patients with the same condition can
#   be compared.

# %% [markdown]
# ## Quiz

# %% quiz
check.quiz()

# %% progress
check.progress()

# %% [markdown]
# ## Take away
#
# - A cohort in moments is small, exact and mergeable: stop, go on, spread it over machines, and get the same bits.
# - Spread is about patients, the interval about their mean. Only the second shrinks.
# - Count every comparison that you would have reported. Holm's correction costs little and holds under any dependence.
# - A group may differ by whom it consists of. Compare within strata of what matters.
# - "No sure difference" of a few recordings is no "no difference": read the interval.
# - The cohort names where to look; an intervention says what it was.
#
# ## Go further
#
# - From the command line, on a laptop, SLURM or a GPU box: `leadwise cohort FOLDER`, [Cohorts](../book/cohorts.md)
# - Shortcuts that were seen only in many maps at once: Lapuschkin et al. 2019, Unmasking Clever Hans predictors,
#   [doi:10.1038/s41467-019-08987-4](https://doi.org/10.1038/s41467-019-08987-4)
#
# ## References
#
# 1. Welford 1962, Note on a method for calculating corrected sums of squares and products,
#    [doi:10.1080/00401706.1962.10490022](https://doi.org/10.1080/00401706.1962.10490022)
# 2. Chan, Golub, LeVeque 1983, Algorithms for computing the sample variance,
#    [doi:10.1080/00031305.1983.10483115](https://doi.org/10.1080/00031305.1983.10483115)
# 3. Wagner et al. 2020, PTB-XL, a large publicly available electrocardiography dataset,
#    [doi:10.1038/s41597-020-0495-6](https://doi.org/10.1038/s41597-020-0495-6)
# 4. Welch 1947, The generalization of "Student's" problem when several different population variances are involved,
#    [doi:10.1093/biomet/34.1-2.28](https://doi.org/10.1093/biomet/34.1-2.28)
# 5. Holm 1979, A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6, 65–70,
#    [jstor.org/stable/4615733](https://www.jstor.org/stable/4615733)
# 6. Mantel, Haenszel 1959, Statistical aspects of the analysis of data from retrospective studies of disease,
#    [doi:10.1093/jnci/22.4.719](https://doi.org/10.1093/jnci/22.4.719)
