# %% [markdown]
# # 07 ECG models
#
# Four small networks each look for one finding in a 12-lead ECG: first-degree AV block (AVB), ischaemia (ISCH), left and
# right bundle branch block (LBBB, RBBB). They are the networks that the rest of the course explains.
#
# **You will be able to**
#
# - read the architecture and compute what one of its units sees,
# - load the models and run them on recordings,
# - port a network from Keras to PyTorch and check that nothing changed,
# - train such a network on simulated ECGs, and say what its probabilities are worth.
#
# **Before:** notebook 06. **Teaching, not diagnosis:** nothing here may be used to decide about a patient.

# %% imports
from textwrap import shorten

import matplotlib.pyplot as plt
import numpy as np
import torch

import ecgxai
from ecgxai.ecg.filters import preprocess
from ecgxai.ecg.simulate import simulate_batch
from ecgxai.models.ecg_net import ECGNet
from ecgxai.models.training import calibrate, calibration_error, fit, initialise, probabilities, reliability
from ecgxai.models.weights import ECG_MODELS
from ecgxai.plotting import plot_matrix

# %% [markdown]
# ## 1 The network
#
# Five blocks of convolution, ELU and max-pooling halve the time axis five times. Global average pooling forgets *when*
# something happened. Three dense layers and an output layer turn 64 numbers into two logits [1].

# %% architecture
network = ECGNet()
shapes = {}
for layer, module in network.named_children():
    module.register_forward_hook(lambda m, args, out, layer=layer: shapes.update({layer: tuple(out.shape[1:])}))
network.eval()(torch.zeros(1, 12, 2000))

for layer, shape in shapes.items():
    parameters = sum(weight.numel() for weight in getattr(network, layer).parameters())
    print(f"{layer:8s} -> {shape!s:12s} {parameters:6,} parameters")
print(f"{'total':24s}{sum(weight.numel() for weight in network.parameters()):7,}")

# %% [markdown]
# **What does one unit see?** A unit of block $l$ sees $r_l$ input samples. A convolution of size 3 adds $2 s$ samples, a
# pooling of size 2 adds $s$, where the stride $s$ doubles at each pooling:
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
# The widest unit sees less than 200 ms: a QRS complex, or a P wave with the start of a QRS complex. **Think first.** How can
# the AVB network notice a PR interval of 300 ms, if no convolution unit sees both of its ends?
#
# The average over time still counts: how often does each pattern occur, and how long does the quiet stretch between P and
# QRS last? Remember this when its maps are read.

# %% [markdown]
# ## 2 Four trained networks
#
# The published weights are those of Gumpfer et al. [1], trained on real ECGs. The embedded weights were trained for this
# course on simulated ECGs (section 5). `weights="auto"` takes the published ones where they have been downloaded.

# %% load the models
models = {name: ecgxai.load_ecg_model(name) for name in ECG_MODELS}

# %% [markdown]
# Every recording is filtered in the same way, over its whole length, and its first 4 s go to the networks.

# %% run the models
table, rows = [], []
for name, info in ecgxai.records().items():
    ecg = ecgxai.load_record(name).preprocess().window()
    table.append([float(network.probability(ecg.tensor())) for network in models.values()])
    rows.append(shorten(info.title, 56, placeholder=" ..."))
plot_matrix(np.array(table), rows, list(models), title="Probability of each finding", write="{:.2f}".format)

# %% [markdown]
# Read it row by row. The networks were trained one by one: nothing makes the four probabilities of a row add up to 1, and
# a record may carry several findings or none.
#
# A probability is a squashed difference of logits: $p = 1 / (1 + e^{-(f_1 - f_0)})$. Beyond $|f_1 - f_0| > 5$ it hardly moves,
# so explanations start from the logit and not from the probability.

# %% logits
name, info = next(iter(ecgxai.records("LBBB").items()))
ecg = ecgxai.load_record(name).preprocess().window()
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
kernel, bias = rng.normal(size=(3, 12, 64)), rng.normal(size=64)
signal = rng.normal(size=(2000, 12))

padded = np.pad(signal, ((1, 1), (0, 0)))  # "same": one zero on each side
keras_way = sum(padded[i : i + 2000] @ kernel[i] for i in range(3)) + bias

layer = torch.nn.Conv1d(12, 64, kernel_size=3, padding="same", dtype=torch.float64)
with torch.no_grad():
    layer.weight.copy_(torch.tensor(kernel.T.copy()))
    layer.bias.copy_(torch.tensor(bias))
    torch_way = layer(torch.tensor(signal.T.copy()))
print(f"largest difference: {np.abs(torch_way.numpy().T - keras_way).max():.1e}")

# %% [markdown]
# `ecgxai.models.weights.convert_keras` does this for all nine layers, checks every name and shape, and refuses anything
# else. The logits of the port agree with those of the original TensorFlow models to 1e-5 on the recordings tried: a test of
# this course checks it.

# %% [markdown]
# ## 4 Training one
#
# A simulated patient comes with a label that is right by construction. Here a small study: patients with ischaemia (ST
# depression and T inversion, from barely visible to marked) and healthy ones, one network, a few passes. The recordings are
# filtered exactly as real ones are.


# %% simulate patients
def patients(seeds):
    """Half with ischaemia, half healthy: x (N, 12, 5000) in mV, y (N,)."""
    half = len(seeds) // 2
    groups = {"ISCH": seeds[:half], "NORM": seeds[half:]}
    x = np.concatenate([simulate_batch(condition, chosen).signal for condition, chosen in groups.items()])
    y = np.repeat([1, 0], [half, len(seeds) - half])
    return preprocess(x, 500.0), y


x_train, y_train = patients(range(300))
x_valid, y_valid = patients(range(1000, 1120))
x_test, y_test = patients(range(2000, 2200))
print(x_train.shape, f"{y_train.mean():.0%} with ischaemia")

# %% train
student = initialise(ECGNet("ISCH", "trained in this notebook"), seed=1)
history = fit(student, x_train, y_train, (x_valid, y_valid), epochs=6, seed=1)

fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3), layout="constrained")
epochs = [epoch.number for epoch in history]
left.plot(epochs, [epoch.loss for epoch in history], "o-", label="training (augmented)")
left.plot(epochs, [epoch.validation_loss for epoch in history], "s-", label="validation")
left.set(xlabel="epoch", ylabel="cross-entropy", ylim=(0, None))
left.legend(frameon=False)
right.plot(epochs, [epoch.validation_auc for epoch in history], "s-", color="C1")
right.set(xlabel="epoch", ylabel="area under the ROC curve", ylim=(0.9, 1.005))
plt.show()

# %% test
before = probabilities(student, x_test)
print(f"new patients: {((before > 0.5) == y_test).mean():.1%} right")
for condition in ("ISCH", "NORM"):
    for name, info in ecgxai.records(condition).items():
        ecg = ecgxai.load_record(name).preprocess().window()
        print(f"p(ischaemia) = {float(student.probability(ecg.tensor())):.3f}  {info.title} [{info.origin}]")

# %% [markdown]
# A few hundred patients and a few passes are enough for most, not for all. Exercise 4 asks whom it misses.

# %% [markdown]
# **Calibration.** A network may rank patients well and still exaggerate. Of all patients with $p \approx 0.8$, 80 % should have the
# finding. Dividing the logits by one number, the *temperature*, can repair some of it without changing a single decision [2]. The
# inner points below rest on few patients each.

# %% calibrate
fig, axis = plt.subplots(figsize=(4.4, 3.6), layout="constrained")
axis.plot([0, 1], [0, 1], color="grey", linewidth=0.8)


def show(probability, label):
    """Plot how often the finding is there against how probable it was said to be."""
    rows = reliability(probability, y_test, bins=5)
    error = calibration_error(probability, y_test)
    axis.plot([row[0] for row in rows], [row[1] for row in rows], "o-", label=f"{label}: error {error:.3f}")


show(before, "as trained")
temperature = calibrate(student, x_valid, y_valid)
show(probabilities(student, x_test), f"temperature {temperature:.2f}")
axis.set(xlabel="predicted probability", ylabel="share with ischaemia", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
axis.legend(frameon=False, loc="lower right", fontsize=8)
plt.show()

# %% [markdown]
# ## 5 How the embedded models were made
#
# The same way, with more patients and more kinds of them: all four findings, normal ECGs, and distractors (hypertrophy,
# atrial fibrillation, premature beats, second-degree block). `training/ecg_models.py` is the whole recipe, with its
# seed; `training/README.md` holds the curves and the numbers.

# %% report
import json

from ecgxai.paths import ASSETS

report = json.loads((ASSETS / "ecg_models" / "report.json").read_text())["models"]
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

# %% curves
fig, axes = plt.subplots(1, 4, figsize=(10, 2.6), sharey=True, layout="constrained")
for axis, (name, row) in zip(axes, report.items(), strict=True):
    epochs = [epoch["number"] for epoch in row["history"]]
    axis.semilogy(epochs, [max(epoch["loss"], 1e-4) for epoch in row["history"]], "o-", markersize=3, label="training")
    axis.semilogy(
        epochs,
        [max(epoch["validation_loss"], 1e-4) for epoch in row["history"]],
        "s-",
        markersize=3,
        label="validation",
    )
    axis.set(title=name, xlabel="epoch")
axes[0].set_ylabel("cross-entropy (at least 1e-4)")
axes[0].legend(frameon=False)
plt.show()

# %% [markdown]
# These numbers hold for simulated patients, drawn from the distribution that the network was trained on. On real
# recordings a network meets what the simulator left out, and the numbers of a simulation promise nothing there.

# %% [markdown]
# ## Exercises
#
# 1. **Compute.** What would a unit of block 5 see with kernels of size 7 instead of 3? Change the loop of section 1.
# 2. **Predict, then look.** Set all samples of V1 to zero. Which of the four networks changes its mind on its own finding?
#    Then try V6.
# 3. **Find the bug.** A port loads without an error, yet every probability is near 0.5: the kernels were reshaped with
#    `reshape(64, 12, 3)` instead of transposed. Why do the shapes not reveal it, and what would?
# 4. **Write code.** `simulate_batch` returns the severity of each patient. Are the missed patients of section 4 the mild ones?
#    Then train on patients without noise (`noise=False`), test on patients with noise, and explain what happens.

# %% [markdown]
# ## Take away
#
# - Twelve leads in, two logits out, 64,386 parameters; a unit of the last block sees less than 200 ms.
# - Explain the logit, not the probability.
# - A port is right when the outputs agree on real input, not when the shapes do.
# - High accuracy on simulated patients is a statement about simulated patients.
#
# ## References
#
# 1. Gumpfer et al. 2024, Towards trustworthy AI in cardiology: a comparative analysis of explainable AI methods for
#    electrocardiogram interpretation, AIME 2024, [doi:10.1007/978-3-031-66535-6_36](https://doi.org/10.1007/978-3-031-66535-6_36)
# 2. Guo et al. 2017, On calibration of modern neural networks, [arXiv:1706.04599](https://arxiv.org/abs/1706.04599)
