"""Checks and quiz of notebook 08, ECG models."""

from itertools import permutations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from leadwise.checks.answers import as_array, as_function, as_number, as_numbers, recognise
from leadwise.checks.core import Hint, exercise
from leadwise.checks.parts import parts_of
from leadwise.networks.ecg_net import ECGNet
from leadwise.simulation.simulate import simulate_batch

# What is often computed instead of the receptive field 1 + k (2^b - 1): what to say then -> the formula.
OTHER_FIELDS = {
    "It gives the same for every kernel: the 2 in r + 2s is the kernel's size less 1.": lambda k, b: 1 + 3 * (2**b - 1),
    "That is in milliseconds; the question is about samples.": lambda k, b: 2 * (1 + k * (2**b - 1)),
    "The poolings are missing: each adds one stride to what a unit sees.": lambda k, b: 1 + (k - 1) * (2**b - 1),
    "That is before the last pooling; the pooling belongs to the block.": (
        lambda k, b: 1 + (k - 1) * (2**b - 1) + 2 ** (b - 1) - 1
    ),
    "A kernel of size k reaches k - 1 strides beyond one sample, not k.": lambda k, b: 1 + (k + 1) * (2**b - 1),
    "The stride doubles at each pooling; here it stays 1.": lambda k, b: 1 + k * b,
}


@exercise("models", 1, "What a unit sees", expects="a function of kernel and blocks that returns a number")
def receptive_field(function: object) -> str:
    """``function(kernel, blocks)`` -> samples that a unit of the last block sees, after its pooling."""
    function = as_function(function, "`receptive_field`")
    cases = [(kernel, blocks) for kernel in (3, 5, 7) for blocks in (1, 2, 5)]
    found = [as_number(function(*case), "its result") for case in cases]

    wrong = {hint: [formula(*case) for case in cases] for hint, formula in OTHER_FIELDS.items()}
    wanted = [1 + kernel * (2**blocks - 1) for kernel, blocks in cases]
    off = [(b, w, f) for (k, b), w, f in zip(cases, wanted, found, strict=True) if k == 3 and f != w]
    otherwise = "Right for kernels of size 3. For others, each convolution adds (kernel - 1) s."
    if off:
        otherwise = "For kernels of size 3 section 1 prints {1} samples after block {0}; this is {2:g}.".format(*off[0])
    recognise(found, wanted, wrong, otherwise, 1e-6)
    return "1 + k (2^b - 1) samples: linear in the kernel's size, exponential in the number of blocks."


CHANGES = {
    "shifted": lambda x: x.roll(320, -1),
    "reversed": lambda x: x.flip(-1),
    "exchanged": lambda x: x[..., [0, 1, 2, 3, 4, 5, 11, 7, 8, 9, 10, 6], :],
    "doubled": lambda x: 2 * x,
}
HOW = {
    "shifted": "torch.roll(x, 320, 1) rolls along time",
    "reversed": "x.flip(1) turns time, not the leads",
    "exchanged": "copy x first, then give both rows the other's samples",
    "doubled": "2 * x",
}


@exercise("models", 2, "What the average forgets", expects="a dict: key -> number", predicts=True)
def what_the_average_forgets(moved: object, *, model: ECGNet, x: Tensor) -> str:
    """``moved``: by how much each change of the recording moves the log-odds."""
    found = {key: abs(value) for key, value in as_numbers(moved, CHANGES, "`moved`").items()}
    with torch.no_grad():
        logits = {key: two_logits(model, change(x)) for key, change in {"as it is": lambda x: x, **CHANGES}.items()}
    odds = {key: f1 - f0 for key, (f0, f1) in logits.items()}
    wanted = {key: abs(odds[key] - odds["as it is"]) for key in CHANGES}
    for key, value in wanted.items():
        given = found[key]
        if np.isclose(given, value, rtol=0.02, atol=0.01):
            continue
        if np.isclose(given, abs(sigmoid(odds[key]) - sigmoid(odds["as it is"])), rtol=0.02, atol=1e-3):
            raise Hint("These are differences of probabilities; take the log-odds f1 - f0, which do not saturate.")
        if np.isclose(given, abs(logits[key][1] - logits["as it is"][1]), rtol=0.02, atol=1e-3):
            raise Hint("These are changes of f1 alone; take f1 - f0.")
        raise Hint(f"moved[{key!r}] should be |(f1 - f0) of the changed x - (f1 - f0) of x|; {HOW[key]}.")
    least = min(wanted, key=wanted.get)
    if least != "shifted":  # may happen with other weights, where the ends of the window meet in a beat
        return (
            f"The network says “{least}” ({wanted[least]:.2f}); “shifted” ({wanted['shifted']:.2f}) makes new patterns "
            "where the ends of the window meet. When all the others come, the average forgets."
        )
    return (
        f"The network says “shifted” ({wanted['shifted']:.2f}): its average forgets when a pattern came. What the "
        "patterns are, and in which lead, it keeps."
    )


def two_logits(model: ECGNet, x: Tensor) -> tuple[float, float]:
    """Logits of no finding and of the pathology, of one recording."""
    logits = model(x)
    return float(logits[..., 0]), float(logits[..., 1])


def sigmoid(value: float) -> float:
    """Return 1 / (1 + e^-value)."""
    return float(1 / (1 + np.exp(-value)))


@exercise("models", 3, "The port", expects="a function: a kernel (size, in, out) -> a weight (out, in, size)")
def the_port(port: object) -> str:
    """``port(kernel)``: a Keras convolution kernel in PyTorch's layout."""
    port = as_function(port, "`port`")
    rng = np.random.default_rng(0)
    for size, leads, channels in ((3, 12, 64), (5, 2, 4)):
        kernel = rng.normal(size=(size, leads, channels))
        weight = as_array(port(kernel.copy()), "the ported kernel", (channels, leads, size))
        if not np.allclose(weight, kernel.T, atol=1e-6):
            raise Hint(wrong_order(weight, kernel))
        signal = rng.normal(size=(1, leads, 50))
        keras = sum(signal[0, :, i : 51 - size + i].T @ kernel[i] for i in range(size)).T
        torch_way = functional.conv1d(torch.tensor(signal), torch.tensor(weight))[0].numpy()
        if not np.allclose(keras, torch_way, atol=1e-4):
            raise Hint("The convolution with this kernel differs from Keras's.")
    return "All three axes are reversed, and one input through both layers proves it where shapes cannot."


def wrong_order(weight: np.ndarray, kernel: np.ndarray) -> str:
    """Say how a weight of the right shape differs from the transposed kernel."""
    if np.allclose(weight, kernel.reshape(weight.shape), atol=1e-6):
        return "The shape is right and the order is not: reshape keeps the numbers in the order in which they lie."
    if np.allclose(weight, kernel.T[..., ::-1], atol=1e-6):
        return "Here time runs backwards: both libraries slide the kernel as it is; only the axes are exchanged."
    for axes in permutations(range(3)):
        if np.allclose(weight.ravel(), kernel.transpose(axes).ravel(), atol=1e-6):
            return f"The axes were brought into the order {axes} and then reshaped; transpose until the shape fits."
    return "The shape is right, the numbers are not where they belong: compare weight[o, i, k] with kernel[k, i, o]."


@exercise("models", 4, "Whom it misses", expects="two mean severities, between 0 and 1")
def whom_it_misses(missed: object, found: object, *, probability: Tensor) -> str:
    """Mean severity of the ill test patients that the student misses, and of those it finds."""
    severity = simulate_batch("ISCH", range(2000, 2100), noise=False, seconds=4).severity
    lost = as_array(probability, "probability", (200,))[:100] < 0.5
    if not lost.any():
        return "This student misses nobody; there is no severity to compare."
    wanted = severity[lost].mean(), severity[~lost].mean()
    given = as_number(missed, "`missed`"), as_number(found, "`found`")
    if np.allclose(given, wanted, atol=0.01):
        return (
            "What is missed is milder than what is found." if wanted[0] < wanted[1] else "Severity is not the reason."
        )
    if np.allclose(given, wanted[::-1], atol=0.01):
        raise Hint("The two are exchanged: missed are those with p below 0.5.")
    if any(value > 1 or value < 0 for value in given):
        raise Hint("A severity lies between 0 and 1. `.severity` of the batch has it, for each patient.")
    if np.isclose(given[0], np.median(severity[lost]), atol=0.01):
        raise Hint("That looks like the median; take the mean.")
    raise Hint(
        "Only the ill have a severity: the first hundred of the test patients, seeds 2000 to 2099, "
        "with `before[:100]` as their probabilities."
    )


@exercise("models", 5, "In another practice", expects="a probability")
def in_another_practice(in_practice: object) -> str:
    """p = 0.9 from a network trained on halves, where 1 patient in 100 has the finding."""
    value = as_number(in_practice, "`in_practice`")
    odds = 0.9 / 0.1 * 0.01 / 0.99
    right = odds / (1 + odds)
    wrong = {
        "The same signal means less where the finding is rare: the share of patients has changed.": 0.9,
        "These are odds; a probability is odds / (1 + odds).": odds,
        "A product of probabilities is none of the odds: turn p into odds, multiply, and turn them back.": 0.009,
        "That is in per cent; write it as a number between 0 and 1.": 100 * right,
        "The factor is upside down: a rarer finding must make the probability smaller.": 891 / 892,
    }
    otherwise = "Odds of 0.9 are 9; multiply them by the new odds of the finding (1 to 99) over the old (1 to 1)."
    recognise(value, right, wrong, otherwise, 0.06)  # rounded to per cent is right; the odds lie 9 % away
    return "1 in 12, where the network said 9 in 10: the signal is as strong, the finding is rarer."


quiz, progress, think_first = parts_of("models")
