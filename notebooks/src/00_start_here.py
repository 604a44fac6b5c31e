# %% [markdown]
# # 00 Start here
#
# **From Saliency to Semantics** is a course about one question: *why* did the network say so? It begins with photographs and
# AlexNet and ends with twelve-lead electrocardiograms, where an explanation can be checked lead by lead and wave by wave.
#
# **You will be able to**
#
# - check that everything is installed and see which data are in use,
# - use an explorer: controls at the left or above, the picture beside or below,
# - do an exercise and have it checked,
# - find your way through the course.
#
# **Before:** some Python. No cardiology. **Teaching, not diagnosis:** nothing here may be used to decide about a patient.

# %% [markdown]
# ## 1 Is everything there?
#
# Each line names a package and its version. zennit and signxai2 are other people's programs for the same methods; notebooks 04
# and 05 compare the course's maps with theirs.

# %% packages
from importlib.metadata import version
from textwrap import shorten

import torch

import leadwise
from leadwise.checks import start as check
from leadwise.explorers import ECGExplorer
from leadwise.plotting import plot_ecg
from leadwise.semantics import WAVES, wave_labels, waves_of

for package in ("leadwise", "torch", "numpy", "captum", "zennit", "signxai2", "wfdb", "matplotlib", "ipywidgets"):
    print(f"{package:12s}{version(package).split('+')[0]}")

# %% [markdown]
# ## 2 Which data are in use?
#
# The course runs without any download: it brings four small networks, trained on simulated ECGs, a gallery of simulated
# recordings, and a small AlexNet trained on drawn scenes. They are labelled so. The published networks, the AlexNet of
# ImageNet and real recordings replace them once they are there. In a terminal, in the folder of the course:
#
# ```
# .venv/bin/python -m leadwise download ecg-models ecgs alexnet
# ```
#
# Run this notebook again afterwards, and the lines below change.

# %% models
models = {name: leadwise.load_ecg_model(name) for name in ("AVB", "ISCH", "LBBB", "RBBB")}
alexnet = leadwise.load_alexnet()

# %% recordings
recordings = leadwise.records()
print(f"{len(recordings)} recordings:")
for info in recordings.values():
    print(" ", shorten(f"{info.title} [{info.origin}]", 100, placeholder=" ..."))

# %% [markdown]
# ## 3 From recording to heatmap, in five lines
#
# Load a recording, filter it as the networks expect, cut out 4 s, explain, draw. `target=1` asks about the network's second
# output, which stands for the block; the first, 0, stands for its absence. The method here is
# [LRP](../GLOSSARY.md#layer-wise-relevance-propagation): it gives each sample a share of the answer, its
# [relevance](../GLOSSARY.md#relevance).

# %% first heatmap
name = next(iter(leadwise.records("RBBB")))
ecg = leadwise.load_record(name).preprocess().window()
model = models["RBBB"]
relevance = leadwise.attribute(model, ecg.tensor(), "lrp_epsilon", target=1)
plot_ecg(ecg, relevance, title=f"RBBB network, p = {float(model.probability(ecg.tensor())):.2f}: LRP-ε")

# %% [markdown]
# Each thin line is one lead of the ECG: the voltage between electrodes on the skin, over time. Orange marks the samples that
# speak **for** a right bundle branch block in the eyes of this network, blue those that speak **against** it. Whether the network is
# right to look there is what the course is about.

# %% [markdown]
# ### Ask the network, not the map
#
# A map is a claim about the network, and a claim can be tested. A simulated patient has a healthy *twin*: the same heart and noise
# without the block. Put one part of the twin's beats into the patient's, and ask the network again.
#
# > **Think first.** Which part of the beat does the map above name? What will the probability do when that part alone is healthy?

# %% think first 1
check.think_first("the part that turns the answer")

# %% ask the network
patient = leadwise.simulate_ecg("RBBB", seed=1)
seen, twin = patient.preprocess().window(), patient.counterfactual.preprocess().window()
parts = wave_labels(waves_of(patient), seen.samples)
print(f"the patient               p = {float(model.probability(seen.tensor())):.2f}")
for wave in ("P", "QRS", "T"):
    mixed = torch.where(torch.from_numpy(parts == WAVES.index(wave)), twin.tensor(), seen.tensor())
    print(f"{wave:3s} as in the twin        p = {float(model.probability(mixed)):.2f}")

# %% [markdown]
# Where the answer turns, the network was looking. Notebook 10 does this for many patients and all methods.

# %% [markdown]
# ## 4 An explorer
#
# The same with controls. Change the recording, the method, its parameters; the picture follows. Above it stands the probability,
# below it the line of code that makes the same map. On a page without a running kernel you see a still picture instead.

# %% explorer
ECGExplorer(model="RBBB", method="integrated_gradients")

# %% [markdown]
# ## 5 An exercise, its check, a quiz
#
# Each notebook ends with exercises. A task names a variable or a function, the cell below it has room for it, and the next
# cell checks it: ✓ right, ✗ not yet, with a hint, ○ not done yet. Checks accept any right answer, never show the solution, and
# stay on your computer. Solutions, and answers to the prompts, are in the folder `notebooks/solutions`. Here is a small one to warm up.
#
# **1 Write code.** A network looks at 4 s of a recording, 500 samples a second. How many are that in each lead? Put the number
# into `samples`, run the cell, then the check.

# %% exercise 1 tags=["solution"] answers=["samples"]
# Exercise 1: the number of samples in 4 s at 500 Hz.
samples = 4 * 500

# %% check 1
check.samples_in_window(samples)

# %% [markdown]
# A quiz explains every option, also the right one. In the text, a prompt like the next line comes before the cell that
# answers it. The field below it keeps your first answer; nobody marks it, and `check.progress()` shows it again. Some
# exercises begin with a prediction in the same way: a wrong one is done as well as a right one.
#
# > **Think first.** What would you have to know before a heatmap may be believed?

# %% think first 2
check.think_first("before a heatmap may be believed")

# %% think first answers [markdown] tags=["solution"]
# ## Think first: answers
#
# - **The part that turns the answer:** The late peak of QRS. With the twin's QRS the probability falls to almost nothing; P
#   and T change next to nothing.
# - **Before a heatmap may be believed:** Which network, which method with which parameters, which class; whether the
#   network is right; and what the network does when the marked part is changed. The course adds a few more.

# %% quiz
check.quiz()

# %% progress
check.progress()

# %% [markdown]
# ## 6 The way through the course
#
# | notebook | after it, you can |
# |---|---|
# | **00 Start here** | check the environment, use the explorers |
# | [01 Inside AlexNet](01_inside_alexnet.ipynb) | read filters and feature maps, synthesise what a class looks like |
# | [02 Gradients and paths](02_gradients_and_paths.ipynb) | use gradients and integrated gradients, and name their baseline |
# | [03 Which class?](03_which_class.ipynb) | tell which maps answer for the class that you asked about |
# | [04 Layer-wise relevance](04_layer_wise_relevance.ipynb) | build LRP by hand, choose its rules, read conservation |
# | [05 SIGN](05_sign.ipynb) | explain the bias of "times input" and what SIGN changes |
# | [06 Can you trust it?](06_can_you_trust_it.ipynb) | test an explanation |
# | [07 Reading an ECG](07_reading_an_ecg.ipynb) | load, check, filter and delineate a recording |
# | [08 ECG models](08_ecg_models.ipynb) | run, port and train the networks |
# | [09 Lead-wise attribution](09_lead_wise_attribution.ipynb) | explain twelve leads with every method, and read the maps |
# | [10 From saliency to semantics](10_from_saliency_to_semantics.ipynb) | turn a map into statements that a cardiologist can check |
# | [11 Your own ECG](11_your_own_ecg.ipynb) | bring a recording and explain it |
# | [12 Cohorts](12_cohorts.ipynb) | explain many recordings, and not be fooled by many comparisons |
# | [13 Your own network](13_your_own_network.ipynb) | bring an architecture, read refusals and receipts |
#
# Pictures come first, since what a map does is seen at a glance there; hearts come second. Whoever reads ECGs daily may take
# the **clinician's path** instead: 07, 08, then of the pictures what hearts need (parts of 01, 02, 03 and 04), then 09, 10 and 11.
# The head of each notebook on it says what to read and do, how long that takes, and what comes next. Run the whole notebook first
# (*Run*, *Run All Cells*), for later cells use what earlier ones made. Of the code in 01 to 04 read
# only what the exercise needs. Quizzes also ask about what you left out: skip such questions.
# The [glossary](../GLOSSARY.md) explains words of both worlds.

# %% [markdown]
# ## If something fails
#
# - *ModuleNotFoundError*: the kernel is not the course's. Start JupyterLab with `make lab` in the course's folder.
# - *WeightsError*, *RecordError*: the message names the file and what to do about it.
# - *Error displaying widget*: the kernel that drew it is gone; run the cell again.
# - An explorer shows an orange line above its picture: that is the error; the picture below is the last good one.

# %% all good
assert relevance.shape == torch.Size([12, 2000])
print("All good.")
