"""What checks ask of answers: each function returns the answer in one form, or raises a Hint that says what came."""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import ArrayLike

from leadwise.checks.core import Hint, Key, under_keys
from leadwise.language import tr

Sort = TypeVar("Sort")


def kind(answer: object) -> str:
    """Return in words what an answer is: "a str", "an array (2, 3)"."""
    if isinstance(answer, torch.Tensor | np.ndarray) and answer.ndim:
        what = tr("a tensor") if isinstance(answer, torch.Tensor) else tr("an array")
        return f"{what} {tuple(answer.shape)}"
    if type(answer).__name__[0] in "aeiou":
        return tr("an {kind}", kind=type(answer).__name__)
    return tr("a {kind}", kind=type(answer).__name__)


def as_array(answer: object, what: str, shape: tuple | None = None) -> np.ndarray:
    """Return a tensor, an array or nested lists of numbers as float64.

    Parameters
    ----------
    answer : the learner's
    what : its name in hints
    shape : that it must have, None for a length that is free: (None, 3); without it any shape is right

    Raises
    ------
    Hint : it is None, is not numbers, has another shape, or holds NaN or infinity
    """
    if answer is None:  # numpy makes NaN of it
        raise Hint(tr("{what} is None; that is also what a function without `return` returns.", what=what))
    if isinstance(answer, torch.Tensor):
        answer = answer.detach().cpu().double().numpy()
    try:
        array = np.asarray(answer, dtype=float)
    except (TypeError, ValueError):
        raise Hint(tr("{what} should be numbers, not {came}.", what=what, came=kind(answer))) from None
    if shape is not None and not same_shape(array.shape, shape):
        wanted = str(tuple("any" if size is None else size for size in shape)).replace("'", "")
        raise Hint(f"{what} should have the shape {wanted}; this one has {array.shape}.")
    if not np.isfinite(array).all():
        raise Hint(tr("{what} holds NaN or infinity: somewhere a division by zero, or a logarithm of it.", what=what))
    return array


def as_map(answer: object, what: str, shape: tuple) -> np.ndarray:
    """Return a map of this shape, also from a batch of one; see ``as_array``."""
    found = as_array(answer, what)
    return as_array(found[0] if found.shape == (1, *shape) else found, what, shape)


def same_shape(shape: tuple, wanted: tuple) -> bool:
    """Say whether a shape is the wanted one, where None stands for any length."""
    return len(shape) == len(wanted) and all(b in (a, None) for a, b in zip(shape, wanted, strict=True))


def as_number(answer: object, what: str) -> float:
    """Return a number, or an array or tensor with a single value, as a float; raise a Hint for anything else."""
    if isinstance(answer, str | bool):
        raise Hint(tr("{what} should be a number, not {came}.", what=what, came=kind(answer)))
    array = as_array(answer, what)
    if array.size != 1:
        raise Hint(tr("{what} should be one number; this is {came}.", what=what, came=kind(answer)))
    return float(array.reshape(()))


def as_choice(answer: object, choices: Iterable[str], what: str) -> str:
    """Return which of ``choices`` was chosen, whatever its case; raise a Hint for anything else."""
    choices = list(choices)
    for choice in choices:
        if isinstance(answer, str) and answer.strip().lower() == choice.lower():
            return choice
    raise Hint(f"{what} should be one of {', '.join(map(repr, choices))}; this is {answer!r}.")


def as_function(answer: object, what: str) -> Callable:
    """Return a function; raise a Hint for what can't be called, its result for instance."""
    if not callable(answer):
        raise Hint(f"{what} should be a function, not its result: this is {kind(answer)}.")
    return answer


def expect_choice(answer: object, hints: Mapping[str, str], what: str) -> str:
    """Return which key of ``hints`` was chosen; raise the hint beside it, which is "" for the right one.

    Parameters
    ----------
    answer : the learner's
    hints : choice -> what to say to it, "" where it is right
    what : its name in hints
    """
    choice = as_choice(answer, hints, what)
    if hints[choice]:
        raise Hint(hints[choice])
    return choice


def expect_each(answer: object, right: Mapping[str, str], hints: Mapping[tuple[str, str], str], what: str) -> None:
    """Do nothing where a dict has the right choice for each key; else raise a hint that counts those that are right.

    Parameters
    ----------
    answer : the learner's
    right : key -> choice; the choices are those that occur
    hints : (key, wrong choice) -> what to say to the first wrong one; where there is none, it says what to test
    what : its name in hints
    """
    choices = dict.fromkeys(right.values())
    given = {k: as_choice(v, choices, f"{what}[{k!r}]") for k, v in as_dict(answer, right, f"`{what}`").items()}
    wrong = [key for key in right if given[key] != right[key]]
    if wrong:
        first = wrong[0], given[wrong[0]]
        why = hints.get(first, f"Test {first[0]} for {first[1]!r} again.")
        raise Hint(f"{len(right) - len(wrong)} of {len(right)} are right. {why}")


def as_dict(answer: object, keys: Iterable[Key], what: str) -> dict[Key, object]:
    """Return what a dict holds under ``keys``; raise a Hint that names the missing ones.

    Parameters
    ----------
    answer : the learner's
    keys : that it must have, or their names: "0.1" for 0.1; what else it holds is left out
    what : its name in hints
    """
    if isinstance(answer, dict):
        return under_keys(answer, keys, what)
    return under_keys({}, keys, what, f"; this is {kind(answer)}")


def as_numbers(answer: object, keys: Iterable[Key], what: str) -> dict[Key, float]:
    """Return the numbers that a dict holds under ``keys``, see ``as_dict`` and ``as_number``.

    >>> as_numbers({"V1": 0.5, "V6": np.array([0.25])}, ("V1", "V6"), "`shares`")
    {'V1': 0.5, 'V6': 0.25}
    >>> as_numbers({"V1": 0.5, "V6": "half"}, ("V1", "V6"), "`shares`")
    Traceback (most recent call last):
    leadwise.checks.core.Hint: `shares['V6']` should be a number, not a str.
    """
    name = what.strip("`")
    return {key: as_number(value, f"`{name}[{key!r}]`") for key, value in as_dict(answer, keys, what).items()}


def as_list(
    answer: object, what: str, parts: str, sort: type[Sort] | tuple[type[Sort], ...], least: int = 0
) -> list[Sort]:
    """Return the parts of a list, a tuple, a set, an array or whatever else has parts, as a list; of a dict its values.

    Parameters
    ----------
    answer : the learner's
    what : its name in hints
    parts : what it should hold, in words
    sort : the type of each part
    least : how many parts it should have

    >>> as_list(("P", 3), "`found`", "names of waves", str)
    Traceback (most recent call last):
    leadwise.checks.core.Hint: `found` should hold names of waves.
    """
    answer = answer.values() if isinstance(answer, dict) else answer
    if isinstance(answer, str) or not isinstance(answer, Iterable) or getattr(answer, "shape", None) == ():
        raise Hint(f"{what} should hold {parts}; this is {kind(answer)}.")
    found = list(answer)
    if len(found) < least or not all(isinstance(part, sort) for part in found):
        raise Hint(f"{what} should hold {parts}.")
    return found


def as_sort(answer: object, sort: type[Sort], what: str, wanted: str) -> Sort:
    """Return an answer of one type; raise a Hint for any other.

    Parameters
    ----------
    answer : the learner's
    sort : its type
    what : its name in hints
    wanted : what it should be, in words

    >>> as_sort("V1", dict, "`shares`", "a dict: lead -> share")
    Traceback (most recent call last):
    leadwise.checks.core.Hint: `shares` should be a dict: lead -> share, not a str.
    """
    if not isinstance(answer, sort):
        raise Hint(f"{what} should be {wanted}, not {kind(answer)}.")
    return answer


def recognise(
    found: object, right: object, wrong: Mapping[str, object], otherwise: str = "", tolerance: float = 1e-4
) -> None:
    """Do nothing where ``found`` is right; else raise the hint of the usual mistake that it is.

    Parameters
    ----------
    found : numbers or an array, as ``as_array`` and ``as_number`` return them
    right : what they should be, or a function that returns it
    wrong : hint -> what a mistake gives, or a function that returns it, called only where it is needed
    otherwise : the hint where no mistake is recognised; "" to go on without
    tolerance : the largest difference, as a share of the largest magnitude that is expected

    >>> recognise(0.25, 1 / 4, {"That is in per cent.": 25})
    >>> recognise(25.0, 1 / 4, {"That is in per cent.": 25})
    Traceback (most recent call last):
    leadwise.checks.core.Hint: That is in per cent.
    """
    if near(found, right, tolerance):
        return
    for hint, form in wrong.items():
        if near(found, form, tolerance):
            raise Hint(hint)
    if otherwise:
        raise Hint(otherwise)


def near(found: object, form: object, tolerance: float = 1e-4) -> bool:
    """Say whether ``found`` differs from a number, an array or what a function returns by at most ``tolerance``.

    Parameters
    ----------
    found : numbers or an array
    form : what they are compared with, of the same shape
    tolerance : as a share of the largest magnitude in ``form``

    >>> near([1.0, 2.0], lambda: [1.0, 2.0001])
    True
    """
    found, form = (np.asarray(value, dtype=float) for value in (found, form() if callable(form) else form))
    if found.shape != form.shape:
        return False
    return not form.size or bool(np.abs(found - form).max() <= tolerance * np.abs(form).max())


def alike(a: ArrayLike, b: ArrayLike) -> float:
    """Return the correlation of two maps, arrays or tensors of as many values."""
    return float(np.corrcoef(np.ravel(a), np.ravel(b))[0, 1])


def same_weights(one: torch.nn.Module, other: torch.nn.Module, but: str = "-") -> bool:
    """Say whether two networks have the same weights and biases, all but those of one layer, by its name."""
    first, second = one.state_dict(), other.state_dict()
    kept = [name for name in first if not name.startswith(but)]
    return first.keys() == second.keys() and all(torch.equal(first[n].cpu(), second[n].cpu()) for n in kept)
