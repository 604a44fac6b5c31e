# %% [markdown]
# # A10 Semantics, further
#
# Two comparisons that notebook 10 leaves out, for those who want to read relevance over many patients: the ill with the
# healthy, and one method with another; and the course's benchmark in one figure.
#
# **Before:** notebook 10. **Teaching, not diagnosis:** nothing here may be used to decide about a patient.

# %% imports
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import torch
from IPython.display import display

import leadwise
from leadwise.attribution import MethodWarning
from leadwise.cohort import Cohort
from leadwise.comparison import title_of
from leadwise.ecg.leads import LEADS
from leadwise.evaluation import area_share, relevance_mass
from leadwise.paths import checkout
from leadwise.plotting import percent, plot_ground_truth, plot_matrix, signed_percent
from leadwise.semantics import WAVES, agreement, lead_wave_matrix, waves_of

# %% set up
explain = partial(leadwise.attribute, explain="log-odds", progress=False)
PATHOLOGIES = ("AVB", "ISCH", "LBBB", "RBBB")
MODELS = {name: leadwise.load_ecg_model(name) for name in PATHOLOGIES}
COUNT = 8


def patient(condition, seed):
    """A simulated patient: the window that a model sees, and the waves in it."""
    whole = leadwise.simulate_ecg(condition, seed)
    return whole.preprocess().window(), waves_of(whole)


patients = {name: [patient(name, 9_000_000 + i) for i in range(COUNT)] for name in PATHOLOGIES}
x = {name: torch.stack([ecg.tensor() for ecg, _ in group]) for name, group in patients.items()}
masks = {name: np.stack([ecg.causal_mask for ecg, _ in group]) for name, group in patients.items()}
others = [patient("NORM", 9_100_000 + i) for i in range(COUNT)]
normal = torch.stack([ecg.tensor() for ecg, _ in others])

# %% [markdown]
# ## 1 Compared with whom?
#
# Much of a map is the same in the healthy: a QRS complex gives relevance because it is large. Relevance answers "what
# contributed to these log-odds", against a flat line; a physician asks "what differs from a healthy person". With enough
# recordings the second question can be put to the matrices: mean of the ill minus mean of *other*, healthy, people. Where
# the method shares out the log-odds, the difference shares out the difference of their means.
#
# Two steps lead there. First sum over leads and waves with the sign, so that what alternates from sample to sample cancels.
# Then subtract the healthy. The columns of the table show the relevance mass [1] inside the cause, one step after the other.


# %% two sums
def mean_matrix(found, group):
    """Mean signed matrix of maps, in units of the log-odds, (12, 6)."""
    cohort = Cohort()
    for map_, (_, w) in zip(found, group, strict=True):
        cohort.update(signed=lead_wave_matrix(map_, w).sum("signed"))
    return cohort.mean("signed")


def inside_cause(table, name):
    """Share of a table's positive sum on the cause: each cell counts by the part of it that the mask covers."""
    causes = [lead_wave_matrix(ecg.causal_mask.astype(float), w) for ecg, w in patients[name]]
    area = np.mean([m.area for m in causes], 0)
    covered = np.mean([m.positive for m in causes], 0) / masks[name][0].size
    cover = np.divide(covered, area, out=np.zeros_like(area), where=area > 0)
    positive = table.clip(min=0)
    return (positive * cover).sum() / positive.sum()


# %% ill minus healthy
difference, rows = {}, []
for name, model in MODELS.items():
    found, of_normal = (explain(model, signals, "lrp_epsilon", target=1) for signals in (x[name], normal))
    ill = mean_matrix(found, patients[name])
    difference[name] = ill - mean_matrix(of_normal, others)
    by_sample, area = relevance_mass(found, masks[name]).mean(), area_share(masks[name]).mean()
    rows.append([area, by_sample, inside_cause(ill, name), inside_cause(difference[name], name)])
plot_matrix(
    rows,
    PATHOLOGIES,
    ("area of the cause", "sample by sample", "leads × waves", "minus the healthy"),
    title="LRP-ε: positive relevance inside the cause",
    label=f"{COUNT} patients of each pathology, {COUNT} healthy people",
    write=percent,
)

# %% ischaemia
plot_matrix(
    difference["ISCH"] / np.abs(difference["ISCH"]).sum(),
    LEADS,
    WAVES,
    title="Ischaemia, ill minus healthy",
    label="share of Σ|difference| of the signed sums",
    write=signed_percent,
)

# %% [markdown]
# Where the numbers rise from left to right, the map was better than it looked: the cause was in it, under contributions
# that cancel and contributions that the healthy have as well. A row that stays near its area is not helped: there the
# method puts the relevance beside the cause, and only an intervention shows what the network used. Where the numbers fall
# at the second step, the map was sharper than a wave: a cell counts by the part of it that the cause covers, no better.

# %% [markdown]
# ## 2 Where methods disagree
#
# What a sample says depends on the method. Of most, the positive relevance speaks for the pathology. The sign of a gradient is
# no such claim: a sample that should *fall* matters as much as one that should rise. There the magnitude counts, as
# `METHODS["gradient"].ranks` says; judged by its positive part, the gradient would be judged by half of it.
#
# Same network, same patients. On which level will methods agree better: sample by sample, or summed to leads by waves? Guess
# before you go on.

# %% evidence
COMPARED = {
    "random": "random",
    "gradient": "grad",
    "gradient_x_input": "grad × x",
    "integrated_gradients": "IG",
    "grad_cam_pp": "CAM",
    "lrp_epsilon": "ε",
    "lrp_epsilon_std_x": "ε·std",
    "lrp_gamma": "γ",
    "lrp_alpha_beta": "αβ",
}


def evidence_of(name, method):
    """What a method shows of one model's patients, (N, 12, T): positive parts, or magnitudes."""
    options = {"steps": 20} if method == "integrated_gradients" else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MethodWarning)  # Grad-CAM has no leads, see notebook 09
        R = explain(MODELS[name], x[name], method, target=1, **options)
    return R.abs() if leadwise.METHODS[method].ranks == "absolute" else R.clamp(min=0)


# %% several methods
several, tables, columns = {}, {}, {}
for name in ("AVB", "ISCH"):
    several[name] = {method: evidence_of(name, method) for method in COMPARED}
    tables[name] = {
        method: [lead_wave_matrix(map_, w) for map_, (_, w) in zip(found, patients[name], strict=True)]
        for method, found in several[name].items()
    }
    columns[f"{name}: cause"] = [relevance_mass(found, masks[name]).mean() for found in several[name].values()]
    columns[f"{name}: criteria"] = [np.mean([agreement(m, name).share for m in some]) for some in tables[name].values()]
plot_matrix(
    np.transpose(list(columns.values())),
    [title_of(method) for method in COMPARED],
    list(columns),
    title="Two models, each with its patients",
    label="share of the relevance, positive or in magnitude, inside the known cause, and in the cells of the criteria",
    write=percent,
)

# %% who agrees with whom
samples = np.stack([found.numpy().ravel() for found in several["AVB"].values()])
cells = np.stack([np.ravel([m.share() / m.area.clip(min=1e-9) for m in found]) for found in tables["AVB"].values()])
pairs = np.triu(np.ones((len(COMPARED), len(COMPARED)), bool), 1)
pairs[0] = False  # the random map agrees with nobody
for level, values in {"sample by sample": samples, "lead by wave, lift": cells}.items():
    print(f"mean correlation of two methods, {level:20s}{np.corrcoef(values)[pairs].mean():.2f}")
plot_matrix(
    np.corrcoef(cells),
    [title_of(method) for method in COMPARED],
    list(COMPARED.values()),
    title="AVB: correlation of the lead × wave lifts",
    label="over all cells of all patients",
    write="{:.2f}".format,
)

# %% [markdown]
# In the first table, follow one row from AVB to ISCH: does a method keep its place? In the second, look for blocks: methods
# that agree with each other are not therefore right, as the first table shows.
#
# Where methods differ, their formulas say why:
#
# - **Another question.** The gradient asks for sensitivity, which a flat line can have. All others ask for contributions.
# - **Another reference.** Integrated gradients count from the flat line. LRP counts from zero activations, layer by layer.
# - **Another treatment of contradiction.** LRP-γ and αβ suppress or separate negative contributions; ε lets them cancel
#   before anything is handed down.
# - **Another factor at the end.** Most methods multiply by the voltage. A PR segment is nearly flat, so they can give it
#   little, however much the network depends on it.
# - **Another resolution.** Grad-CAM++ places its map where the last layer answers, and copies it to all leads. That suits a
#   cause that lies in a stretch of time, such as an interval, and not one that lies in some leads.
#
# Choose the method by the question, state it with the sentence, and show a second one with another answer to these points.

# %% [markdown]
# ## 3 Every method, every cause
#
# The course's benchmark asks every method, and controls that know no network, where the answer changes: of patients by
# exchanging parts with the healthy twin, of scenes by taking objects away. It is made with
# `python benchmarks/ground_truth.py` in the checkout, and shown where its table is present. No method was dropped because it
# looks bad.

# %% benchmark
table = (checkout() or Path.cwd().parent) / "benchmarks" / "ground_truth.csv"
if table.exists():
    display(plot_ground_truth(table))
else:
    print("No table yet. Make it with:  python benchmarks/ground_truth.py")

# %% [markdown]
# Read three things off. Where are the controls? What is not above them has shown nothing about the network. Which methods
# that looked good by localisation are low here, and the other way round? And follow one method from column to column: a good
# place among pictures is no recommendation for ECGs, nor one in one diagnosis for another. In the column of scenes, the twin
# is the same picture without its two objects: one speaks for the explained class, the other against it. The table behind the
# figure has intervals, tuned settings and the other measures, each column described in the JSON beside it.

# %% [markdown]
# ## Go further
#
# - Averages over beats, leads and patients on real recordings: Bender et al. 2022, Analysis of a deep learning model for
#   12-lead ECG classification, [doi:10.48550/arXiv.2211.01738](https://doi.org/10.48550/arXiv.2211.01738)
# - Concepts instead of samples, and subgroups of patients found in maps: Wagner et al. 2024, Explaining deep learning for ECG
#   analysis, [doi:10.48550/arXiv.2305.17043](https://doi.org/10.48550/arXiv.2305.17043)
# - The published networks against guidelines, by thousands of beats, beside the input itself and noise as baselines: Gumpfer
#   et al. 2026, Beyond local inspection, [code and tables](https://github.com/nilsgumpfer/globalxaiecg)
# - Other truths for maps of time series: known features of a synthetic set, Turbé et al. 2023,
#   [doi:10.1038/s42256-023-00620-w](https://doi.org/10.1038/s42256-023-00620-w); predictions while points are taken out by
#   the sign of their relevance, Jang et al. 2025 (TIMING), [arXiv:2506.05035](https://arxiv.org/abs/2506.05035)
#
# ## References
#
# 1. Arras, Osman, Samek 2022, CLEVR-XAI: a benchmark dataset for the ground truth evaluation of neural network
#    explanations, [doi:10.1016/j.inffus.2021.11.008](https://doi.org/10.1016/j.inffus.2021.11.008)
