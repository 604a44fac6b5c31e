# %% [markdown]
# # 11 Your own ECG
#
# This notebook starts from a file: it is read, checked, filtered, put before four networks, explained, described in
# words, and summed up on one page. Without a file of your own, an example takes its place.
#
# **You will be able to**
#
# - read a recording from WFDB, CSV, NumPy, EDF, DICOM or the XML of recorders, and say what the file does not say,
# - judge from measurements whether a recording is fit to be explained,
# - name faults that no check can find, and what networks answer to spoiled recordings,
# - put an explanation on one page with everything that another person needs to question it.
#
# **Before:** notebooks 07 to 10. **Teaching, not diagnosis:** nothing here may be used to decide about a patient, least
# of all about yourself. If a recording worries you, show it to a physician.
#
# **Clinician's path:** from 10; whole.

# %% imports
import tempfile
from pathlib import Path
from textwrap import fill

import edfio
import numpy as np

import leadwise
from leadwise import check_ecg, read_ecg
from leadwise.checks import own_ecg as check
from leadwise.ecg.leads import LEADS
from leadwise.plotting import percent, plot_ecg
from leadwise.recordings.quality import CHECKS, LIMITS
from leadwise.recordings.reading import FORMATS, MissingInformation
from leadwise.report import explain_ecg, plot_explanation, report
from leadwise.simulation.noise import Noise

folder = Path(tempfile.mkdtemp())
MODELS = {name: leadwise.load_ecg_model(name) for name in ("AVB", "ISCH", "LBBB", "RBBB")}

# %% [markdown]
# ## 1 What a file must say
#
# An array of numbers is no ECG. Three things make it one: the **[sampling rate](../GLOSSARY.md#sampling-rate)**, the
# **unit**, and **which channel is which lead**. [WFDB](../GLOSSARY.md#wfdb), EDF, DICOM and the XML of recorders (GE
# MUSE, HL7 aECG) have a place for them; a spreadsheet may hold some of them, a NumPy array none. Other recorders'
# files, PDF and photographs are refused by name.

# %% formats
for name, extensions in FORMATS.items():
    print(f"{name:8s} {', '.join(extensions)}")

# %% [markdown]
# The example is a recording of a left bundle branch block, written as many devices export it: whole microvolts, one
# column a lead, and nothing else.

# %% an example file
candidates = {name: leadwise.load_record(name) for name in leadwise.records("LBBB")}
name, example = next((name, ecg) for name, ecg in candidates.items() if ecg.duration >= 10 and not ecg.preprocessed)
info = leadwise.records()[name]
table = folder / "mine.csv"
np.savetxt(table, example.signal.T * 1000, fmt="%.0f", delimiter=",", header=",".join(LEADS), comments="")
print(f"{info.title} [{info.origin}]")
print(*table.read_text().splitlines()[:3], sep="\n")

# %% [markdown]
# > **Think first.** A number in the table is 250, in the second row. Which voltage is that, and how long after the first row
# > was it measured? What would you have to ask?

# %% think first 1
check.think_first("the number 250")

# %% ask
try:
    read_ecg(table)
except MissingInformation as question:
    print(fill(str(question), 100))

# %% [markdown]
# The reader asks instead of guessing. A wrong guess would not stop anything: the network would answer all the same.

# %% answer
ecg = read_ecg(table, fs=example.fs, unit="uV")
print(ecg)
print(f"largest difference from the original: {np.abs(ecg.signal - example.signal).max() * 1000:.2f} µV")

# %% [markdown]
# A header helps, but not always in the same words. EDF comes with names such as `EKG V1` or `aVR-Ref`. Two names are
# traps: `-aVR` is aVR upside down (Cabrera's order has it), and `MLII` is a Holter lead between electrodes on the
# trunk. The first is turned over with a note, the second is not taken for II.

# %% edf
labels = ["EKG I", "ECG II", "Lead III", "-aVR", "aVL-Ref", "aVF-Ref", *(f"EKG {lead}" for lead in LEADS[6:])]
signs = [-1 if label.startswith("-") else 1 for label in labels]
signals = [
    edfio.EdfSignal(sign * row * 1000.0, example.fs, label=label, physical_dimension="uV", physical_range=(-9999, 9999))
    for label, sign, row in zip(labels, signs, example.signal, strict=True)
]
edfio.Edf(signals).write(folder / "mine.edf")
from_edf = read_ecg(folder / "mine.edf")
print(from_edf, *from_edf.notes, sep="\n")
print(f"largest difference from the original: {np.abs(from_edf.signal - example.signal).max() * 1000:.2f} µV")

# %% [markdown]
# **Your file.** Write its path between the quotes, and what it does not say into the call. A WFDB record is two files:
# name the `.hea`, with the `.dat` beside it. Uploading is easier in the explorer of section 8.
#
# An ECG is personal: its shape alone can identify its owner [1]. On Binder and Colab your file goes to somebody else's
# machine, and an upload may stay in a saved notebook. Take a recording that you may share, without a name in it.

# %% your file
path = ""
if path:
    ecg = read_ecg(path)
    # with what the file does not say: read_ecg(path, fs=500, unit="uV", leads="I,II,III,aVR,aVL,aVF,V1,V2,V3,V4,V5,V6")
print(ecg)
print("notes:", *(ecg.notes or ["none"]))

# %% [markdown]
# ## 2 Is it fit to be explained?
#
# `check_ecg` measures, and compares with limits. An **error** means that the networks cannot run, or that their answer
# means nothing. A **warning** asks for a look. The checks are about the recording, not about the heart: where they find
# no fault, a cardiologist may find any disease.

# %% check
check_ecg(ecg)

# %% [markdown]
# No limit is better than its reason. Here are six of them; recommendations for electrocardiographs [2] stand behind the
# first, plain arithmetic behind most others.

# %% limits
print(f"{len(CHECKS)} checks, {len(LIMITS)} limits, among them")
for name in ("advised rate", "window", "einthoven", "largest recording", "clipped run", "wander"):
    limit = LIMITS[name]
    print(fill(f"{name}, {limit.value:g} {limit.unit}: {limit.reason}", 100, subsequent_indent="    "))

# %% look
plot_ecg(ecg, columns=4, rhythm="II" if ecg.duration > 6 else None, title="The recording, before any filter")

# %% [markdown]
# ## 3 Ways to spoil a recording
#
# A check is worth what it finds. Each function below puts one fault into the recording.

# %% faults
START = ecg.signal.shape[1] // 3


def swap_labels(signal, a="I", b="II"):
    """Exchange two leads, as a wrong column heading does."""
    signal[[LEADS.index(a), LEADS.index(b)]] = signal[[LEADS.index(b), LEADS.index(a)]]


def lose(signal):
    """Lose the connection for 0.2 s."""
    signal[8, START : START + 100] = np.nan


def clip(signal):
    """Record with too small a range."""
    signal[6:] = signal[6:].clip(-0.3, 0.3)


def hum(signal):
    """Add mains hum of 0.2 mV to the chest leads."""
    signal[6:] += 0.2 * np.sin(2 * np.pi * 50 * np.arange(signal.shape[1]) / ecg.fs)


def detach(signal):
    """Take V6 off."""
    signal[11] = 0


# %% spoil
def spoiled(change):
    """Return the recording with a fault."""
    signal = ecg.signal.copy()
    result = change(signal)
    return leadwise.ECG(signal if result is None else result, ecg.fs, record_id=change.__doc__ or "spoiled")


FAULTS = {
    "µV read as mV": lambda signal: signal * 1000,
    "gain 10 times too high": lambda signal: signal * 10,
    "I and II exchanged": swap_labels,
    "0.2 s lost": lose,
    "range too small": clip,
    "hum in the chest leads": hum,
    "V6 off": detach,
    "3 s only": lambda signal: signal[:, : int(3 * ecg.fs)],
}
for fault, change in FAULTS.items():
    worst = check_ecg(spoiled(change)).findings[0]
    print(fill(f"{fault:22s} {worst}", 110, subsequent_indent=" " * 23))

# %% [markdown]
# The advice for the exchanged leads names the right pair. [Einthoven's](../GLOSSARY.md#einthovens-law) and
# [Goldberger's](../GLOSSARY.md#goldbergers-leads) laws are four equations between six leads; one exchange, or one lead
# upside down, is the simplest change that repairs them all, and it is found by trying.
#
# > **Think first.** The same laws hold for a recording whose *cables* were exchanged at the patient. Why? Which lead would look
# > odd with the arms exchanged?

# %% think first 2
check.think_first("why exchanged cables keep the laws")

# %% exchanged cables
right = leadwise.simulate_ecg("NORM", seed=3, patient={"axis": 40})
wrong = leadwise.simulate_ecg("NORM", seed=3, patient={"axis": 40}, noise=Noise(reversal="LA-RA"))
print(check_ecg(wrong))
plot_ecg(right, leads=["I", "aVR", "V6"], columns=1, stop=4, title="Cables as they should be")

# %% arms exchanged
plot_ecg(wrong, leads=["I", "aVR", "V6"], columns=1, stop=4, title="Left and right arm exchanged")

# %% [markdown]
# Whatever is connected, each limb lead is a difference of two potentials, and around the loop they sum to zero. What
# betrays the exchange is the direction of P and QRS: down in I, where V6 still points up [3]. That is a rule of thumb,
# hence a warning. Exchange left arm and left leg, and no rule is certain: P then points above the horizontal, upright
# in I and small in II, as it does in some good recordings.
#
# How often does each rule see its exchange, and how often does a good recording raise a false alarm? Simulated hearts
# tell, because their cables are known.

# %% how good are the checks
SEEDS = range(8)
for reversal in ("LA-RA", "RA-LL", "LA-LL"):
    reports = [check_ecg(leadwise.simulate_ecg("NORM", seed=seed, noise=Noise(reversal=reversal))) for seed in SEEDS]
    seen = sum(any(finding.check == "cables" for finding in found.findings) for found in reports)
    print(f"{reversal} exchanged: seen in {seen} of {len(SEEDS)}")
good = [
    check_ecg(leadwise.simulate_ecg(kind, seed=seed)) for kind in ("NORM", "AVB", "LBBB", "ISCH") for seed in range(3)
]
print(f"good recordings: errors in {sum(not found.ok for found in good)} of {len(good)}, warnings in", end=" ")
print(sum(bool(found.of("warning")) for found in good))

# %% [markdown]
# The last exchange is noticed where P points steeply down, so that its mirror image points above the horizontal;
# elsewhere the rule has nothing to see. In more than 18,000 hospital recordings, QRS axis and P amplitudes found 22 %
# of the exchanges of left arm and left leg [5].

# %% [markdown]
# ## 4 Networks answer anyway
#
# A network has no way to say "this is no ECG". It maps any array to a probability.
#
# > **Think first.** Choose two of the faults above: one that should change the networks' answers, and one that should not.
#
# Here is what they say to the spoiled recordings that can be filtered at all.

# %% think first 3
check.think_first("two faults")


# %% answers to spoiled recordings
def answers(recording, start=0.0):
    """Return what each network says to 4 s of a recording, from ``start`` seconds on."""
    x = recording.resample(500).preprocess().window(start).tensor()
    return {name: float(model.probability(x)) for name, model in MODELS.items()}


print(f"{'':24s}" + "".join(f"{name:>8s}" for name in MODELS) + "   check")
for fault, change in {"as recorded": lambda signal: signal, **FAULTS}.items():
    recording = spoiled(change)
    if np.isfinite(recording.signal).all() and recording.duration >= 4:
        verdict = "passed" if check_ecg(recording).ok else "error"
        print(f"{fault:24s}" + "".join(f"{value:8.2f}" for value in answers(recording).values()) + f"   {verdict}")

# %% [markdown]
# Where an answer changes, the fault made it; where it stays, the answer is not therefore right. The check in the last
# column knows nothing of any network: it can stop a recording before there is an answer to believe.

# %% [markdown]
# ## 5 Before the networks: rate, filter, window
#
# The networks were trained at 500 Hz, behind one filter chain, on the first 4 s of 10 s [4]. `resample(500)` and
# `preprocess()` bring any recording there, in this order; notebook 07 shows what the chain distorts. The
# [window](../GLOSSARY.md#window) is your choice, and the choice should not matter. Does it?

# %% window
prepared = ecg.resample(500).preprocess()
starts = np.arange(0, prepared.duration - 4 + 0.01, 0.5)  # s
curves = {
    name: [float(model.probability(prepared.window(s).tensor())) for s in starts] for name, model in MODELS.items()
}
print(f"p(pathology) over {len(starts)} windows of 4 s")
for name, values in curves.items():
    spread = max(values) - min(values)
    said = f"spread {spread:.2f}" if spread >= 0.05 else "hardly any spread"
    print(f"{name:5s} from {min(values):.2f} to {max(values):.2f}: {said}")

# %% [markdown]
# Hardly any spread: the window did not matter on this recording, and that is a result. A spread has three possible
# sources: the *heart*, whose beats may differ (in a Wenckebach period PR grows until a beat is dropped, and an
# extrasystole stands in one window only); the *recording*, whose noise may; and the *network*, to which it may matter
# where the window cuts a beat. Look at the ECG before you blame the last. One number from one window hides all three.

# %% [markdown]
# ## 6 Explain, then describe
#
# `explain_ecg` does what the notebooks 08 to 10 did step by step: check, filter, run all four networks, explain the
# log-odds of the most probable one, sum the relevance over leads and waves, measure what the criteria limit, and say it
# in sentences.

# %% explain
explanation = explain_ecg(ecg, MODELS, method="lrp_epsilon", epsilon=0.1)
for name, probability in explanation.probabilities.items():
    print(f"p({name}) = {probability:.3f} [{explanation.sources[name]} network]")
plot_explanation(explanation)

# %% matrix
explanation.matrix.plot(title=f"LRP-ε of the {explanation.model} network: lead x wave")

# %% describe
print(fill(explanation.answer, 100))
print(fill(explanation.sentence, 100))

# %% measured beside the criteria
for name, text in explanation.measured.items():
    print(fill(f"{name:5s} {text}", 100, subsequent_indent=" " * 6))

# %% [markdown]
# The sentences are about a network: what it answers, and where its evidence lies beside where the criteria look. They
# do not say that the patient has the diagnosis, nor that the network is right for the right reason. What was measured
# knows nothing of any network. Where a network names a finding whose limit is not reached, believe neither before you
# have looked.
#
# **No finding is an answer.** Below 0.5 for all networks, the words say that no network names its pathology. There is a
# map all the same: of what raised the log-odds of the most probable one although the answer is no.

# %% no finding
healthy = (explain_ecg(leadwise.simulate_ecg("NORM", seed=seed), MODELS, epsilon=0.1) for seed in range(3, 30))
nothing = next(found for found in healthy if not found.named)
print(fill(nothing.answer, 100))
print(fill(nothing.sentence, 100))
print(fill(f"On real recordings: {nothing.real}", 100))

# %% [markdown]
# And another method may tell another story:

# %% another method
for method in ("gradient_x_input", "gradient_x_sign", "integrated_gradients"):
    other = explain_ecg(ecg, MODELS, method=method, explain=explanation.model)
    correlation = np.corrcoef(other.relevance.ravel(), explanation.relevance.ravel())[0, 1]
    print(fill(f"{method} (correlation with LRP-ε {correlation:.2f}): {other.sentence}", 100, subsequent_indent="    "))

# %% [markdown]
# Report the method with the map, always. A finding on which different methods agree is a better one.

# %% [markdown]
# ## 7 One page
#
# Another person can question an explanation only with everything on the table: the recording and its faults, all four
# answers and what they are worth, what was measured, the map with its scale, the method with its parameters and its
# source, the versions. `report` puts it on one page, as PDF and as HTML.

# %% report
page = report(ecg, MODELS, method="lrp_epsilon", epsilon=0.1, dated="Example")
print("saved in plots/reports:", page.pdf.name, "and", page.html.name)
page

# %% [markdown]
# ## 8 Explore
#
# Upload a file, or write a path. What the file does not say is asked for above the picture. The button saves the page.

# %% explorer
from leadwise.explorers import OwnECG

explorer = OwnECG(ecg)
explorer

# %% [markdown]
# ## Exercises
#
# Each cell holds the names that its check asks for. Solutions are in `solutions/11_your_own_ecg.ipynb`.
#
# **1 Write code.** The array below holds the recording in Cabrera's order (aVL, I, -aVR, II, aVF, III, then V1 to V6),
# in steps of 4.88 µV, without a word about it. Read it as `read`, and prove that you read it right.

# %% an array without a word
order = ["aVL", "I", "-aVR", "II", "aVF", "III", *LEADS[6:]]
rows = [-ecg.lead("aVR") if lead == "-aVR" else ecg.lead(lead) for lead in order]
np.save(folder / "cabrera.npy", np.round(np.stack(rows) / 0.00488).astype(np.int16))

# %% exercise 1 tags=["solution"] answers=["read"]
# Exercise 1: read folder / "cabrera.npy" and compare it with `ecg`.
read = read_ecg(folder / "cabrera.npy", fs=ecg.fs, unit=0.00488, leads=order)
print(*read.notes, sep="\n")
print(
    f"largest difference {np.abs(read.signal - ecg.signal).max() * 1000:.1f} µV: at most half a step of the converter"
)
print(check_ecg(read))

# %% check 1
check.read_right(read, ecg=ecg)

# %% [markdown]
# **2 Predict, then look.** Which faults break a law that `check_ecg` knows: `"V1 and V2"` exchanged, `"II and V2"`
# exchanged, `"aVF upside down"`, all chest leads in reverse order (`"chest reversed"`)? Write which into `predicted`,
# and run the check: it keeps your prediction, and never marks it. Then try, and set `findable` to what you see: True or
# False for each.


# %% exercise 2 tags=["solution"] answers=["predicted", "findable"]
# Exercise 2: predicted, a list; findable = {"V1 and V2": ..., "II and V2": ..., "aVF upside down": ..., "chest reversed": ...}.
# Then spoil the recording in the four ways, as in section 3, and look at what the checks say.
predicted = ["II and V2", "aVF upside down"]
findable = {"V1 and V2": False, "II and V2": True, "aVF upside down": True, "chest reversed": False}


def reverse_chest(signal):
    """V6 to V1."""
    signal[6:] = signal[:5:-1].copy()


def turn_avf(signal):
    """The lead aVF upside down."""
    signal[5] *= -1


for fault, change in {
    "V1 and V2": lambda signal: swap_labels(signal, "V1", "V2"),
    "II and V2": lambda signal: swap_labels(signal, "II", "V2"),
    "aVF upside down": turn_avf,
    "chest reversed": reverse_chest,
}.items():
    print(fill(f"{fault}: {check_ecg(spoiled(change))}", 100, subsequent_indent="    "))
# The limb leads obey laws, so that a change of any of them is found. No law ties the chest leads to one another: their order is a
# matter of how R grows from V1 to V6, which differs between patients and vanishes in a bundle branch block.

# %% check 2
check.what_a_check_finds(predicted, findable)

# %% [markdown]
# **3 Find the bug.** A colleague received a file recorded at 250 Hz and read it as below. No error appears. Read it
# right, as `repaired`, and find two measurements that show what went wrong: `measured`, a dict from their names to
# `(colleague's, repaired)`. `delineate(recording).intervals()` of `leadwise.ecg.delineation` measures some, in ms.

# %% a colleague's file
slow = ecg.resample(250)
np.savetxt(folder / "slow.csv", slow.signal.T, fmt="%.3f", delimiter=",", header=",".join(LEADS), comments="")
colleague = read_ecg(folder / "slow.csv", fs=500, unit="mV")
print(check_ecg(colleague))

# %% exercise 3 tags=["solution"] answers=["repaired", "measured"]
# Exercise 3: read folder / "slow.csv" with the right rate; measured = {"...": (colleague's, repaired), "...": (...)}.
from leadwise.ecg.delineation import delineate

repaired = read_ecg(folder / "slow.csv", fs=250, unit="mV")
beats = [delineate(recording).intervals()["RR"] for recording in (colleague, repaired)]
measured = {
    "duration (s)": (colleague.duration, repaired.duration),
    "heart rate (/min)": tuple(60000 / interval for interval in beats),
}
for name, (before, after) in measured.items():
    print(f"{name:18s}{before:6.0f} -> {after:.0f}")
# Time was halved. A device that stores 10 s does not store 5, and the check warns of it; the doubled heart rate may still be one
# that hearts have.

# %% check 3
check.the_right_rate(repaired, measured, slow=slow)

# %% [markdown]
# **4 Interpret.** Section 5 moved the window. Move it for the map: explain one network, by one method, at three starts,
# the first at 0 s, as `windows`. Put the correlations of the second and third with the first into `correlations`: of
# the shares in their lead × wave matrices, `window.matrix.share()`, a table (12, 6);
# `np.corrcoef(a.ravel(), b.ravel())[0, 1]` compares two. Which `reading` is right?
#
# - **a** The window with the highest probability shows best what the network has learned.
# - **b** What repeats belongs to network and heart; what changes belongs to the window.
# - **c** The mean probability over the windows is the patient's risk.

# %% exercise 4 tags=["solution"] answers=["windows", "correlations", "reading"]
# Exercise 4: three results of explain_ecg(ecg, MODELS, explain=..., start=...), two numbers, and "a", "b" or "c".
last = prepared.duration - 4
windows = [explain_ecg(ecg, MODELS, explain=explanation.model, start=start) for start in (0, last / 2, last)]
for window in windows:
    (lead, wave), share = window.matrix.ranked()[0]
    p = window.probabilities[window.model]
    print(f"from {window.start:.1f} s: p = {p:.2f}, first {wave} in {lead} ({percent(share)})")
shares = [window.matrix.share().ravel() for window in windows]
correlations = [np.corrcoef(shares[0], share)[0, 1] for share in shares[1:]]
print("correlation with the first:", *(f"{value:.2f}" for value in correlations))
reading = "b"
# A mean over windows, or over beats (notebook 10), is the better statement, with the spread beside it.

# %% check 4
check.three_windows(windows, correlations, reading)

# %% [markdown]
# ## Capstone: a dossier
#
# Take a recording of your own, or one of `leadwise.records()` that this notebook has not used. The six parts below make
# a dossier of it; each is checked by itself. In the end somebody who doubts your page should find every answer in it.
#
# **5 What was told to the reader.** Load the recording as `own`. Then say for rate, unit and leads where each comes
# from, in words: `told`, a dict with the keys fs, unit and leads. "The header" is an answer; a guess is none.

# %% exercise 5 tags=["solution"] answers=["own", "told"]
# Exercise 5: own = read_ecg(...) or leadwise.load_record(...); told = {"fs": "...", "unit": "...", "leads": "..."}.
own = leadwise.load_record(next(iter(leadwise.records("RBBB"))))
told = dict.fromkeys(("fs", "unit", "leads"), "the WFDB header beside the signal file")
print(own)

# %% check 5
check.what_was_told(own, told, used=ecg)

# %% [markdown]
# **6 Findings.** Which checks raise an error or a warning? `found` is the list of their names, `matter` of those that
# could change a network's answer. Either may be empty.

# %% exercise 6 tags=["solution"] answers=["found", "matter"]
# Exercise 6: names such as "duration"; a finding has .check, .severity and .measured.
quality = check_ecg(own)
print(quality)
found = [finding.check for finding in quality.findings if finding.severity != "info"]
matter = [name for name in found if name != "duration"]
# A fault inside the 4 s of the window can change an answer; a recording longer or shorter than 10 s changes little.

# %% check 6
check.findings(own, found, matter)

# %% [markdown]
# **7 All windows.** What do the four networks say, over all windows of 4 s, one start a second? `by_window` is a dict:
# network
# → its probabilities in the order of the starts.

# %% exercise 7 tags=["solution"] answers=["by_window"]
# Exercise 7: as in section 5, with a start every second.
signal = own.resample(500).preprocess()
cuts = [signal.window(start).tensor() for start in np.arange(0, signal.duration - 4 + 0.01)]
by_window = {name: [float(model.probability(cut)) for cut in cuts] for name, model in MODELS.items()}
for name, values in by_window.items():
    print(f"p({name}) from {min(values):.2f} to {max(values):.2f} over {len(values)} windows")

# %% check 7
check.all_windows(own, by_window, models=MODELS)

# %% [markdown]
# **8 Two methods.** Explain the most probable network twice, by methods that share out the logit in different ways:
# `first` and `second`, from `explain_ecg`.

# %% exercise 8 tags=["solution"] answers=["first", "second"]
# Exercise 8: two results of explain_ecg(own, MODELS, method=...).
first, second = (explain_ecg(own, MODELS, method=method) for method in ("lrp_epsilon", "integrated_gradients"))
for found_by in (first, second):
    print(fill(f"{found_by.method}: {found_by.sentence}", 100))

# %% check 8
check.two_methods(own, first, second)

# %% [markdown]
# **9 Agreement.** Do they agree, with each other and with the criteria? `agreed` is the set of cells (lead, wave) that
# are among the five strongest of both matrices (`first.matrix.ranked()[:5]`, a list of (cell, share)), `correlation`
# compares `first.matrix.share()` with that of `second`, as in exercise 4, and `lift` is that of the criterion's cells
# in `first`: `agreement(first.matrix, first.model).lift`, of `leadwise.semantics`. Where the lift is low: is that the
# network, the method, or the recording?

# %% exercise 9 tags=["solution"] answers=["agreed", "correlation", "lift"]
# Exercise 9: a set of (lead, wave), and two numbers.
from leadwise.semantics import agreement

agreed = set.intersection(*({cell for cell, _ in found_by.matrix.ranked()[:5]} for found_by in (first, second)))
correlation = np.corrcoef(first.matrix.share().ravel(), second.matrix.share().ravel())[0, 1]
lift = agreement(first.matrix, first.model).lift
print("both name", ", ".join(f"{wave} in {lead}" for lead, wave in sorted(agreed)) or "no cell")
print(f"correlation of the matrices {correlation:.2f}; lift of the criterion's cells {lift:.1f}")
# Another method tells the network's share from the method's; another window, the recording's.

# %% check 9
check.where_they_agree(first, second, agreed, correlation, lift)

# %% [markdown]
# **10 One page.** Save the page that shows what `first` shows, as `page`. Add `not_concluded`: a list of two sentences
# about what you would *not* conclude from it.

# %% exercise 10 tags=["solution"] answers=["page", "not_concluded"]
# Exercise 10: page = report(own, MODELS, ...); not_concluded = ["...", "..."].
page = report(own, MODELS, method=first.method, explain=first.model, dated="Example")
not_concluded = [
    "The patient has, or has not, what the networks name.",
    "A network whose map lies where the criteria look has learned the criteria.",
]
print("saved in plots/reports:", page.pdf.name)
# The map of one recording shows where one answer came from, not what the network would do on the next.

# %% check 10
check.one_page(first, page, not_concluded)

# %% think first answers [markdown] tags=["solution"]
# ## Think first: answers
#
# - **The number 250:** Unknown without the unit and the rate: 250 µV or 250 steps of a converter, and 2 ms or 4 ms later.
#   One has to ask for rate and unit, and which column is which lead.
# - **Why exchanged cables keep the laws:** The laws follow from differences of three potentials, whatever limbs they come
#   from. With the arms exchanged lead I is upside down: P and QRS point down in it.
# - **Two faults:** A fault that moves what the network reads, such as a wrong rate or unit, should change the answers; one
#   that repeats what other leads say, or lies outside of the window, should not. The table says whether it was so.

# %% [markdown]
# ## Quiz

# %% quiz
check.quiz()

# %% progress
check.progress()

# %% [markdown]
# ## Take away
#
# - Sampling rate, unit and lead names decide what the numbers mean. Ask; do not guess.
# - Limb leads obey laws, so that mislabelled ones are found. Exchanged cables and chest leads leave traces, or none.
# - A network answers to anything. Check the recording first, by measurements that know nothing of the network.
# - One window, one method, one number are one opinion. Move the window, change the method, and report the spread.
# - "No network names its pathology" is an answer, and no statement about the heart.
# - A page that others can question says everything: recording, faults, answers, method, parameters, source, versions.

# %% [markdown]
# ## Go further
#
# - Real recordings to practise on, with labels by cardiologists: Wagner et al. 2020, PTB-XL, a large publicly available
#   electrocardiography dataset, [doi:10.1038/s41597-020-0495-6](https://doi.org/10.1038/s41597-020-0495-6)
# - What to report about a model, and for whom: Mitchell et al. 2019, Model cards for model reporting,
#   [doi:10.1145/3287560.3287596](https://doi.org/10.1145/3287560.3287596)
# - From one dossier to a study of many: [12 Cohorts](12_cohorts.ipynb)

# %% [markdown]
# ## References
#
# 1. Biel, Pettersson, Philipson, Wide 2001, ECG analysis: a new approach in human identification,
#    [doi:10.1109/19.930458](https://doi.org/10.1109/19.930458)
# 2. Kligfield et al. 2007, Recommendations for the standardization and interpretation of the electrocardiogram, part I,
#    [doi:10.1161/CIRCULATIONAHA.106.180200](https://doi.org/10.1161/CIRCULATIONAHA.106.180200)
# 3. Batchvarov, Malik, Camm 2007, Incorrect electrode cable connection during electrocardiographic recording,
#    [doi:10.1093/europace/eum198](https://doi.org/10.1093/europace/eum198)
# 4. Gumpfer et al. 2024, Towards trustworthy AI in cardiology: a comparative analysis of explainable AI methods for
#    electrocardiogram interpretation, AIME 2024, [doi:10.1007/978-3-031-66535-6_36](https://doi.org/10.1007/978-3-031-66535-6_36)
# 5. The development and validation of an early warning system to prevent the acquisition of 12-lead resting ECGs with
#    interchanged electrode positions, 2014, [doi:10.1016/j.jelectrocard.2014.08.015](https://doi.org/10.1016/j.jelectrocard.2014.08.015)
