# %% [markdown]
# # 08 ECG models
#
# Four small networks each look for one finding in a 12-lead ECG: first-degree [AV block](../GLOSSARY.md#av-block) (AVB),
# [ischaemia](../GLOSSARY.md#ischaemia) (ISCH), left and right [bundle branch block](../GLOSSARY.md#bundle-branch-block) (LBBB,
# RBBB). They are the networks that the rest of the course explains.
#
# **You will be able to**
#
# - read the architecture and compute what one of its units sees,
# - load the models and run them on recordings,
# - port a network from Keras to PyTorch and check that nothing changed,
# - train such a network on simulated ECGs, and say what its probabilities are worth,
# - test on real recordings what was learned on simulated ones.
#
# **Before:** notebook 07. **Teaching, not diagnosis:** nothing here may be used to decide about a patient.
#
# **Clinician's path:** from 07; run all, leave out section 3 and exercise 3. Next: 01.

# %% imports
from textwrap import shorten

import matplotlib.pyplot as plt
import numpy as np
import torch

import leadwise
from leadwise.checks import models as check
from leadwise.ecg.filters import preprocess
from leadwise.inspection import feature_maps
from leadwise.networks.ecg_net import ECGNet
from leadwise.networks.weights import ECG_MODELS
from leadwise.plotting import plot_ecg, plot_matrix
from leadwise.semantics import beside_criterion, measure
from leadwise.simulation.simulate import simulate_batch
from leadwise.training import calibrate, calibration_error, fit, initialise, logits, probabilities, reliability

# %% [markdown]
# ## 1 The network
#
# Five blocks of [convolution](../GLOSSARY.md#convolution), [ELU](../GLOSSARY.md#elu) and max-[pooling](../GLOSSARY.md#pooling)
# halve the time axis five times, with 64 [channels](../GLOSSARY.md#channel) each. Global average pooling forgets *when* something
# happened. Three [dense layers](../GLOSSARY.md#dense-layer) and an output layer turn 64 numbers into two
# [logits](../GLOSSARY.md#logit) [1].

# %% architecture
network = ECGNet()
silence = torch.zeros(12, 2000)
for layer, module in network.named_children():
    shape = tuple(feature_maps(network, silence, layer).shape)
    print(f"{layer:8s} -> {shape!s:12s} {sum(weight.numel() for weight in module.parameters()):6,} parameters")
print(f"{'total':24s}{sum(weight.numel() for weight in network.parameters()):7,}")

# %% [markdown]
# **What does one [unit](../GLOSSARY.md#unit) see?** Its [receptive field](../GLOSSARY.md#receptive-field) has $r$ samples. A convolution of size 3
# adds $2 s$ to it, a pooling of size 2 adds $s$, and each pooling doubles the [stride](../GLOSSARY.md#stride) $s$:
#
# $$r \leftarrow r + 2 s, \qquad r \leftarrow r + s, \qquad s \leftarrow 2 s$$

# %% receptive field
seen, stride = 1, 1
for block in range(1, 6):
    seen += 2 * stride
    print(f"block{block}: after the convolution {seen:3d} samples = {seen / 500 * 1000:4.0f} ms", end="")
    seen, stride = seen + stride, 2 * stride
    print(f", after the pooling {seen:3d} samples = {seen / 500 * 1000:4.0f} ms")

# %% [markdown]
# The widest unit sees less than 200 ms: a QRS complex, or a P wave with the start of a QRS complex.
#
# > **Think first.** No unit sees both ends of a PR interval of 300 ms, and the average forgets when anything was. Write down
# > one number that a unit could still tell the AVB network about such an interval.

# %% think first 1
check.think_first("one number about a long interval")

# %% one patient with four intervals
avb = leadwise.load_ecg_model("AVB", verbose=False)
averages = []
for pr in (150, 200, 250, 300):
    patient = leadwise.simulate_ecg("NORM", seed=5, noise=False, patient={"pr": pr}).preprocess().window()
    p = float(avb.probability(patient.tensor()))
    averages.append(feature_maps(avb, patient.tensor(), "flatten"))
    moved = float((averages[-1] - averages[0]).norm() / averages[0].norm())
    print(f"PR {pr} ms: p(AVB) = {p:.2f}; the 64 averages moved by {moved:.0%}")

# %% [markdown]
# The average still counts: how often does each pattern occur, and for how long is it quiet between P and QRS? Where such a
# network finds a long PR interval is therefore no simple question. Remember this when its maps are read.

# %% [markdown]
# ## 2 Four trained networks
#
# The published [weights](../GLOSSARY.md#weight) are those of Gumpfer et al. [1], trained on real ECGs. The embedded weights were trained for this
# course on simulated ECGs (section 5). `weights="auto"` takes the published ones where they have been downloaded.

# %% load the models
models = {name: leadwise.load_ecg_model(name) for name in ECG_MODELS}

# %% [markdown]
# Every recording is filtered alike, over its whole length, and its first 4 s go to the networks.
#
# > **Think first.** The table has a row for each recording and a column for each network. What should the row of a healthy
# > person look like? Do the four numbers of a row add up to 1?

# %% think first 2
check.think_first("the row of a healthy person")

# %% run the models
table, rows = [], []
for name, info in leadwise.records().items():
    ecg = leadwise.load_record(name).preprocess().window()
    table.append([float(network.probability(ecg.tensor())) for network in models.values()])
    rows.append(shorten(info.title, 64, placeholder=" ..."))
plot_matrix(np.array(table), rows, list(models), title="Probability of each finding", write="{:.2f}".format)

# %% [markdown]
# The networks were trained one by one: nothing makes a row add up to 1, and a recording may carry several findings or none.
#
# **The network has no ruler.** The criterion of a first-degree AV block is a length: PR above 200 ms. Below, PR is measured in each
# recording, with its error, and the AVB network answers to four windows of it.
#
# > **Think first.** A network that measured PR would say no below 200 ms and yes above, in every window. Where do you expect
# > exceptions, after section 1?

# %% think first 3
check.think_first("where a network without a ruler errs")

# %% a length and an answer
by_pr = []
for name in leadwise.records():
    whole = leadwise.load_record(name)
    pr, ready = measure(whole)["PR"], whole.preprocess()
    starts = np.linspace(0, ready.duration - 4, 4 if ready.duration > 5 else 1)
    p = [float(models["AVB"].probability(ready.window(start).tensor())) for start in starts]
    by_pr.append((np.nan_to_num(pr.median, nan=np.inf), f"{min(p):7.2f} to {max(p):.2f}   PR {pr}   {name}"))
print("p(AVB), lowest to highest window")
print("\n".join(line for _, line in sorted(by_pr)))

# %% [markdown]
# Read the list from top to bottom, PR grows. Look for a high probability beside a PR below 200 ms, for a low one beside a longer
# PR, and for a probability that depends on the window although PR does not. Wherever you find one, it says the same: this network
# adds up patterns of less than 200 ms and has no ruler for a distance between two of them. Where you find none, its answer *goes
# with* PR, as on the patients that it was trained on; it does not measure it. A length that can be measured should be, and stand
# beside the answer. And where no P wave was found, or where PR changes from beat to beat, one number would be a lie: the list says
# so.

# %% [markdown]
# A probability is a squashed difference of logits: $p = 1 / (1 + e^{-(f_1 - f_0)})$. Beyond $|f_1 - f_0| > 5$ it hardly moves,
# so explanations start from a logit, or from the difference itself, the [log-odds](../GLOSSARY.md#log-odds), and not from the probability.

# %% logits
name, info = next(iter(leadwise.records("LBBB").items()))
ecg = leadwise.load_record(name).preprocess().window()
with torch.no_grad():
    f0, f1 = models["LBBB"](ecg.tensor()).tolist()
print(f"{info.title}\nlogits {f0:.2f} and {f1:.2f}, p = {1 / (1 + np.exp(f0 - f1)):.4f}")

# %% [markdown]
# ## 3 Porting a network from Keras
#
# The published files are Keras 2: `model.json` names the layers, `weights.h5` holds the arrays. Keras keeps time before
# channels, PyTorch channels before time, so every kernel has its axes reversed:
#
# | layer | Keras | PyTorch |
# |---|---|---|
# | convolution | (size, in, out) | (out, in, size) |
# | dense | (in, out) | (out, in) |
#
# A port is right when the same input gives the same output. Here one convolution is computed by hand in the Keras layout,
# and by PyTorch with the reversed kernel.

# %% port one layer
rng = np.random.default_rng(0)
keras_kernel, bias = rng.normal(size=(3, 12, 64)), rng.normal(size=64)
signal = rng.normal(size=(2000, 12))

padded = np.pad(signal, ((1, 1), (0, 0)))  # "same": one zero on each side
keras_way = sum(padded[i : i + 2000] @ keras_kernel[i] for i in range(3)) + bias

layer = torch.nn.Conv1d(12, 64, kernel_size=3, padding="same", dtype=torch.float64)
with torch.no_grad():
    layer.weight.copy_(torch.tensor(keras_kernel.T.copy()))
    layer.bias.copy_(torch.tensor(bias))
    torch_way = layer(torch.tensor(signal.T.copy()))
print(f"largest difference: {np.abs(torch_way.numpy().T - keras_way).max():.1e}")

# %% [markdown]
# `leadwise.networks.weights.convert_keras` does this for all nine layers, checks every name and shape, and refuses anything
# else. The logits of the port agree with those of the original TensorFlow models to 1e-5 on the recordings tried: a test of
# this course checks it.

# %% [markdown]
# ## 4 Training one
#
# A simulated patient comes with a label that is right by construction. A small study: patients with ischaemia (ST
# depression and T inversion, from barely visible to marked) and healthy ones, one network, a few [epochs](../GLOSSARY.md#epoch), its error the
# [cross-entropy](../GLOSSARY.md#cross-entropy). Recordings are filtered as real ones are. ST depression tells *that* there is ischaemia, not where; ST *elevation*, the more urgent
# criterion, is not simulated, and none of these networks looks for it.


# %% simulate patients
def patients(seeds):
    """Half with ischaemia, half healthy: x (N, 12, 5000) in mV, y (N,)."""
    half = len(seeds) // 2
    groups = {"ISCH": seeds[:half], "NORM": seeds[half:]}
    x = np.concatenate([simulate_batch(condition, chosen).signal for condition, chosen in groups.items()])
    y = np.repeat([1, 0], [half, len(seeds) - half])
    return preprocess(x, 500.0).astype(np.float32), y


x_train, y_train = patients(range(300))
x_valid, y_valid = patients(range(1000, 1120))
x_test, y_test = patients(range(2000, 2200))
print(x_train.shape, f"{y_train.mean():.0%} with ischaemia")

# %% train
student = initialise(ECGNet("ISCH", "trained in this notebook"), seed=1).to(leadwise.device())
history = fit(student, x_train, y_train, (x_valid, y_valid), epochs=6, seed=1)

fig, axis = plt.subplots(figsize=(7, 3), layout="constrained")
epochs = [epoch.number for epoch in history]
axis.plot(epochs, [epoch.loss for epoch in history], "o-", label="patients it learns from, each time a little changed")
axis.plot(epochs, [epoch.validation_loss for epoch in history], "s-", label="patients it never sees")
axis.set(xlabel="epoch", ylabel="cross-entropy", ylim=(0, None))
axis.legend(frameon=False)
plt.show()
print("area under the ROC curve by epoch:", ", ".join(f"{epoch.validation_auc:.3f}" for epoch in history))

# %% test
before = probabilities(student, x_test)
print(f"new patients: {((before > 0.5) == y_test).mean():.1%} right")
for condition in ("ISCH", "NORM"):
    for name, info in leadwise.records(condition).items():
        ecg = leadwise.load_record(name).preprocess().window()
        print(f"p(ischaemia) = {float(student.probability(ecg.tensor())):.3f}  {info.title} [{info.origin}]")

# %% [markdown]
# A few hundred patients and a few passes are enough for most, not for all. Exercise 4 asks whom it misses.

# %% [markdown]
# **[Calibration](../GLOSSARY.md#calibration).** A network may rank patients well and still exaggerate. Dividing the logits by
# one number, the *temperature*, can repair some of it without changing a single decision [2].
#
# > **Think first.** Ten patients have $p \approx 0.8$. How many of them should have the finding? On which side of the grey
# > diagonal does a network lie that is too sure of itself?
#
# Look at the number beside each point before you judge its place.

# %% think first 4
check.think_first("eight of ten, and the diagonal")

# %% calibrate
fig, axis = plt.subplots(figsize=(6, 4), layout="constrained")
axis.plot([0, 1], [0, 1], color="grey", linewidth=0.8)
axis.text(0.6, 0.52, "said as often as true", color="grey", fontsize=8)


def show(probability, label):
    """Plot how often the finding is there against how probable it was said to be."""
    rows = reliability(probability, y_test, bins=5)
    error = calibration_error(probability, y_test)
    said, true, count = np.array(rows).T
    axis.plot(said, true, "o", label=f"{label}: error {error:.3f}")
    return said, true, count


for said, true, count in zip(*show(before, "as trained"), strict=True):
    place = {"xytext": (4, 7), "ha": "right"} if said > 0.8 else {"xytext": (10, -10)}
    axis.annotate(f"{count:.0f} patients", (said, true), textcoords="offset points", fontsize=8, **place)
temperature = calibrate(student, x_valid, y_valid)
show(probabilities(student, x_test), f"temperature {temperature:.2f}")
axis.set(xlabel="predicted probability", ylabel="share with ischaemia", xlim=(-0.05, 1.05), ylim=(-0.08, 1.08))
axis.legend(frameon=False, loc="lower right", fontsize=8)
plt.show()

# %% [markdown]
# **Prevalence.** Even a calibrated probability holds only where as many people are ill as in training. Half of these patients
# are, $\pi = 1/2$; where the share is another one, $\pi'$, the same signal means [3]
#
# $$\frac{p'}{1 - p'} = \frac{p}{1 - p} \cdot \frac{\pi' / (1 - \pi')}{\pi / (1 - \pi)}$$

# %% [markdown]
# ## 5 How the embedded models were made
#
# The same way, with more patients and more kinds of them: all four findings, normal ECGs, and distractors (hypertrophy,
# atrial fibrillation, premature beats, second-degree block). `training/ecg_models.py` is the whole recipe, with its
# seed; `training/README.md` holds the curves and the numbers.

# %% report
import json

from leadwise.paths import ASSETS

written = json.loads((ASSETS / "ecg_models" / "report.json").read_text())
report = written["models"]
print("model  test patients  AUC    calibration error")
for name, row in report.items():
    test = row["test"]
    print(f"{name:6s} {test['patients']:13d}  {test['auc']:.3f}  {test['calibration_error']:.3f}")

# %% [markdown]
# The simulator allows a test that no real data set does. Each simulated patient exists twice, with the finding and without.
# Replace only the samples that carry the finding by those of the healthy twin, and a network that has learned the right
# thing must change its mind. Replace as many other samples, and it must not.

# %% swap test
for name, row in report.items():
    swap = row["test"]["swap"]
    print(f"{name:6s}decision turns for {swap['cause']:4.0%} (the cause swapped), {swap['elsewhere']:4.0%} (elsewhere)")

# %% [markdown]
# These numbers hold for simulated patients, drawn from the distribution that the network was trained on. On real
# recordings a network meets what the simulator left out, and the numbers of a simulation promise nothing there.

# %% [markdown]
# ## 6 From simulated to real
#
# What do the embedded networks say of recordings that no simulator made? They were asked: about real ones whose header names the
# finding, about real ones that name a sinus rhythm alone, and about healthy ones from a network that learned to draw real ECGs [4]. The
# last column tells how well they rank what the published network calls ill above the rest: 1 is always, 0.5 is chance.

# %% beyond the simulator
print("       finding seen   sinus alarmed   generated alarmed   AUC against the published network")
for name, row in report.items():
    real = row.get("real", {})
    counts = [("right", "records"), ("false_alarms", "of_sinus"), ("generated_alarms", "generated")]
    absent = {of: "no recording" if of in real else "not measured" for _, of in counts}
    seen, sinus, drawn = (f"{real[few]} of {real[of]}" if real.get(of) else absent[of] for few, of in counts)
    auc = f"{real['auc_against_published']:.2f}" if "auc_against_published" in real else "not measured"
    print(f"{name:7s}{seen:15s}{sinus:16s}{drawn:20s}{auc}")
alarmed = written.get("generated_with_any_alarm")
print("generated, alarmed by any of the four:", "not measured" if alarmed is None else f"{alarmed:.0%}")

# %% [markdown]
# So few recordings prove little. Below are three opinions: the header's first code
# for one of the four findings, the embedded network and, where downloaded, the published one, which may have learned from
# some of these recordings.
#
# > **Think first.** A network is right on nearly all simulated patients. Which error will it make more often on real ones: will it
# > miss a finding, or name one that is not there?

# %% think first 5
check.think_first("the more frequent error on real recordings")

# %% code against networks
answering = {"embedded": {name: leadwise.load_ecg_model(name, "embedded") for name in ECG_MODELS}}
if all(model.source == "published" for model in models.values()):
    answering["published"] = models
labelled = {name: info for name, info in leadwise.records().items() if info.origin != "your own"}
windows = np.stack([leadwise.load_record(name).preprocess().window().signal for name in labelled])
said = {who: {name: probabilities(m, windows) for name, m in four.items()} for who, four in answering.items()}
codes = np.array([info.condition or "other" for info in labelled.values()])
simulated = np.array([info.origin == "simulated" for info in labelled.values()])
for kind, here in {"simulated": simulated, "real": ~simulated}.items():
    for name in ECG_MODELS:
        for which, those in {"with": here & (codes == name), "without": here & (codes != name)}.items():
            if those.any():
                called = ", ".join(f"{(p[name][those] > 0.5).sum()} by the {who}" for who, p in said.items())
                print(f"{kind:10s}{those.sum():3d} {which} {name}".ljust(27) + f"called: {called}")

# %% where they disagree on real recordings
for i in np.flatnonzero(~simulated):
    for name in ECG_MODELS:
        votes = [codes[i] == name, *(p[name][i] > 0.5 for p in said.values())]
        if any(votes) and not all(votes):
            answers = ", ".join(f"{who} {p[name][i]:.2f}" for who, p in said.items())
            title = shorten(list(labelled.values())[i].title, 70, placeholder=" ...")
            print(f"p({name}) {answers}   {title}")
if simulated.all() or len(answering) == 1:
    print("Real recordings and published networks: python -m leadwise download ecgs ecg-models")

# %% [markdown]
# A header is an opinion, too: where it names ST-T changes, the cause is open, and an alarm for ischaemia no plain error.
#
# **What does a false alarm rest on?** Asked are new patients with ischaemia, the ten others to whom a network gives most, and real
# alarms without the code, where there are any. Then ST, T or the limb leads are changed. No heart makes such signals, so compare
# the columns.

# %% with ischaemia and without
from leadwise.semantics import WAVES, wave_labels, waves_of

groups = {kind: ([], []) for kind in ("ISCH", "NORM", "AVB2", "AF", "PVC", "LVH", "real")}
for kind in list(groups)[:-1]:
    batch = simulate_batch(kind, range(7000, 7030))
    groups[kind][0].extend(preprocess(batch.signal, 500.0)[:, :, :2000].astype(np.float32))
    groups[kind][1].extend(wave_labels(waves, 2000) for waves in batch.waves)
for name, window in zip(labelled, windows, strict=True):
    if labelled[name].origin != "simulated" and labelled[name].condition != "ISCH":
        groups["real"][0].append(window)
        groups["real"][1].append(wave_labels(waves_of(leadwise.load_record(name)), 2000))
kinds = np.concatenate([[kind] * len(x) for kind, (x, _) in groups.items()])
signals = np.stack([row for x, _ in groups.values() for row in x])
parts = np.stack([row for _, labels in groups.values() for row in labels])[:, None]

# %% what the log-odds rest on
CHANGES = {
    "as it is": lambda x, wave: x,
    "ST at zero": lambda x, wave: x * (wave != WAVES.index("ST")),
    "T at zero": lambda x, wave: x * (wave != WAVES.index("T")),
    "T doubled": lambda x, wave: x * np.where(wave == WAVES.index("T"), 2, 1),
    "limb leads at zero": lambda x, wave: x * (np.arange(12) > 5)[:, None],
}
for who, four in answering.items():
    odds = {title: np.diff(logits(four["ISCH"], change(signals, parts)))[:, 0] for title, change in CHANGES.items()}
    order = np.argsort(-odds["as it is"])
    others = [i for i in order if kinds[i] not in ("ISCH", "real")][:10]
    alarms = [i for i in order if kinds[i] == "real" and odds["as it is"][i] > 0]
    print(f"{who}: mean log-odds (how many above 0); the ten others: {', '.join(sorted(kinds[others]))}")
    columns = {"ischaemia": kinds == "ISCH", "ten others": others} | ({"real alarms": alarms} if alarms else {})
    print(" " * 20 + "".join(f"{name:>16s}" for name in columns))
    for title, f in odds.items():
        print(f"{title:20s}" + "".join(f"{f[c].mean():+11.1f} ({(f[c] > 0).sum():2d})" for c in columns.values()))

# %% [markdown]
# What falls with ST or T rested on them, what stays on neither alone. In hypertrophy with strain both turn as in ischaemia: such an
# alarm has a reason, and names the wrong disease. A change that moves the others and not the ill shows what the network reads besides ischaemia.
#
# **A ready-made case.** The package `pydicom` carries a real recording for its tests. The recorder wrote its conclusion into the file, in
# Italian: sinus rhythm, normal ECG.

# %% one normal recording
from pydicom import dcmread
from pydicom.data import get_testdata_file

path = get_testdata_file("waveform_ecg.dcm", download=False)
notes = [note.get("UnformattedTextValue") for note in dcmread(path).WaveformAnnotationSequence]
case = leadwise.read_ecg(path)
print("the recorder:", *filter(None, notes), sep="\n   ")
print(beside_criterion("RBBB", case))
ready = case.resample(500).preprocess()
for who, four in answering.items():
    p = [float(four["RBBB"].probability(ready.window(start).tensor())) for start in range(7)]
    print(f"{who} network: p(RBBB) from {min(p):.3f} to {max(p):.3f} over 7 windows")
plot_ecg(case, leads=["V1", "V6"], columns=2, stop=4, title="pydicom's sample")

# %% [markdown]
# Look for the R' of a block in V1, and read what was measured. A network that answers above 0.5 here is wrong, however sure it is in
# each window and whatever hearts it learned from; windows of one recording are no independent witnesses. Real training data does
# not replace a measurement.

# %% [markdown]
# ## Exercises
#
# Each cell holds the names that its check asks for. Solutions are in `solutions/08_ecg_models.ipynb`.
#
# **1 Write code.** How many samples does a unit see with other kernels? Make a function `receptive_field(kernel, blocks)` of
# the loop in section 1: kernels of size `kernel`, poolings of size 2, what a unit sees after the last block's pooling.


# %% exercise 1 tags=["solution"] answers=["receptive_field"]
# Exercise 1: receptive_field(kernel, blocks) in samples; receptive_field(3, 5) is 94.
def receptive_field(kernel, blocks):
    """Samples that a unit sees after ``blocks`` blocks of a convolution and a pooling."""
    seen, stride = 1, 1
    for _ in range(blocks):
        seen += (kernel - 1) * stride + stride
        stride *= 2
    return seen


for size in (3, 5, 7):
    print(f"kernels of size {size}: {receptive_field(size, 5)} samples = {receptive_field(size, 5) * 2} ms")
# Larger kernels see a whole PR interval; a sixth block would as well, with fewer weights.

# %% check 1
check.receptive_field(receptive_field)

# %% [markdown]
# **2 Predict, then look.** The RBBB network meets its recording in four disguises: `"shifted"` in time by 320 samples, around
# the end (`torch.roll`), `"reversed"` in time (`torch.flip`), with V1 and V6 `"exchanged"`, and `"doubled"` in voltage. Which moves the
# log-odds $f_1 - f_0$ least? Write it into `predicted`, and run the check: it keeps your prediction, and never marks it. Then
# compute `moved`, a dict from these words to the absolute
# change.

# %% a recording to change
rbbb = models["RBBB"]
x = leadwise.load_record(next(iter(leadwise.records("RBBB")))).preprocess().window().tensor()

# %% exercise 2 tags=["solution"] answers=["predicted", "moved"]
# Exercise 2: predicted is one of "shifted", "reversed", "exchanged", "doubled"; moved: each of them -> |change of f1 - f0|.
# V1 and V6 are the rows 6 and 11 of x (12, 2000).
predicted = "shifted"

exchanged = x.clone()
exchanged[[6, 11]] = x[[11, 6]]
disguises = {"shifted": x.roll(320, -1), "reversed": x.flip(-1), "exchanged": exchanged, "doubled": 2 * x}
with torch.no_grad():
    f0, f1 = rbbb(x).tolist()
    moved = {name: abs(float(rbbb(y)[1] - rbbb(y)[0]) - (f1 - f0)) for name, y in disguises.items()}
print({name: round(value, 2) for name, value in moved.items()})
# A beat that comes later is the same beat, and the average is over all times. Played backwards it is another pattern.

# %% check 2
check.what_the_average_forgets(predicted, moved, model=rbbb, x=x)

# %% [markdown]
# **3 Find the bug.** A colleague's port loads without an error, and its probabilities are wrong. Why do the shapes not
# reveal it? Mend the function and call yours `port`.


# %% a colleague's port
def colleagues_port(kernel):
    """Keras kernel (size, in, out) -> PyTorch weight (out, in, size), with a bug."""
    size, leads, channels = kernel.shape
    return torch.tensor(kernel.reshape(channels, leads, size))


with torch.no_grad():
    layer.weight.copy_(colleagues_port(keras_kernel))
    wrong = layer(torch.tensor(signal.T.copy())).numpy().T
print(f"shape {tuple(layer.weight.shape)}, as it should be; largest difference: {np.abs(wrong - keras_way).max():.1f}")


# %% exercise 3 tags=["solution"] answers=["port"]
# Exercise 3: port(kernel): a NumPy array (size, in, out) -> a tensor (out, in, size).
def port(kernel):
    """Keras kernel (size, in, out) -> PyTorch weight (out, in, size)."""
    return torch.tensor(kernel.T.copy())


with torch.no_grad():
    layer.weight.copy_(port(keras_kernel))
    right = layer(torch.tensor(signal.T.copy())).numpy().T
print(f"largest difference: {np.abs(right - keras_way).max():.1e}")
# reshape keeps the numbers in the order in which they lie in memory and cuts them anew; only a transposition moves them. Both
# have the shape (out, in, size). One input through both layers tells them apart.

# %% check 3
check.the_port(port)

# %% [markdown]
# **4 Write code.** Whom does the student of section 4 miss? Its first hundred test patients are ill, with the seeds 2000 to
# 2099, and `before` holds the probabilities. `simulate_batch("ISCH", seeds).severity` says how severe each one is, from 0 to 1.
# Compute the mean severity of those with $p < 0.5$ as `missed`, and of the others as `found`.

# %% exercise 4 tags=["solution"] answers=["missed", "found"]
# Exercise 4: two numbers, the mean severity of the ill patients that are missed and of those that are found.
severity = simulate_batch("ISCH", range(2000, 2100)).severity
lost = before[:100] < 0.5
missed, found = severity[lost].mean(), severity[~lost].mean()
print(f"{lost.sum()} missed: mean severity {missed:.2f}; {(~lost).sum()} found: {found:.2f}")
# A share of right answers depends on how severe the cases are that one tests with. Say whom you tested.

# %% check 4
check.whom_it_misses(missed, found, probability=before)

# %% [markdown]
# **5 Interpret.** A network was trained and calibrated like this student, on as many ill as healthy, and says $p = 0.9$. In
# your practice 1 of 100 has the finding. Which probability is meant there? Call it `in_practice`.

# %% exercise 5 tags=["solution"] answers=["in_practice"]
# Exercise 5: a number between 0 and 1, by the formula at the end of section 4.
odds = 0.9 / 0.1 * (0.01 / 0.99) / (0.5 / 0.5)
in_practice = odds / (1 + odds)
print(f"{in_practice:.3f}")
# The signal is as strong as before; the finding is rarer. A heatmap is silent about this.

# %% check 5
check.in_another_practice(in_practice)

# %% think first answers [markdown] tags=["solution"]
# ## Think first: answers
#
# - **One number about a long interval:** How often, or for how long, it saw a stretch without a wave: quiet after a P wave
#   and before QRS. The average then counts such places.
# - **The row of a healthy person:** Four numbers near 0. They do not add up to 1: four networks were trained one by one,
#   and nobody is obliged to have one of four findings.
# - **Where a network without a ruler errs:** Where a long PR comes with short patterns of a normal one, at a high rate for
#   instance, and where something else makes the same quiet stretch. The list shows both kinds of exception, or none; none
#   is no proof of a ruler.
# - **Eight of ten, and the diagonal:** Eight. A network that is too sure lies below the diagonal where it says much, and
#   above it where it says little: its probabilities are too far out.
# - **The more frequent error on real recordings:** Neither can be known without trying. The simulator shows few of the
#   other things that hearts and recorders do, so that much is new to the network, and what is new may look like a finding:
#   the table counts both errors.

# %% [markdown]
# ## Quiz

# %% quiz
check.quiz()

# %% progress
check.progress()

# %% [markdown]
# ## Take away
#
# - Twelve leads in, two logits out, 64,386 parameters; a unit of the last block sees less than 200 ms.
# - A network that answers a question about a length need not measure it. Measure it, and put both side by side.
# - Explain the log-odds or a logit, not the probability.
# - A port is right when the outputs agree on real input, not when the shapes do.
# - High accuracy on simulated patients is a statement about simulated patients, as ill and as many as they were.
# - Real recordings, false alarms and what they rest on: ask for all three before an answer is believed.
#
# ## Go further
#
# - What a network can learn from real recordings, and which architectures do: Strodthoff et al. 2021, Deep learning for ECG
#   analysis: benchmarks and insights from PTB-XL, [doi:10.1109/JBHI.2020.3022989](https://doi.org/10.1109/JBHI.2020.3022989)
# - A network trained on more than a million patients: Ribeiro et al. 2020, Automatic diagnosis of the 12-lead ECG using a
#   deep neural network, [doi:10.1038/s41467-020-15432-4](https://doi.org/10.1038/s41467-020-15432-4)
# - A network that learned a machine's mark instead of the heart: [06 Can you trust it?](06_can_you_trust_it.ipynb)
#
# ## References
#
# 1. Gumpfer et al. 2024, Towards trustworthy AI in cardiology: a comparative analysis of explainable AI methods for
#    electrocardiogram interpretation, AIME 2024, [doi:10.1007/978-3-031-66535-6_36](https://doi.org/10.1007/978-3-031-66535-6_36)
# 2. Guo et al. 2017, On calibration of modern neural networks, [arXiv:1706.04599](https://arxiv.org/abs/1706.04599)
# 3. Saerens, Latinne, Decaestecker 2002, Adjusting the outputs of a classifier to new a priori probabilities,
#    [doi:10.1162/089976602753284446](https://doi.org/10.1162/089976602753284446)
# 4. Thambawita et al. 2021, DeepFake electrocardiograms using generative adversarial networks are the beginning of the end for
#    privacy issues in medicine, [doi:10.1038/s41598-021-01295-2](https://doi.org/10.1038/s41598-021-01295-2)
