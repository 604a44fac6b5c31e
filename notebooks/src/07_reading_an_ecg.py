# %% [markdown]
# # 07 Reading an ECG
#
# A network sees an ECG as an array of 12 by some thousand numbers. This notebook is about what these numbers are, before
# anything is explained.
#
# **You will be able to**
#
# - load a WFDB record and check its leads, unit and sampling rate,
# - derive the limb leads and test a recording with Einthoven's law,
# - say how one moving vector makes twelve leads,
# - name what each filter removes, and what it distorts,
# - find P, QRS and T, and measure PR, QRS and QT.
#
# **Before:** notebook 00. **Teaching, not diagnosis:** nothing here may be used to decide about a patient.
#
# **Clinician's path:** from 00; whole: what happens to a recording before a network sees it, and with which error PR and
# QRS are measured. Next: 08.

# %% imports
from textwrap import fill, shorten

import matplotlib.pyplot as plt
import numpy as np

import leadwise
from leadwise.checks import reading as check
from leadwise.ecg.delineation import BORDERS, ERRORS, delineate
from leadwise.ecg.filters import STEPS, frequency_response
from leadwise.ecg.leads import LEADS, derive_limb_leads, einthoven_residual
from leadwise.explorers import HeartVector
from leadwise.plotting import plot_ecg
from leadwise.semantics import measure
from leadwise.simulation.heart_vector import DOWER

# %% [markdown]
# ## 1 A record is more than an array
#
# A WFDB record is a header (`.hea`, text) and a signal file (`.dat` or `.mat`). The header holds what the array cannot:
# sampling rate, unit, gain, the order of the leads. Real recordings are used where they have been downloaded, simulated
# ones where not.

# %% records
for info in leadwise.records().values():
    print(shorten(f"{info.title} [{info.origin}]", 100, placeholder=" ..."))

# %% header
name, info = next((name, info) for name, info in leadwise.records("NORM").items() if info.path.suffix == ".hea")
print(info.path.name)
print("\n".join(info.path.read_text().splitlines()[:4]))

# %% [markdown]
# The first line reads: name, 12 signals, 500 samples a second, 5000 samples. Each further line is one lead; `1000.0(0)/mV` means
# that 1000 steps of the converter are one millivolt. `load_ecg` uses all of it, brings the leads into the standard order,
# converts to mV, and reports what looks wrong.

# %% load
ecg = leadwise.load_ecg(info.path)
print(ecg)
print("notes:", *(ecg.notes or ["none"]))
plot_ecg(ecg, columns=4, rhythm="II", title="A printed ECG: 2.5 s of each lead, 10 s of lead II")

# %% [markdown]
# **ECG paper.** Paper runs at 25 mm/s and 1 mV is 10 mm high. A small square (1 mm) is 40 ms and 0.1 mV, a large one (5 mm)
# 200 ms and 0.5 mV [1]. The step on the left is the calibration pulse: 1 mV for 200 ms.

# %% [markdown]
# ## 2 Twelve leads, eight of them independent
#
# The limb leads are differences between three electrodes: right arm (RA), left arm (LA) and left leg (LL).
#
# $$\mathrm{I} = \mathrm{LA} - \mathrm{RA}, \qquad \mathrm{II} = \mathrm{LL} - \mathrm{RA}, \qquad
# \mathrm{III} = \mathrm{LL} - \mathrm{LA}$$
#
# Hence [Einthoven's law](../GLOSSARY.md#einthovens-law), whatever the heart does:
#
# $$\mathrm{II} = \mathrm{I} + \mathrm{III}$$
#
# Goldberger's augmented leads follow from the same three electrodes:
#
# $$\mathrm{aVR} = -\tfrac{\mathrm{I} + \mathrm{II}}{2}, \qquad \mathrm{aVL} = \mathrm{I} - \tfrac{\mathrm{II}}{2}, \qquad
# \mathrm{aVF} = \mathrm{II} - \tfrac{\mathrm{I}}{2}$$

# %% einthoven
derived = derive_limb_leads(ecg.lead("I"), ecg.lead("II"))
for lead, values in derived.items():
    print(f"{lead:4s} largest deviation from what is recorded: {np.abs(values - ecg.lead(lead)).max() * 1000:.1f} µV")
print(f"largest of all: {einthoven_residual(ecg) * 1000:.1f} µV")

# %% [markdown]
# A few microvolts are rounding. A large deviation means that leads were swapped in the file, mislabelled, or adjusted one
# by one.
#
# > **Think first.** The rows of I and II change places. How far off is the law now? Put I for II and II for I into
# > I + III − II, and write the result as a multiple of one lead.

# %% think first 1
check.think_first("how far off the law is")

# %% swapped
swapped = ecg.signal.copy()
swapped[[0, 1]] = swapped[[1, 0]]
print(f"I and II swapped: {einthoven_residual(leadwise.ECG(swapped, fs=ecg.fs)) * 1000:.0f} µV")
print(f"twice the largest |III|: {2 * np.abs(ecg.lead('III')).max() * 1000:.0f} µV")

# %% [markdown]
# For a relevance map it matters that four of the six limb leads repeat what the other two say. A network may use any of the
# six, and a map that favours aVF over II and III need not mean that aVF holds anything special.

# %% [markdown]
# ## 3 One vector, twelve views
#
# The heart's electrical activity at one moment is summed up well by a single vector $\mathbf{v}(t)$ in three dimensions. A lead
# is, to a good approximation, its projection [2]:
#
# $$\text{lead}_i(t) = \mathbf{d}_i \cdot \mathbf{v}(t)$$
#
# Dower's matrix holds the $\mathbf{d}_i$ of the eight independent leads, along $x$ (to the left), $y$ (to the feet) and $z$ (to the
# back) [3]:

# %% dower
for lead, row in zip(("I", "II", *LEADS[6:]), DOWER, strict=True):
    print(f"{lead:3s}" + "".join(f"{value:8.3f}" for value in row))

# %% [markdown]
# Two rows are not where the drawings have them. By convention lead I looks at 0°, to the left, and aVF at 90°, to the feet.
# Where do the rows point?

# %% angles of two leads
row = dict(zip(("I", "II"), DOWER[:2], strict=True))
row["aVF"] = row["II"] - row["I"] / 2
for lead in ("I", "aVF"):
    print(f"{lead:4s}{np.degrees(np.arctan2(row[lead][1], row[lead][0])):6.0f}° in the frontal plane")

# %% [markdown]
# The convention is geometry on paper, an equilateral triangle. Dower's rows were measured in a body shaped like a body, in which
# current flows more easily one way than another. The [electrical axis](../GLOSSARY.md#electrical-axis) is read from the leads: at
# an axis of 90° QRS in lead I is as much up as down, so the vector stands at right angles to lead I's *row*, and the loop below
# leans to the left of the feet by about the angle that was just printed. Both are right; they answer different questions.

# %% [markdown]
# Move the vector. An arrow says which way round its tip goes. The axis turns the QRS loop in the frontal plane; PR shifts the P wave; QRS width stretches the loop in
# time; the ST level adds a constant vector between QRS and T. Then choose a bundle branch block and see what changes in
# V1 and V6.

# %% heart vector
HeartVector()

# %% [markdown]
# ## 4 Filters, and what they distort
#
# The published models were trained behind one filter chain, so every recording must pass through the same one, over its
# whole length and in the same order.

# %% filter chain
for step in STEPS:
    print(f"{step.name}: {step.title}")
    print(fill(f"does: {step.does}", 96, initial_indent="  ", subsequent_indent="    "))
    print(fill(f"distorts: {step.distorts}", 96, initial_indent="  ", subsequent_indent="    "), end="\n\n")

# %% [markdown]
# The gain of a filter at each frequency says what it takes. Each filter runs forwards and backwards (zero phase), so its
# gain applies twice.

# %% responses
frequencies = np.geomspace(0.05, 200, 600)
fig, axis = plt.subplots(figsize=(8, 3.4), layout="constrained")
for step in STEPS:
    if step.coefficients is not None:
        axis.semilogx(frequencies, frequency_response(step, frequencies), label=f"{step.name}: {step.title}")
axis.axvspan(0.5, 40, color="0.92", zorder=0, label="0.5 to 40 Hz: a monitor's band")
axis.axvline(50, color="grey", linewidth=0.8, linestyle=":")
axis.text(53, 0.9, "50 Hz", fontsize=8, color="grey")
axis.axvline(150, color="grey", linewidth=0.8, linestyle="--")
axis.text(146, 0.6, "150 Hz: for reading", fontsize=8, color="grey", ha="right")
axis.set_xticks([0.1, 1, 10, 100], ["0.1", "1", "10", "100"])
axis.set(xlabel="frequency (Hz)", ylabel="gain, both passes", ylim=(-0.03, 1.08))
axis.legend(frameon=False, fontsize=8, loc="center left")
plt.show()

# %% [markdown]
# Two traps are built in. The **mains [notch](../GLOSSARY.md#notch-filter)** is a flat line at 1: with $Q = 0.05$ at 500 Hz its formula yields the
# identity, so it removes nothing. The **baseline filter** is named after its 0.05 Hz, yet this notch is 1 Hz wide: it acts
# as a [high-pass](../GLOSSARY.md#high-pass-filter) that takes half the amplitude at 1 Hz. The ST segment lives there.
# Guidelines ask for a low-frequency cut-off of at most 0.05 Hz, or 0.67 Hz for zero-phase filters [1].
#
# The **low-pass** at 40 Hz has the band of a monitor, which watches the rhythm. For reading a diagnostic ECG at least 150 Hz are
# recommended [1]: notches and the tops of a narrow QRS lie between the two. What is measured on a filtered recording is measured
# on another one.
#
# What it does to a changed ST segment is known exactly where the recording is simulated without noise.
#
# > **Think first.** A filter that takes slow parts away meets an ST segment that stands off the line for 0.2 s. Sketch two
# > things: the ST segment afterwards, and the line just before P.

# %% think first 2
check.think_first("the ST segment and the line before P")

# %% st distortion
ischaemic = leadwise.simulate_ecg("ISCH", seed=3, severity=1.0, noise=False)
filtered = ischaemic.preprocess()
lead = LEADS[int(np.abs(ischaemic.signal - ischaemic.counterfactual.signal).max(1).argmax())]
fig, axis = plt.subplots(figsize=(8, 3.2), layout="constrained")
second = {w.kind: w for w in ischaemic.waves if w.beat == 2}
middle = (second["QRS"].offset + second["T"].onset) // 2
part = slice(second["P"].onset - 60, second["T"].offset + 80)
for recording, colour, label in (
    (ischaemic, "#d55e00", "as recorded"),
    (filtered, "black", "after the published chain"),
):
    st = recording.lead(lead)[middle]
    axis.plot(recording.time[part], recording.lead(lead)[part], color=colour, label=f"{label}: ST {st:+.2f} mV")
axis.axhline(0, color="grey", linewidth=0.6)
axis.axvline(ischaemic.time[middle], color="grey", linestyle=":", linewidth=1)
axis.set(xlabel="time (s)", ylabel=f"lead {lead} (mV)", title="The filter hides a part of the ST depression")
axis.legend(frameon=False, loc="upper right")
plt.show()

# %% [markdown]
# The deviation of the ST segment shrinks and the line before P and after T bends the other way. A network trained behind
# this filter has learned on what is left of ST.

# %% before and after
plot_ecg(ecg, leads=["I", "II", "V1", "V5"], columns=2, stop=4, title="Before")

# %% after
plot_ecg(ecg.preprocess(), leads=["I", "II", "V1", "V5"], columns=2, stop=4, title="After the published chain")

# %% [markdown]
# ## 5 P, QRS, T
#
# [*Delineation*](../GLOSSARY.md#delineation) finds onset, peak and end of each wave: the
# [P wave](../GLOSSARY.md#p-wave) of the atria, the [QRS complex](../GLOSSARY.md#qrs-complex) of the ventricles, and the T
# wave of their recovery. From them follow the intervals that the criteria of most findings are written in:
# [PR](../GLOSSARY.md#pr-interval) (onset of P to onset of QRS, a first-degree block above 200 ms [5]), QRS (abnormal above 110 ms; a
# complete bundle branch block has 120 ms or more [4]) and QT. An interval is a measurement, not a diagnosis.

# %% delineate
found = delineate(ecg)
plot_ecg(
    ecg,
    leads=["II", "V2"],
    columns=1,
    start=1.0,
    stop=3.5,
    speed=50,
    waves=found.of("P") + found.of("QRS") + found.of("T"),
    title="P, QRS and T, found in all leads together",
)

# %% [markdown]
# > **Think first.** Count the large squares between two R peaks in the printed ECG of section 1. The rate in beats per
# > minute is 300 divided by that number: which one do you expect, and why 300?

# %% think first 3
check.think_first("large squares and the rate")

# %% intervals
print(f"RR  {found.intervals()['RR']:.0f} ms")
for interval, measured in measure(ecg, found).items():
    print(f"{interval:4s}{measured}")
squares = found.intervals()["RR"] / 200
print(f"{squares:.1f} large squares, 60 s / 0.2 s = 300 of them in a minute: {300 / squares:.0f} beats per minute")
for failure in found.failed:
    print(f"beat {failure.beat}, {failure.kind}: {failure.reason}")

# %% [markdown]
# Each interval comes with its error, which nine of ten measurements keep to; how it was found stands below. A value closer to a limit
# than that is on neither side of it.
#
# **QT and its correction.** QT is the time from the onset of QRS to the end of T: excitation and recovery of the ventricles. A heart
# that beats faster recovers faster, so QT alone says little. [QTc](../GLOSSARY.md#qt-interval) is what QT would be at 60 beats a
# minute. Bazett's formula divides by the root of RR in seconds, Fridericia's by the cubic root:
#
# $$\mathrm{QTc_B} = \frac{\mathrm{QT}}{\sqrt{\mathrm{RR}}}, \qquad \mathrm{QTc_F} = \frac{\mathrm{QT}}{\sqrt[3]{\mathrm{RR}}}$$
#
# Bazett's corrects too much where the heart is fast, and too little where it is slow; at 60 a minute both leave QT as it is. QTc counts
# as prolonged from 450 ms in men and 460 ms in women [7]. A broad QRS lengthens QT as well, without any change of the recovery.

# %% corrected qt
qt, rr = found.intervals()["QT"], found.intervals()["RR"] / 1000
print(
    f"QT {qt:.0f} ms at RR {rr:.2f} s: QTc {qt / rr ** (1 / 2):.0f} ms (Bazett), {qt / rr ** (1 / 3):.0f} ms (Fridericia)"
)

# %% [markdown]
# Delineation takes the recording as it is. The published filter bends the line around P, and on some recordings moves its
# onset by 100 ms: a filter that suits one purpose spoils another.
#
# How good is it? The numbers behind ± are measured: nine of ten recordings lie so near to what cardiologists marked by
# hand in a hundred others, and to the truth of simulated patients (`benchmarks/delineation.py`). A QRS of 110 ± 24 ms
# neither is nor isn't below 120 ms: near a limit, look at the trace. The same border by border, against the cardiologists:

# %% borders
for border, (late, spread) in BORDERS.items():
    print(f"{border:11s}{late:+4.0f} ms, spread {spread:.0f} ms")

# %% [markdown]
# T begins nowhere in particular: it rises out of the ST segment, and people disagree about it most. On a simulated recording
# the truth is known. Here is a first-degree AV block: PR longer than 200 ms [5]. Does the error hold the truth? In one of ten it
# does not.

# %% check delineation
blocked = leadwise.simulate_ecg("AVB", seed=5)
measured = delineate(blocked).intervals()
starts = {kind: {w.beat: w.onset for w in blocked.waves if w.kind == kind} for kind in ("P", "QRS")}
true_pr = np.median([starts["QRS"][beat] - onset for beat, onset in starts["P"].items() if beat in starts["QRS"]]) * 2
print(f"PR measured {measured['PR']:.0f} ± {ERRORS['PR']:.0f} ms, true {true_pr:.0f} ms")
plot_ecg(
    blocked,
    leads=["II"],
    columns=1,
    start=1.0,
    stop=2.4,
    speed=100,
    waves=blocked.waves,
    title="A simulated first-degree AV block with its true waves",
)

# %% [markdown]
# ## Exercises
#
# Each cell holds the names that its check asks for. Solutions are in `solutions/07_reading_an_ecg.ipynb`.
#
# **1 Write code.** Write `augmented(lead_i, lead_iii)`, a function that returns aVR, aVL and aVF, as a dict, from I and
# *III* instead of I and II. Try it on the recording.


# %% exercise 1 tags=["solution"] answers=["augmented"]
# Exercise 1: augmented(lead_i, lead_iii) returns {"aVR": ..., "aVL": ..., "aVF": ...}, arrays in mV.
def augmented(lead_i, lead_iii):
    """The augmented leads from I and III: Goldberger's formulas with II = I + III."""
    return {"aVR": -lead_i - lead_iii / 2, "aVL": (lead_i - lead_iii) / 2, "aVF": lead_i / 2 + lead_iii}


for lead, values in augmented(ecg.lead("I"), ecg.lead("III")).items():
    print(f"{lead}: largest deviation from what is recorded: {np.abs(values - ecg.lead(lead)).max() * 1000:.1f} µV")

# %% check 1
check.augmented_leads(augmented)

# %% [markdown]
# **2 Predict, then look.** By convention lead I looks at 0°, aVF at 90°. For which axis from 0° to 180° does QRS in lead I lie
# as much above the line as below it? Predict it, and whether QRS is `"upright"` or `"inverted"` in aVF there, such as
# `predicted = (45, "inverted")`, and run the check: it keeps your prediction, and never marks it. Then move the slider of
# `HeartVector`, read the line above its picture, and set `axis` and `avf` to what it says.

# %% exercise 2 tags=["solution"] answers=["predicted", "axis", "avf"]
# Exercise 2: `predicted` and the check first; then `axis` (degrees) and `avf` ("upright" or "inverted") by HeartVector.
predicted = (90, "upright")
axis, avf = 90, "upright"

from leadwise.simulation.simulate import heart_beat

for angle in (45, 90, 135):
    beat = heart_beat(axis=angle)
    qrs = next(wave for wave in beat.waves if wave.kind == "QRS")
    mean = beat.leads[:, qrs.onset : qrs.offset].mean(1) * 1000
    print(
        f"axis {angle:3d}°: mean of QRS in I {mean[LEADS.index('I')]:+5.0f} µV, in aVF {mean[LEADS.index('aVF')]:+5.0f} µV"
    )
# A projection vanishes at a right angle. The electrical axis is read the other way round: from the leads to the angle.

# %% check 2
check.balanced_lead_i(predicted, axis, avf)

# %% [markdown]
# **3 Find the bug.** A colleague prepares the first 4 s of a recording, which is what the networks see. Write `mended(ecg)`,
# which does it rightly. Where do the two differ most, and why there?


# %% buggy
def colleagues_window(ecg):
    """The first 4 s, filtered, with a bug."""
    return ecg.window(0, 2000).preprocess()


plot_ecg(
    colleagues_window(ecg), leads=["II", "V2"], columns=1, start=2, stop=4, title="A colleague's window, its last 2 s"
)


# %% exercise 3 tags=["solution"] answers=["mended"]
# Exercise 3: mended(ecg) returns an ECG of 2000 samples. Then print the largest difference in each half-second.
def mended(ecg):
    """The first 4 s of the recording, filtered over its whole length."""
    return ecg.preprocess().window(0, 2000)


difference = np.abs(mended(ecg).signal - colleagues_window(ecg).signal)
for start in range(0, 2000, 250):
    print(f"{start / 500:.1f} to {start / 500 + 0.5:.1f} s: {1000 * difference[:, start : start + 250].max():4.0f} µV")
# A filter that runs in both directions needs what comes after as much as what came before. At a cut it has to invent it,
# and the colleague's window is cut at 4 s, where the recording goes on. The smaller rest everywhere else is the baseline: what
# the filter takes away, and where the flattest 0.2 s lie, depends on the whole recording.

# %% check 3
check.whole_recording_first(mended)

# %% [markdown]
# **4 Measure.** Delineate three recordings of `leadwise.records()`: one with AV block, one with a bundle branch block, one
# without either. Collect `measured[name] = {"PR": ..., "QRS": ...}` in ms, and compare the numbers with the titles and
# with the limits of section 5.

# %% exercise 4 tags=["solution"] answers=["measured"]
# Exercise 4: `measured` is a dict, record name -> {"PR": ms, "QRS": ms}. `leadwise.load_record(name)` loads a record.
measured = {}
for condition in ("NORM", "AVB", "LBBB"):
    name, info = next(iter(leadwise.records(condition).items()))
    intervals = delineate(leadwise.load_record(name)).intervals()
    measured[name] = {interval: intervals[interval] for interval in ("PR", "QRS")}
    print(*(f"{i} {intervals[i]:.0f} ± {ERRORS[i]:.0f} ms" for i in ("PR", "QRS")), shorten(info.title, 70), sep=", ")
# A block of the AV node lengthens PR, a bundle branch block QRS. Mild cases come close to the limits: within the error
# behind ±, the number decides nothing; and no interval alone is a diagnosis.

# %% check 4
check.three_recordings(measured)

# %% [markdown]
# **5 Interpret.** One heart with a steep axis, so that QRS is clear in I, II and III; and the same heart, recorded again after two of
# the three limb electrodes had been exchanged. The law holds. Look at I, II and III before and after: which two electrodes were it? Set `exchanged` to two of `"RA"`, `"LA"`, `"LL"`.
# Such exchanges happen in every clinic, and can imitate disease [6].

# %% recorded again
steep = leadwise.simulate_ecg("NORM", seed=6, patient={"axis": 75})
again = check.recorded_again(steep)
print(f"Einthoven's law: largest deviation {einthoven_residual(again) * 1000:.1f} µV")
plot_ecg(steep, leads=["I", "II", "III"], columns=3, stop=2.5, title="Before")

# %% recorded again after
plot_ecg(again, leads=["I", "II", "III"], columns=3, stop=2.5, title="Two electrodes exchanged")

# %% exercise 5 tags=["solution"] answers=["exchanged"]
# Exercise 5: write I, II and III with the letters of each pair exchanged; which pair makes the second picture?
exchanged = ("LA", "LL")
# LA and LL exchanged: I becomes LL - RA, which was II; II becomes LA - RA, which was I; III = LA - LL is upside down.
# The law holds for any three electrodes; it finds errors of the file, not of the cables.

# %% check 5
check.exchanged_electrodes(exchanged)

# %% think first answers [markdown] tags=["solution"]
# ## Think first: answers
#
# - **How far off the law is:** II + III − I = (I + III) + III − I = 2 III: twice lead III, wherever it is not flat.
# - **The ST segment and the line before P:** The segment sinks back to the line, for the filter takes what is slow; and
#   what was taken there appears with the other sign before P and after T. The figure shows both.
# - **Large squares and the rate:** A large square is 0.2 s, and a minute has 300 of them, so the rate is 300 divided by the
#   squares between two beats. The printed squares say which rate it is here.

# %% [markdown]
# ## Quiz

# %% quiz
check.quiz()

# %% progress
check.progress()

# %% [markdown]
# ## Take away
#
# - Signal, sampling rate, unit and lead names belong together; check them before anything else.
# - Eight of twelve leads are independent. Einthoven's law finds leads that were swapped in the file or adjusted one by
#   one; electrodes exchanged on the patient it does not find.
# - A filter is part of the model: what it removes, the network never sees; what it adds, the network may learn.
#
# ## Go further
#
# - [08 ECG models](08_ecg_models.ipynb) shows these arrays to networks.
# - [11 Your own ECG](11_your_own_ecg.ipynb) takes a recording of yours through the same checks.
# - From the dipole to the skin, with all derivations: Malmivuo and Plonsey [2].
# - How filters and misplaced electrodes change an ECG, in pictures: García-Niebla et al. 2009, Technical mistakes during
#   the acquisition of the electrocardiogram,
#   [doi:10.1111/j.1542-474X.2009.00328.x](https://doi.org/10.1111/j.1542-474X.2009.00328.x)
#
# ## References
#
# 1. Kligfield et al. 2007, Recommendations for the standardization and interpretation of the electrocardiogram, part I,
#    [doi:10.1161/CIRCULATIONAHA.106.180200](https://doi.org/10.1161/CIRCULATIONAHA.106.180200)
# 2. Malmivuo, Plonsey 1995, Bioelectromagnetism, chapters 11 and 15,
#    [doi:10.1093/acprof:oso/9780195058239.001.0001](https://doi.org/10.1093/acprof:oso/9780195058239.001.0001)
# 3. Dower, Machado, Osborne 1980, On deriving the electrocardiogram from vectorcardiographic leads,
#    [doi:10.1002/clc.1980.3.2.87](https://doi.org/10.1002/clc.1980.3.2.87)
# 4. Surawicz et al. 2009, Recommendations, part III, QRS duration,
#    [doi:10.1161/CIRCULATIONAHA.108.191095](https://doi.org/10.1161/CIRCULATIONAHA.108.191095)
# 5. Kusumoto et al. 2019, Guideline on bradycardia and cardiac conduction delay, PR interval,
#    [doi:10.1161/CIR.0000000000000628](https://doi.org/10.1161/CIR.0000000000000628)
# 6. Batchvarov, Malik, Camm 2007, Incorrect electrode cable connection during electrocardiographic recording,
#    [doi:10.1093/europace/eum198](https://doi.org/10.1093/europace/eum198)
# 7. Rautaharju, Surawicz, Gettes 2009, Recommendations, part IV, ST segment, T and U waves, QT interval,
#    [doi:10.1161/CIRCULATIONAHA.108.191096](https://doi.org/10.1161/CIRCULATIONAHA.108.191096)
