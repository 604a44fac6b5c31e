"""What the notebooks say beside what they print: sentences with a number or a ranking, one by one.

``CLAIMS`` holds the sentences. Each is read against the output of the cell that it speaks about, as committed; those
about "both" also against the outputs with published networks and real recordings, where this machine has them.
A sentence that was rewritten, or whose cell is gone, fails as well: the table goes with the text.
"""

import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from leadwise import load_ecg_model
from leadwise.evaluation import student
from notebook_run import execute
from notebook_source import variants

ROOT = Path(__file__).resolve().parents[1]
NUMBER = r"[-−+]?\d[\d,]*\.?\d*(?:e[-+]?\d+)?"


@dataclass(frozen=True)
class Claim:
    """A sentence, the cell whose output it is about, and what must hold of that output.

    Parameters
    ----------
    cell : id of a code cell; it begins with the number of its notebook, or of its appendix: "06-luck", "A5-luck"
    says : words of a text cell of the same notebook
    holds : text that the cell printed -> whether the sentence is true of it
    where : "embedded" networks, the "published" ones, or "both"
    """

    cell: str
    says: str
    holds: Callable[[str], bool]
    where: str = "embedded"

    @property
    def notebook(self) -> str:
        """Number of its notebook."""
        return self.cell.partition("-")[0]


def numbers(text: str) -> list[float]:
    """Return all numbers in a text."""
    return [float(one.replace("−", "-").replace(",", "")) for one in re.findall(NUMBER, text)]


def after(text: str, name: str, which: int = 0) -> list[float]:
    """Return the numbers behind a name, in the first line that has it (or a later one)."""
    lines = [line.split(name, 1)[1] for line in text.splitlines() if name in line]
    assert len(lines) > which, f"no line with {name!r} in:\n{text}"
    return numbers(lines[which])


def before(text: str, name: str) -> list[float]:
    """Return the numbers in front of a name, in the first line that has it."""
    lines = [line.split(name, 1)[0] for line in text.splitlines() if name in line]
    assert lines, f"no line with {name!r} in:\n{text}"
    return numbers(lines[0])


def near(a: float, b: float, by: float) -> bool:
    """Return whether two numbers differ by at most so much."""
    return abs(a - b) <= by + 1e-9


def rows(text: str, pattern: str) -> list[tuple[float, ...]]:
    """Return the groups of every match, as numbers."""
    return [tuple(numbers(" ".join(found.groups()))) for found in re.finditer(pattern, text)]


def named(text: str, title: str) -> set[str]:
    """Return the methods that a line lists behind a title."""
    (line,) = (line for line in text.splitlines() if line.startswith(title))
    return set(line.split(": ", 1)[1].split("; "))


def loses_as_it_correlates(text: str) -> bool:
    """Whether maps of a re-selected class lose the more of their sum, the less they correlate with the right ones."""
    found = [after(text, name) for name in ("AVB", "ISCH", "LBBB", "RBBB")]
    lost = sorted((round(1 - again / right, 2), round(-like, 2)) for right, again, _, like in found)
    return [like for _, like in lost] == sorted(like for _, like in lost)


def leads_there(text: str) -> bool:
    """Whether Grad-CAM++ is among the first three by localisation on AVB, and not by intervention."""
    by_effect, by_place, _ = rows(text, rf"AVB +Grad-CAM\+\+ +{PLACES}")[0]
    return by_place <= 3 < by_effect


PLACES = r"(by intervention +\d+), (by localisation +\d+) (of \d+)"
GAMMAS = r"γ = [\d.]+   weights +(\S+) +(\S+)   contributions +(\S+) +(\S+)"

CLAIMS = [
    # 01
    Claim("01-receptive-fields-by-gradient", "No pixel outside the formula's field has any gradient",
          lambda t: all(a == b == c for a, b, c in rows(t, r"formula +(\d+) px, measured (\d+) x (\d+) px"))),
    Claim("01-receptive-fields-by-gradient", "the gradient concentrates in the middle",
          lambda t: all(share > area for area, share in rows(t, r"inner (\d+)% of the area hold (\d+)%"))),
    Claim("01-confidence", "the share is smaller on average where nothing fits",
          lambda t: after(t, "scenes with an object")[1] > max(after(t, "noise")[1], after(t, "scenery")[1])),
    Claim("01-many-classes", "a shift can undo it", lambda t: after(t, "none")[2] < after(t, "none")[1]),
    Claim("01-many-classes", "What was made under jitter has been shifted at every step",
          lambda t: after(t, "all")[2] == after(t, "all")[1] == 100),
    # 02
    Claim("02-compare-gradient", "Orange pixels raise the logit", lambda t: max(numbers(t)) < 1e-6),
    Claim("02-compare-smoothgrad", "Sixteen copies are few: other noise gives another map",
          lambda t: numbers(t)[-1] < 0.95),
    Claim("02-tiny", "and the gradient is 0", lambda t: after(t, "Gradient") == [0]),
    Claim("02-tiny", "looks at the whole way from 0 to 2 finds what was gained",
          lambda t: after(t, "Integrated gradients") == after(t, "DeepLIFT") == [1]),
    Claim("02-along-the-path", "it *is* the slope at the end of the path",
          lambda t: near(after(t, "slope at the scene:")[0], after(t, "sum of gradient × input:")[0], 0.01)),
    Claim("02-blind-spots", "the black baseline can take a part of its relevance, not all of it",
          lambda t: 0 < after(t, "black baseline")[0] < after(t, "no factor")[0]),
    # 04
    Claim("04-backward", "Each layer holds 3, the logit", lambda t: numbers(t) == [3, 3, 3]),
    Claim("04-gradient-x-input", "With biases the maps still agree",
          lambda t: max(a for a, _ in rows(t, r"input\| (\S+), largest .*logit\| (\S+)")) < 1e-6),
    Claim("04-gradient-x-input", "but their sum is no longer the logit",
          lambda t: after(t, "no biases:")[1] < 1e-5 and after(t, "with biases:")[1] > 0.1),
    Claim("04-bias-by-hand", "so it keeps a half of the relevance",
          lambda t: re.search(r"outputs 7, of which 3 reach the inputs, 4 stay", t) is not None),
    Claim("04-first-map", "The same map twice, up to rounding", lambda t: max(numbers(t)) < 1e-4),
    Claim("04-gamma", "only positive contributions are left", lambda t: after(t, "z⁺:")[0] > 0.99),
    Claim("04-what-is-left", "most rules hold the line",
          lambda t: sum(near(numbers(line)[-1], 1, 0.01) for line in t.splitlines()[1:]) > 4),
    Claim("04-what-is-left", "**ε absorbs** a fraction", lambda t: 1 > after(t, "ε = 0.1")[1] > after(t, "ε = 1 ")[1]),
    Claim("04-what-is-left", "**w² and flat lose at the average pooling**",
          lambda t: max(after(t, "w²")[1], after(t, "flat")[1]) < 0.5),
    Claim("04-ledger", "the account can be closed to the last digit", lambda t: numbers(t)[-2] == numbers(t)[-1]),
    Claim("04-flat-is-blind", "The flat map is the same for every class",
          lambda t: after(t, "classes") == [1, 1]),
    Claim("04-flat-is-blind", "the same picture comes out below",
          lambda t: min(after(t, "classes", 2)) > 0.95 > max(after(t, "classes", 3))),
    Claim("04-two-objects", "as in composites, need not suffice",
          lambda t: after(t, "cat: dense ε, γ, z-box")[0] < after(t, "cat: dense ε, γ, z-box")[1]),
    Claim("04-contrast-measured", "a start that weighs all classes alike brings the little difference out",
          lambda t: after(t, "z⁺ everywhere")[1] > after(t, "z⁺ everywhere")[0]),
    Claim("04-contrast-measured", "ε kept it all along, and has less to gain",
          lambda t: after(t, "ε everywhere")[1] - after(t, "ε everywhere")[0]
          < after(t, "z⁺ everywhere")[1] - after(t, "z⁺ everywhere")[0]),
    # 05
    Claim("05-the-sign-moves-with-the-zero", "are each other's negative",
          lambda t: after(t, "white", 1) == [-1]),
    Claim("05-identities", "Two derivations meet",
          lambda t: min(after(t, "correlation") + after(t, "correlation", 1)) > 0.9999),
    Claim("05-known-cause", "White noise lands at the area, as it must",
          lambda t: near(before(t, "Random map")[0], after(t, "differ in")[0], 2)),
    Claim("05-signxai", "Two names agree, two do not",
          lambda t: min(after(t, "gradient ") + after(t, "gradient_x_sign")) == 1
          and max(after(t, "deconvnet") + after(t, "lrpsign_epsilon_0_25_std_x")) < 0.9),
    # A5
    Claim("A5-what-the-frame-gets", "the slightest noise lets them out",
          lambda t: after(t, "torch.sign")[0] == 0 < after(t, "torch.sign")[1]),
    Claim("A5-comparison-table", "The gradients agree", lambda t: min(after(t, "gradient ")[::2]) == 1),
    Claim("A5-comparison-table", "Integrated gradients agree up to the number of steps",
          lambda t: min(after(t, "integrated_gradients")[::2]) > 0.99),
    Claim("A5-comparison-table", "Three groups differ",
          lambda t: "not supported" in t and after(t, "deconvnet")[0] < 0.9
          and all(max(after(t, name)[::2]) < 0.9 for name in ("lrp_epsilon_1_std_x ", "lrpsign_epsilon_0_25_std_x "))),
    Claim("A5-deconvnet", "the backward pass then runs on the network without them",
          lambda t: t.strip().endswith("True")),
    Claim("A5-ladder", "The ladder starts at 1 on the left and ends at 1 on the right",
          lambda t: after(t, "by autograd")[::2] == [1, 1] and after(t, "first layer")[1::2] == [1, 1]),
    Claim("A5-three-versions", "gives the authors' maps", lambda t: min(after(t, "LRP with ε·std(x)")[-2:]) > 0.999),
    Claim("A5-behind-the-names", "is the plain gradient", lambda t: "gradient: 1, among them lrp_alpha_1_beta_0" in t),
    Claim("A5-behind-the-names", "is nearly gradient × input",
          lambda t: "gradient_x_input: 10, among them lrp_epsilon_1_std_x" in t),
    Claim("A5-merged-batch-norm", "The network still computes what it did",
          lambda t: after(t, "logits change by", 1) == [0] and after(t, "state_dict changes by", 1)[0] > 0.1),
    # 06
    Claim("06-luck", "On average noise has what chance has", lambda t: near(numbers(t)[0], after(t, "mean")[0], 4)),
    Claim("06-luck", "The best of forty looks like an explanation", lambda t: after(t, "best")[0] > 2 * numbers(t)[0]),
    Claim("06-scene-localisation", "it does within its interval",
          lambda t: after(t, "Random map")[1] <= numbers(t)[0] / 100 <= after(t, "Random map")[2]),
    Claim("06-scores-of-pictures", "the network has an opinion of a grey square as well",
          lambda t: numbers(t)[-1] > 50),
    Claim("06-paired-differences-of-pictures", "can't be told apart? No", lambda t: numbers(t)[1] >= 1),
    Claim("06-curves-by-replacement", "the replacement brings it back",
          lambda t: after(t, "neighbouring beat   p(AVB) =")[0] > 0.9 * after(t, "neighbouring beat   p(AVB) =")[1]),
    Claim("06-places-by-replacement", "may do worse where the healthy twin is the judge",
          lambda t: after(t, "Integrated gradients")[3] > after(t, "Integrated gradients")[0]),
    Claim("06-sanity-curves", "go on drawing the same picture while layer after layer forgets",
          lambda t: max(before(t, "Guided") + before(t, "LRP-z⁺")) < 0.5 < min(before(t, "Gradient"))),
    Claim("06-sanity-of-noise", "passes with the best score of all",
          lambda t: before(t, "noise drawn anew")[0] >= 0.99),
    Claim("06-sanity-of-noise", "is the same map each time and fails entirely",
          lambda t: before(t, "noise from one seed")[0] <= 0.01),
    Claim("06-sanity-of-noise", "choices that have nothing to do with the method: signs or magnitudes",
          lambda t: not near(*after(t, "LRP-ε: with signs"), 0.1)),
    Claim("06-sanity-on-ecgs", "has the gradient's number to the last digit",
          lambda t: before(t, "Gradient") == before(t, "Guided backpropagation"), where="both"),
    Claim("06-two-machines", "A result to publish", lambda t: numbers(t)[-1] > 0.95),
    Claim("06-intervention", "the probability follows the pulse and not the block",
          lambda t: min(after(t, "AVB, with pulses")[0], after(t, "no AVB, with pulses")[0]) > 0.9
          and max(after(t, "AVB, without pulses")[0], after(t, "no AVB, without pulses")[0]) < 0.1),
    Claim("06-robustness", "the distance of two maps that have nothing in common",
          lambda t: near(after(t, "Random map")[0], 2**0.5, 0.05)),
    # 07
    Claim("07-header", "name, 12 signals, 500 samples a second, 5000 samples",
          lambda t: " 12 500 5000" in t.splitlines()[1]),
    Claim("07-einthoven", "A few microvolts are rounding", lambda t: after(t, "largest of all:")[0] < 5),
    Claim("07-angles-of-two-leads", "Two rows are not where the drawings have them",
          lambda t: abs(after(t, "I  ")[0]) > 3 and abs(after(t, "aVF")[0] - 90) > 3),
    Claim("07-intervals", "A QRS of 110 ± 24 ms neither is nor isn't below 120 ms",
          lambda t: after(t, "QRS")[:2] == [110, 24]),
    Claim("07-borders", "people disagree about it most",
          lambda t: after(t, "T onset")[1] == max(after(t, "ms, spread", k)[0] for k in range(6))),
    # 08
    Claim("08-architecture", "64,386 parameters", lambda t: after(t, "total") == [64386]),
    Claim("08-receptive-field", "The widest unit sees less than 200 ms",
          lambda t: 150 < max(ms for *_, ms in rows(t, r"pooling +(\d+) samples = +(\d+) ms")) < 200),
    Claim("08-a-length-and-an-answer", "Read the list from top to bottom, PR grows",
          lambda t: (found := [pr for (pr,) in rows(t, r"PR (\d+) ±")]) == sorted(found)),
    Claim("08-port-one-layer", "A port is right when the same input gives the same output",
          lambda t: numbers(t)[-1] < 1e-5),
    Claim("08-test", "are enough for most, not for all", lambda t: 80 < numbers(t)[0] < 100),
    # 09
    Claim("09-gradient", "It has the same shape as the input", lambda t: len(set(t.splitlines()[0].split(" -> "))) == 1,
          where="both"),
    Claim("09-what-arrives", "A sum below the logit is therefore no sign of a mistake",
          lambda t: min(at for _, at in rows(t, r"06: ([-\d.]+) +ε = 0.1: ([-\d.]+)")) < 0.9, where="both"),
    Claim("09-what-arrives", "biases keep a part of the relevance, or add to it",
          lambda t: (found := [small for small, _ in rows(t, r"06: ([-\d.]+) +ε = 0.1: ([-\d.]+)")])
          and min(found) < 1 < max(found)),
    Claim("09-log-odds", "the two maps are each other's negative",
          lambda t: near(after(t, "log-odds' maps:")[0], -1, 0.005), where="both"),
    Claim("09-sign", "That hides what happens at small voltages",
          lambda t: before(t, "of the absolute relevance under gradient_x_input")[0]
          < before(t, "of the absolute relevance under gradient_x_sign")[0], where="both"),
    Claim("09-reselected-target", "the sum of the correct map is the difference of the two logits",
          lambda t: near(after(t, "fixed class:")[0] / after(t, "(flat line) =")[0], 1, 0.05), where="both"),
    Claim("09-reselected-target", "and the flawed one misses it as soon as the class changes on the way",
          lambda t: not near(after(t, "reselected class:")[0], after(t, "(flat line) =")[0], 0.1)),
    Claim("09-reselected-target", "and of 150 steps by −0.87 and −0.40",  # of 50: tests/test_reference_maps.py
          lambda t: near(after(t, "correlation of the two maps:")[0], -0.40, 0.01), where="published"),
    Claim("09-caveats", "guided backpropagation on a network without ReLU is the gradient",
          lambda t: "guided_backprop  it changes the backward pass of ReLU only, and none ran" in t, where="both"),
    Claim("09-inside-the-cause", "The random map lands at the share of the area, as it must",
          lambda t: near(before(t, "Random map")[0], numbers(t)[0], 2), where="both"),
    Claim("09-inside-the-cause", "$x^2$ asks no network at all", lambda t: before(t, "x²")[0] > 2 * numbers(t)[0],
          where="both"),
    # 10
    Claim("10-control", "The random map is the share of the time",
          lambda t: all(near(a, b, 2) for a, b in
                        zip(after(t, "a random map"), after(t, "share of the time"), strict=True)), where="both"),
    Claim("10-a-map", "The brackets below the leads are P, QRS and T", lambda t: "explained by" in t, where="both"),
    Claim("10-signed", r"\sum M = \sum R",
          lambda t: near(*numbers(t)[:2], 0.001 * max(abs(numbers(t)[0]), 1)), where="both"),
    Claim("10-how-steady", "Relevance that belongs to the heart stays well below it",
          lambda t: after(t, "LRP-ε·std(x)")[0] < 0.7 * after(t, "expected of noise")[0], where="both"),
    Claim("10-how-steady", r"so that the quotient is $\sqrt{n - 1}$",
          lambda t: near(after(t, "random map")[0], after(t, "expected of noise")[0], 0.15), where="both"),
    Claim("10-interventions", "so single exchanges need not add up to the whole; Shapley's value",
          lambda t: any(abs(after(t, "alone", k)[-1] - 100) > 5 for k in range(4))
          and all(near(after(t, "Shapley", k)[-1], 100, 1) for k in range(4)), where="both"),
    Claim("10-in-words", "in an AV block QRS may decide against a flat line, but not against the twin",
          lambda t: re.search(r"AVB +this notebook's map, positive +QRS", t) is not None
          and re.search(r"AVB +intervention +P, PR", t) is not None),
    Claim("10-in-words", "Integrated gradients can be asked the same",
          lambda t: len(re.findall(r"integrated gradients from the twin .* the same part", t)) == 4),
    Claim("10-two-orders", "Grad-CAM++ marks the stretch in the patient, and leads there", leads_there),
    Claim("10-two-orders", "a high lift needs no network: look for $x^2$ in LBBB",
          lambda t: (row := rows(t, rf"LBBB +x² +{PLACES}")[0])[1] <= 5
          and row[0] > row[1]),
    Claim("10-one-case-by-hand", "against the twin nothing for what both have",
          lambda t: max(map(abs, after(t, "ill against twin")[1:3])) < 0.02 * after(t, "ill against twin")[0]),
    Claim("10-one-case-by-hand", "From a flat line integrated gradients pay QRS and T too",
          lambda t: min(after(t, "own map, positive")[1:3]) > 10),
    # 11
    Claim("11-answer", "The reader asks instead of guessing", lambda t: numbers(t)[-1] < 1),
    Claim("11-spoil", "The advice for the exchanged leads names the right pair",
          lambda t: "exchanging I and II" in " ".join(t.split())),
    Claim("11-how-good-are-the-checks", "The last exchange is noticed where P points steeply down",
          lambda t: after(t, "LA-LL exchanged: seen in")[0] < after(t, "LA-RA exchanged: seen in")[0]),
    # 12
    Claim("12-resumed", "What it has goes to a checkpoint", lambda t: t.strip().endswith("True"), where="both"),
    Claim("12-within-conditions", "Cart 3 is as all others", lambda t: after(t, "cart 3")[-1] > 0.5, where="both"),
    Claim("12-within-conditions", "Cart 1 now falls below 0.05", lambda t: after(t, "cart 1")[-1] < 0.05, where="both"),
    # A1
    Claim("A1-sparse", "Many values of a feature map are exactly zero",
          lambda t: min(share for (share,) in rows(t, r"(\d+)% of the values")) > 50),
    # A4
    Claim("A4-two-implementations", "The same map twice, up to rounding", lambda t: max(numbers(t)) < 1e-4),
    Claim("A4-a-skip-connection", "Every further skip connection doubles it again",
          lambda t: after(t, "logit") == [2] and after(t, "logit", 1) == [1]),
    Claim("A4-gamma-and-signs", "both are favoured, and γ changes nothing",
          lambda t: len({row[:2] for row in rows(t, GAMMAS)[:3]}) == 1),
    Claim("A4-gamma-and-signs", "the shares blow up and change their signs",
          lambda t: [row[0] > 0 for row in rows(t, GAMMAS)[3:]] == [False, False, True] and rows(t, GAMMAS)[4][1] > 5),
    Claim("A4-gamma-and-signs", "outvote the contradiction in both cases",
          lambda t: all(a[k] < b[k] < c[k] < 0 for k, (a, b, c) in
                        ((3, rows(t, GAMMAS)[:3]), (2, rows(t, GAMMAS)[3:])))),
    Claim("A4-pooling", "both conserve",
          lambda t: len({total for total, _ in rows(t, r"sum ([\d.]+); (\d+) %")}) == 1),
    Claim("A4-contrast-measured", "a start that weighs all classes alike brings that little out",
          lambda t: after(t, "z⁺ everywhere")[1] > after(t, "z⁺ everywhere")[0]),
    Claim("A4-contrast-measured", "one that weighs them by their own scores may not",
          lambda t: after(t, "z⁺ everywhere")[2] <= after(t, "z⁺ everywhere")[0]),
    Claim("A4-the-logit-is-not-identified", "while the map of either logit changes at will",
          lambda t: numbers(t)[0] < 1e-5 and after(t, "maps")[0] < 0.95 and after(t, "maps", 1)[0] > 0.999),
    Claim("A4-two-buildings-of-one-function", "LRP and DeepLIFT are not",
          lambda t: [after(t, name)[:2] == after(t, name, 1)[:2] for name in
                     ("gradient_x_input", "integrated_gradients", "lrp_epsilon", "lrp_zplus")]
          == [True, True, False, False]),
    Claim("A4-g-z-z", "For ReLU both slopes are the same", lambda t: after(t, "ReLU, LRP-ε against") == [0, 0]),
    Claim("A4-g-z-z", "is *not* gradient × input in another dress",
          lambda t: after(t, "ELU, LRP-ε against")[0] == 0 and after(t, "ELU, LRP-ε against")[1] >= 5),
    # 03
    Claim("03-two-objects", "so it is right in exactly half",
          lambda t: after(t, "Random map")[0] * 2 == after(t, "Random map")[1] and after(t, "Random map")[2] == 1),
    Claim("03-who-passes", "A method can find *the object* and still not *the class*",
          lambda t: bool(named(t, "as good as a coin") & named(t, "at least four times chance"))),
    Claim("03-window-size", "A small window takes away too little",
          lambda t: [fall for fall, _ in rows(t, r"logit +([\d.]+) (of [\d.]+)")] == sorted(
              fall for fall, _ in rows(t, r"logit +([\d.]+) (of [\d.]+)"))),
    Claim("03-either-half-would-do", "is missed by all that take one thing away at a time",
          lambda t: after(t, "Occlusion") == [0, 0, 0]),
    Claim("03-either-half-would-do", "KernelSHAP gives each half its share",
          lambda t: after(t, "KernelSHAP") == [0.5, 0.5, 0]),
    # A2, A3
    Claim("A2-three-rules", "Corrected for that, it agrees to rounding",
          lambda t: after(t, "× 32 / 31:")[0] < 1e-5 < after(t, "captum, trapezoid:")[0]),
    Claim("A3-cost", "the gradient needs one pass each way", lambda t: after(t, "Gradient") == [1, 1]),
    Claim("A3-cost", "those that only ask need hundreds",
          lambda t: all(after(t, name)[0] > 100 and after(t, name)[1] == 0
                        for name in ("Occlusion", "KernelSHAP", "LIME"))),
    # A6
    Claim("A6-recordings-that-cannot-exist", "lead II is no longer the sum of I and III",
          lambda t: after(t, "lead by lead   |II − I − III|")[0] > 5 * after(t, "patient       ")[-2]),
    Claim("A6-recordings-that-cannot-exist", "no step is larger than those of the QRS complex",
          lambda t: after(t, "lead by lead")[-1] <= after(t, "patient       ")[-1]),
    Claim("A6-called-an-elephant", "are the world in which it was trained and tested: excellent",
          lambda t: after(t, "elephants with the mark")[1] >= 95 and after(t, "others without")[1] <= 5),
    Claim("A6-mass-on-the-mark", "A map that puts many times the area on a corner tag",
          lambda t: after(t, "Integrated gradients")[3] > 10 * 0.01),
    Claim("A6-mass-on-the-mark", "Not every method shows it equally well",
          lambda t: after(t, "Grad-CAM")[3] < 0.2 * after(t, "Integrated gradients")[3]),
    Claim("A6-softmax", "The quotient of the sizes is p (1 − p)",
          lambda t: all(near(row[2], row[5], 0.001) for row in map(numbers, t.splitlines()[1:]))),
    Claim("A6-reselected", "the more of the sum is lost", loses_as_it_correlates),
    Claim("A6-per-lead-in-numbers", "Nobody would suspect V3 in this picture",
          lambda t: after(t, "V3 has", 1)[0] < 25 < 50 < after(t, "V3 has")[0]),
    Claim("A6-guided", "are no confirmation of one by the other",
          lambda t: after(t, "ECGNet   correlation of guided backpropagation with the gradient:")[0] == 1),
    Claim("A6-stability", "Raise the draws until the curve is flat",
          lambda t: all(a < b < c for a, b, c in rows(t, r"draws ([\d.]+), \d+ draws ([\d.]+), \d+ draws ([\d.]+)"))),
]  # fmt: skip


def source_of(notebook: str) -> Path:
    (path,) = (ROOT / "notebooks" / "src").glob(f"{notebook}_*.py")
    return path


def texts_of(cells) -> dict[str, str]:
    """Return what each code cell printed, by its id."""
    out = {}
    for cell in cells:
        if cell["cell_type"] == "code":
            found = ["".join(one.get("text") or one.get("data", {}).get("text/plain", "")) for one in cell["outputs"]]
            out[cell["id"]] = "".join(one for one in found if not one.startswith("<"))  # "<Figure size ...>"
    return out


@cache
def committed(notebook: str) -> list[dict]:
    """Return the cells of a notebook with solutions where it has any, as committed."""
    name = f"{source_of(notebook).stem}.ipynb"
    return json.loads((ROOT / "notebooks" / name).read_text(encoding="utf-8"))["cells"]


def one_line(cells) -> str:
    return " ".join(" ".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown").split())


def failing(claims, texts: dict[str, str]) -> list[str]:
    return [f"{c.cell}: “{c.says}” beside\n{texts[c.cell]}" for c in claims if not c.holds(texts[c.cell])]


def real_data() -> Path:
    """Return the folder of published networks and real recordings; the test skips where there is none."""
    data = Path(os.environ.get("LEADWISE_DATA", ROOT / "data")).resolve()
    if not (data / "ecg_models" / "LBBB" / "weights.h5").exists() or not (data / "ecgs").is_dir():
        pytest.skip(f"no published networks and recordings in {data}: python -m leadwise download ecgs ecg-models")
    return data


NOTEBOOKS = sorted({claim.notebook for claim in CLAIMS})


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_sentences_agree_with_the_cell_that_they_speak_about(notebook):
    claims = [claim for claim in CLAIMS if claim.notebook == notebook]
    here = [claim for claim in claims if claim.where != "published"]
    cells = committed(notebook)
    words, texts = one_line(cells), texts_of(cells)
    assert not [c.says for c in claims if c.says not in words], "sentences of the table that the notebook lacks"
    assert not [c.cell for c in claims if not texts.get(c.cell)], "cells that are gone, or print nothing"
    assert not (wrong := failing(here, texts)), "\n\n".join(wrong)


@pytest.mark.parametrize("notebook", sorted({claim.notebook for claim in CLAIMS if claim.where != "embedded"}))
def test_sentences_agree_with_published_networks_and_real_recordings(notebook):
    data = real_data()
    source = source_of(notebook)
    notebook_ = variants(source)[f"{source.stem}.ipynb"]
    run = execute(notebook_, ROOT / "notebooks", 180.0, LEADWISE_DATA=str(data), PYTHONPATH=str(ROOT / "src"))
    texts = texts_of(notebook_.cells)
    claims = [claim for claim in CLAIMS if claim.notebook == notebook and claim.where != "embedded"]
    assert not [c.cell for c in claims if not texts.get(c.cell)], run.problems
    assert not (wrong := failing(claims, texts)), "\n\n".join(wrong)


# What earlier versions said and experiments refuted, each with the reason. None may come back, in whatever line breaks.
REFUTED = {
    r"(?:a|any) map without information reaches": "white noise does; |x|, which asks no network, is far from the area",
    r"[Ww]hat the rules have thrown away does not come back": "Gu's start brings z⁺ from 26 to 36 of 48",
    r"[Aa] contrast can repair a map": "its own table repaired nothing",
    r"no(?:t a)? statement about the cause": "the map was asked another question than the network",
    r"SIGN is (?:also )?input-invariant": "only |R| is",
    r"neighbouring pixels having": "Balduzzi et al. speak of neighbouring inputs",
    r"stays among real recordings": "its end points do, not what lies between",
    r"[Ii]ntervals that overlap are not told apart": "wrong for paired data",
    r"A network can be like him": "Lapuschkin's horses were a Fisher-vector classifier's",
    r"two of them are close to 0": "three were",
    r"LRP nearly to the logit": "correct maps sum to 0.35 to 1.4 of it",
    r"All maps have been checked": "some have no reference",
    r"different questions, not by mistake": "one does not know",
    r"is missed by all of them": "KernelSHAP and LIME stood in the figure above, and find it",
}


@cache
def prose() -> dict[str, str]:
    """Return what the course says, by file, in one line each: notebooks, glossary, README, docstrings and checks."""
    files = [*(ROOT / "notebooks" / "src").glob("*.py"), *(ROOT / "src" / "leadwise").rglob("*.py")]
    files += [ROOT / "GLOSSARY.md", ROOT / "README.md", ROOT / "TEACHING.md", *(ROOT / "benchmarks").glob("*.py")]
    lines = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8").splitlines() for path in files}
    return {name: " ".join(" ".join(line.lstrip("# ") for line in some).split()) for name, some in lines.items()}


@pytest.mark.parametrize("sentence", REFUTED)
def test_no_refuted_sentence_has_come_back(sentence):
    found = [name for name, text in prose().items() if re.search(sentence, text)]
    assert not found, f"{sentence!r} in {', '.join(found)}: {REFUTED[sentence]}"


# Sentences with a result's number below an output that are no claim about it, each with what they are instead.
OTHERWISE = {
    "with its 95 % interval over the patients and beside its area": "asserted below, of what makes the interval",
    "Of comparisons in which nothing differs": "what a p value is, before the table that is counted",
    "alarm is among those below 0.05, with 95 % probability": "what Holm's correction promises, with its source",
    "of that implementation's 50 steps, correlate by": "asserted by tests/test_reference_maps.py",
    "has seen 1.2 million photographs": "of the original AlexNet, with its source",
    "travels down exactly as a gradient does": "an identity, shown in the next cell",
    "they hand relevance to features that are exactly zero": "why the claim before it holds",
    "Add 2 µV to the recording": "what the next cell does",
    "except where a value is exactly 0 or exactly μ": "explains the claim before it",
    "but composites for zennit 1.0": "the name of a package",
    "gives the maps of to every stored digit": "benchmarks/peers.json",
    "then raise μ to 0.1 mV": "something to try",
    "that correlates with to more than 0.999": "an exercise",
    "The published RBBB model says 0.84": "asserted below, with the published weights",
    "A small square (1 mm) is 40 ms and 0.1 mV": "a convention, with its source",
    "A network that answers above 0.5 here is wrong": "conditional",
    "In more than 18,000 hospital recordings": "from the literature, with its source",
    "Below 0.5 for all networks": "how a report words it",
}

RESULT = r"\d ?%|\d\.\d|\bexactly\b|to the last digit|each other's negative|best of all|as it (?:must|has to)"
NOT_PROSE = r"\$\$.*?\$\$|\$[^$]*\$|`[^`]*`|\]\([^)]*\)|\[[\d, ]+\]|^#.*?$|^>.*?$|^\|.*?$|\b\d+\.\d+\.\d+\b"


def sentences_below_outputs(notebook: str) -> list[str]:
    """Return the sentences with a result's number or rank in text cells that follow a cell which printed something."""
    cells, out = committed(notebook), []
    texts = texts_of(cells)
    for above, cell in pairwise(cells):
        if cell["cell_type"] == "markdown" and texts.get(above.get("id")):
            text = re.split(r"(?m)^## (?:Exercises|Take away|Quiz|References)", "".join(cell["source"]))[0]
            if not re.match(r"\*\*\d ", text):  # an exercise
                plain = " ".join(re.sub(NOT_PROSE, "", text, flags=re.DOTALL | re.MULTILINE).split())
                out += [one for one in re.split(r"(?<=[.!?:]) ", plain) if re.search(RESULT, one)]
    return out


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_every_sentence_with_a_number_below_an_output_is_in_a_table(notebook):
    known = [re.sub(NOT_PROSE, "", c.says) for c in CLAIMS if c.notebook == notebook] + list(OTHERWISE)
    unread = [one for one in sentences_below_outputs(notebook) if not any(words in one for words in known)]
    assert not unread, "add to CLAIMS, or to OTHERWISE with what it is: " + "; ".join(unread)


def test_the_random_map_lands_on_chance_in_both_panels_of_notebook_03():
    """As it has to, says the text below the figure; and no control answers for the class."""
    found = json.loads((ROOT / "benchmarks" / "scene_localisation.json").read_text())
    random = found["methods"]["random"]
    assert near(random["on the object"], found["area of the object"], 2 * random["standard error"])
    controls = ("random", "magnitude", "square", "steepness", "smoothed_steepness", "difference")
    assert {found["methods"][name]["right object of two"] for name in controls} == {0.5}


def test_the_intervals_of_notebook_10_are_of_95_per_cent():
    """Student's interval of four values, t = 3.182 for three degrees of freedom: 2.5 ± 3.182 x 1.291 / 2."""
    source = (ROOT / "notebooks" / "src" / "10_from_saliency_to_semantics.py").read_text()
    assert "student(relevance_mass(maps[name], masks[name]))" in source
    assert "lead = student(values[:, first] - values[:, second])" in source
    found = student([1.0, 2.0, 3.0, 4.0])
    assert (found.low, found.high) == pytest.approx((0.446, 4.554), abs=1e-3)


def test_the_published_rbbb_network_calls_a_flat_line_pathological_with_0_84():
    """Said in notebook 09 and appendix A6."""
    real_data()
    model = load_ecg_model("RBBB", "published", verbose=False)
    assert float(model.probability(torch.zeros(12, 2000))) == pytest.approx(0.84, abs=0.005)
