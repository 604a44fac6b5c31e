"""Notebook 05, SIGN: its checks and its quiz."""

import numpy as np
import torch
from torch import Tensor, nn

from leadwise.checks.answers import (
    alike,
    as_array,
    as_function,
    as_map,
    as_number,
    as_numbers,
    expect_choice,
    recognise,
)
from leadwise.checks.core import Hint, exercise
from leadwise.checks.parts import parts_of
from leadwise.networks.alexnet import MEAN, STD
from leadwise.networks.ecg_net import ECGNet
from leadwise.plotting import percent

SLIP = 0.2  # mV, by which the recording of exercise 2 has slipped


@exercise("sign", 1, "one grey as the threshold", expects="a function sign_at(x, level) that returns a tensor like x")
def one_grey(sign_at: object, *, scenes: Tensor | None = None) -> str:
    """Compare with pixels that were brighter or darker than a grey before they were normalised."""
    sign_at, at_grey = as_function(sign_at, "sign_at"), []
    pixels = torch.rand(2, 3, 16, 15, generator=torch.Generator().manual_seed(4))
    for level in (0.2, 0.45, 0.8):
        mid = pixels.clone()
        mid[:, :, 0, 0] = level
        x = (mid - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
        found = as_array(sign_at(x, level), "sign_at(x, level)", tuple(x.shape))
        _signs_or_hint(found)
        clear = ((mid - level).abs() > 1e-4).numpy()
        wanted = np.where(mid >= level, 1, -1)
        if not (found == wanted)[clear].all():
            raise Hint(_why_other_signs(found, wanted, clear, x, level))
        at_grey.append(found[:, :, 0, 0])
    if np.max(at_grey) < 0:  # where a formula rounds, only some of them are
        raise Hint("A pixel exactly at the grey gets -1. It is at least as bright, so it counts as bright: +1.")
    text = "The threshold is the same grey for the eye, and three different numbers for the network."
    if scenes is None:
        return text
    moved = (as_array(sign_at(scenes, 0.45), "sign_at(x, 0.45)") > 0) != (scenes >= 0).numpy()
    return f"{text} On the scenes {percent(moved.mean())} of the values have another sign than with μ = 0."


def _signs_or_hint(found: np.ndarray) -> None:
    if (found == 0).mean() > 0.05:
        raise Hint("This is a mask, of 0 and 1. A sign is +1 on one side of the threshold and -1 on the other.")
    if (found == 0).any():
        raise Hint("A pixel exactly at the grey gets 0, as torch.sign has it. The course counts it as bright: +1.")
    if not np.isin(found, (-1, 1)).all():
        raise Hint(f"A sign is +1 or -1; here the values go from {found.min():.3g} to {found.max():.3g}.")


def _why_other_signs(found: np.ndarray, wanted: np.ndarray, clear: np.ndarray, x: Tensor, level: float) -> str:
    if (found == -wanted)[clear].all():
        return "All signs are turned around: brighter than the grey is +1."
    if (found == np.where(x >= level, 1, -1)).all():
        return "x was compared with `level` itself, but x is normalised and level is not: grey(level) translates it."
    if (found == np.where(x >= (level - np.mean(MEAN)) / np.mean(STD), 1, -1))[clear].all():
        return "This is one number for all colours. Each colour has its own mean and standard deviation, hence its own."
    wrong = (found != wanted)[clear].mean()
    return (
        f"At level {level:g}, {wrong:.0%} of the signs are wrong. grey(level) has the shape (3, 1, 1): use all of it."
    )


@exercise("sign", 2, "a slipped baseline", expects="a number in mV", predicts=True)
def slipped_baseline(quotient: object) -> str:
    """The quotient of the two methods is the mean |x|, weighted with the gradient: about the slip itself."""
    value = as_number(quotient, "quotient")
    if abs(value - SLIP) <= 0.05:
        return (
            f"The maps say {value:.2f} mV: SIGN multiplies the gradient by 1, times input by |x|, about 0.2 mV on "
            "the whole line."
        )
    if 100 <= value <= 400:
        raise Hint("That reads like microvolts; write it in mV.")
    if 0 <= value < 0.15:
        raise Hint(
            "That is about a line near zero, as it was before. Is it measured on `voltage + 0.2`, between beats?"
        )
    if 0.6 <= value <= 1.5:
        raise Hint("The factors differ: SIGN multiplies the gradient by +1 or -1, times input multiplies it by x.")
    raise Hint(
        "Write both means as sums over |factor| times |gradient|. Between beats |x| is nearly constant: factor it out."
    )


@exercise("sign", 3, "the gradient of another picture", expects="a function mended(network, x, target)")
def where_the_gradient_is_taken(mended: object) -> str:
    """Compare with gradient x SIGN of a small network, and with the usual slips."""
    mended = as_function(mended, "mended")
    network, x = _small_network(), torch.randn(3, 10, 9, generator=torch.Generator().manual_seed(5))
    x[:, 0, 0] = 0
    found = as_array(mended(network, x.clone(), 1), "mended(network, x, target)", tuple(x.shape))
    sign, slope = torch.where(x >= 0, 1.0, -1.0), _gradient(network, x, 1)
    at_sign = _gradient(network, sign, 1)
    wrong = {
        "This is still the colleague's map: the network is differentiated at the sign, not at x.": sign * at_sign,
        "The gradient is still taken at the sign of x, and now nothing is multiplied.": at_sign,
        "This is the gradient alone; the sign of x is to be multiplied afterwards.": slope,
        "This is gradient × input: multiply by the sign of x instead.": x * slope,
        "Right but where x is exactly 0: torch.sign gives 0 there, the course +1 (section 7).": torch.sign(x) * slope,
        "The magnitudes are right; the sign got lost.": slope.abs(),
        "All signs are turned around: +1 where x is 0 or more, -1 below.": -sign * slope,
    }
    otherwise = "Neither the colleague's map nor gradient × SIGN. Two steps: the gradient at x; then +1 or -1."
    recognise(found, sign * slope, wrong, otherwise, 1e-5)
    return "The gradient is taken at the picture, and only then multiplied. The network never sees the sign."


def _small_network() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        return nn.Sequential(nn.Conv2d(3, 4, 3), nn.Tanh(), nn.Flatten(-3), nn.Linear(4 * 8 * 7, 3)).eval()


def _gradient(network: nn.Module, x: Tensor, target: int) -> Tensor:
    x = x.clone().requires_grad_()
    return torch.autograd.grad(network(x)[target], x)[0]


SHARE_READINGS = {
    "a": "Use is a matter of what changes when the part goes. Did anything go here?",
    "b": "",
    "c": "That would need the sign of R. A share of |R| counts evidence for and against alike.",
    "d": "Then the map would have to sum to the logit, whatever μ is. Does it? Section 5 says what a SIGN map sums to.",
}


@exercise("sign", 4, "what a share under SIGN says", expects='"a", "b", "c" or "d"')
def what_a_share_says(reading: object) -> str:
    """A share of |R| under gradient x SIGN is a share of the gradient's magnitude, and of nothing else."""
    expect_choice(reading, SHARE_READINGS, "reading")
    return "Slopes, summed over many samples. A long part collects a large share even if each sample matters little."


@exercise("sign", 5, "the parts of the beat, one taken away at a time", expects="a dict: part -> number")
def parts_taken_away(change: object, *, network: ECGNet, signal: Tensor, part: np.ndarray) -> str:
    """Recompute each change: logit 1 minus logit 0, without the part minus with it."""
    names = [name for name in ("P", "P to QRS", "QRS", "T", "between beats") if (part == name).any()]
    found = as_numbers(change, names, "`change`")
    with torch.no_grad():
        whole = network(signal).flatten()
        straight = {name: network(_straight(signal, part != name)).flatten() - whole for name in names}
        flat = {name: network(signal * torch.tensor(part != name)).flatten() - whole for name in names}
    wanted = {name: float(logits[1] - logits[0]) for name, logits in straight.items()}
    if _close(found, wanted):
        return (
            "An intervention answers what a map can't: what the network does when the part is gone. What stands there "
            "instead belongs to the question: a straight line leaves the line from P to QRS as long as it was, and the "
            "block with it. Notebook 10 puts a healthy twin's there."
        )
    if _close(found, {name: -value for name, value in wanted.items()}):
        raise Hint("The numbers are right and their signs turned around: without the part minus with it.")
    level = float(whole[1] - whole[0])
    if _close(found, {name: level + value for name, value in wanted.items()}):
        raise Hint("These are the differences of the logits without each part; subtract what it is with the part.")
    probability = {name: _change_of_probability(level, value) for name, value in wanted.items()}
    if all(abs(found[name] - value) < 0.005 for name, value in probability.items()):
        raise Hint("These are changes of the probability, which is flat where the network is sure. Take the logits.")
    if _close(found, {name: float(logits[1]) for name, logits in straight.items()}):
        raise Hint("This is the change of logit 1 alone; the network decides by the difference of its two logits.")
    if _close(found, {name: float(logits[1] - logits[0]) for name, logits in flat.items()}):
        raise Hint(
            "The part was set to zero, which puts steps at its ends. Draw a straight line between its neighbours."
        )
    worst = max(names, key=lambda name: abs(found[name] - wanted[name]))
    raise Hint(f"change[{worst!r}] is off most. Are all samples with part == {worst!r} replaced, in all twelve leads?")


def _change_of_probability(level: float, change: float) -> float:
    before, after = torch.tensor([level, level + change]).sigmoid().tolist()
    return after - before


def _straight(signal: Tensor, keep: np.ndarray) -> Tensor:
    time, kept = np.arange(signal.shape[1]), np.flatnonzero(keep)
    leads = [np.interp(time, kept, lead[kept]) for lead in signal.cpu().numpy()]
    return torch.tensor(np.stack(leads)).to(signal)


def _close(found: dict, wanted: dict) -> bool:
    return all(abs(found[name] - value) <= 0.05 + 0.05 * abs(value) for name, value in wanted.items())


@exercise("sign", 6, "the method behind a name", expects="a map shaped like theirs")
def rebuilt_map(rebuilt: object, *, theirs: Tensor, ours: Tensor) -> str:
    """Correlate the map that was rebuilt with the package's; where it fails, with the name taken at its word."""
    if rebuilt is theirs:
        raise Hint("That is the package's own map. Make one that agrees with it, by a composite of zennit.")
    found = as_map(rebuilt, "rebuilt", tuple(theirs.shape))
    if not found.any():
        raise Hint("`rebuilt` is zero everywhere.")
    agreement = alike(found, theirs)
    if agreement > 0.999:
        return "Two programs give one map: now you know which method the name stands for, and can cite it."
    if agreement < -0.999:
        raise Hint("The pattern agrees, the sign is turned around: start the backward pass with +1.")
    if alike(found, as_array(ours, "ours")) > 0.99:
        raise Hint(
            "This is ε in every layer, the name taken at its word. Which rule could the convolutions have instead?"
        )
    raise Hint(f"The correlation with the package's map is {agreement:.3f}, not yet 0.999. Try another composite.")


quiz, progress, think_first = parts_of("sign")
