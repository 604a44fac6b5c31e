"""``Network``: what a module means, and the one place that calls it.

A network says once which leads, rate and length it was made for, what happens to a recording before it, and what its
outputs stand for. Everything else of the package asks it: no other file calls a module.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from numbers import Integral, Real
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor, nn

from leadwise.ecg.filters import PUBLISHED_FS
from leadwise.ecg.leads import LEADS
from leadwise.ecg.record import ECG
from leadwise.networks.running import Evaluation, module_of, must_be_replaced, of_any_size, replica, unwrapped

OUTPUTS = ("labels", "classes", "probabilities")
LAYOUTS = {"NCT": "(N, leads, T)", "NTC": "(N, T, leads)", "N1CT": "(N, 1, leads, T)", "NCHW": "(N, colours, H, W)"}


@dataclass(frozen=True, eq=False, repr=False)
class Network:
    """A module and what it means. Every name of the package that takes a module takes a Network too.

    Only ``module`` has to be given; what is left out can't be answered, and is asked for by name where it is needed.

    Parameters
    ----------
    module : network (N, ...) -> (N, K), or (N,), which is one logit; stays untouched
    leads : names of the leads that it takes, in its order, of the twelve standard ones; None for other inputs
    fs : sampling rate of its input, Hz
    samples : length of its input; None takes a recording to its end
    preprocess : what happens to a recording before it is cut: None (nothing but resampling), "published" (the chain of
        the published models, at 500 Hz, then resampled), or a function ECG -> ECG, which is resampled after it. For
        pictures a function picture -> (colours, H, W)
    classes : names of the K outputs
    outputs : "classes" where they exclude each other (softmax), "labels" where each stands alone (sigmoid),
        "probabilities" where the module gives out probabilities itself. None: a final sigmoid or softmax says it, one
        logit stands alone, two exclude each other, and of more it is asked for where it matters
    layout : axes of the input: "NCT" (the default with leads), "NTC", "N1CT", or "NCHW" for pictures
    pick : where the module returns a tuple or a dict: the place of the logits, or a function that returns them
    criteria : class -> key of ``CRITERIA``, a ``Criterion``, or a dict of its fields
    name, source : what it is called in menus, and where its weights come from

    Raises
    ------
    ValueError : a description that can't be true: of the wrong type, or found to be wrong by asking the network once

    Examples
    --------
    >>> net = Network(nn.Sequential(nn.Flatten(), nn.Linear(6, 2)), classes=("healthy", "ill"))
    >>> net.logits(torch.zeros(4, 2, 3)).shape
    torch.Size([4, 2])
    >>> mine = nn.Sequential(nn.Conv1d(3, 4, 9), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(4, 2))
    >>> Network(mine, leads=("I", "II", "V1"), fs=100, samples=1000, classes=("MI", "STTC"), outputs="labels")
    Network(Sequential: I, II, V1 · 10 s at 100 Hz (1000 samples) -> labels MI, STTC)
    """

    module: nn.Module
    leads: tuple[str, ...] | None = None
    fs: float | None = None
    samples: int | None = None
    preprocess: str | Callable | None = None
    classes: tuple[str, ...] | None = None
    outputs: str | None = None
    layout: str | None = None
    pick: Callable[[Any], Tensor] | int | str | None = None
    criteria: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""
    source: str = ""

    def __post_init__(self):
        for name in ("leads", "classes"):
            value = getattr(self, name)
            if isinstance(value, list):
                object.__setattr__(self, name, tuple(value))
        if self.layout is None and self.leads is not None:
            object.__setattr__(self, "layout", "NCT")
        _check_words(self)
        if self.layout != "NCHW" and self.leads and self.samples:
            _ask_once(self)

    def __repr__(self):
        meant = " -> ".join(filter(None, (_takes(self), _gives(self))))
        return f"Network({self.title}{': ' * bool(meant)}{meant})"

    # What it is ----------------------------------------------------------------------------------------------------

    @property
    def title(self) -> str:
        """Its name, or else that of its module's class."""
        return self.name or type(unwrapped(self.module)).__name__

    @property
    def is_ecg(self) -> bool:
        """Whether it takes recordings: it names its leads and their rate."""
        return self.leads is not None and self.fs is not None

    @property
    def sample_shape(self) -> tuple[int, ...] | None:
        """Shape of one sample, without N; None where it is not said."""
        if self.leads and self.samples:
            return tuple(self.laid_out(torch.empty(1, len(self.leads), self.samples, device="meta")).shape[1:])
        known = getattr(unwrapped(self.module), "sample_shape", None)
        return None if known is None else tuple(known)

    @property
    def duration(self) -> float | None:
        """Length of its window in seconds; None where it takes any."""
        return self.samples / self.fs if self.samples and self.fs else None

    def class_name(self, index: int) -> str:
        """Return what an output is called."""
        return self.classes[index] if self.classes else f"class {index}"

    def index(self, target: int | str | None = None) -> int:
        """Return the index of a class.

        Parameters
        ----------
        target : its index or its name. None: the only one, or of two that exclude each other the second, which is the
            finding

        Raises
        ------
        ValueError : no such class, or None where there is no such choice
        """
        count, names = len(self.classes or ()), self.classes or ()
        if target is None and (count == 1 or (count == 2 and self.outputs in (None, "classes"))):
            return count - 1
        if isinstance(target, str) and target in names:
            return names.index(target)
        if isinstance(target, Integral) and not isinstance(target, bool) and 0 <= target < (count or float("inf")):
            return int(target)
        known = f"one of {', '.join(map(repr, names))} or its index" if names else "the index of a class"
        raise ValueError(f"target is {target!r}; expected {known}.")

    # From a recording to its input, and from its input to leads --------------------------------------------------

    def recording(self, ecg: ECG) -> ECG:
        """Return a whole recording, of twelve leads, as the network gets it: preprocessed, at its rate.

        Raises
        ------
        ValueError : the network takes no recordings, or does not say at which rate
        """
        if not self.is_ecg:
            raise ValueError(
                f"{self.title} does not say which recordings it takes; say it: "
                "Network(module, leads=(...), fs=..., samples=...)."
            )
        if self.preprocess == "published":
            ecg = ecg if ecg.preprocessed else ecg.resample(PUBLISHED_FS).preprocess()
        elif callable(self.preprocess):
            ecg = self.preprocess(ecg)
            if not isinstance(ecg, ECG):
                raise ValueError(f"preprocess returned a {type(ecg).__name__}; expected a function ECG -> ECG.")
        return ecg.resample(self.fs)

    def input(self, ecg: ECG | Any, start: float = 0.0) -> Tensor:
        """Return what the network takes of a recording: a batch of one, in its layout, on its device.

        Parameters
        ----------
        ecg : a whole recording, raw; or for a network of pictures, a picture
        start : seconds from the start of the recording to that of the window

        Raises
        ------
        ValueError : the recording is too short for the window, or the network does not say what it takes
        """
        if self.layout == "NCHW":
            if not callable(self.preprocess):
                raise ValueError(f"{self.title} does not say how a picture becomes its input; say it: preprocess=...")
            return self.preprocess(ecg)[None].to(self.device())
        if not isinstance(ecg, ECG):
            raise ValueError(f"the recording is a {type(ecg).__name__}; expected an ECG, as read_ecg returns it.")
        return self.input_of(self.recording(ecg), start)

    def input_of(self, recording: ECG, start: float = 0.0) -> Tensor:
        """Return what the network takes of what :meth:`recording` returned."""
        length = self.samples or max(recording.samples - round(start * recording.fs), 0)
        signal = recording.window(start, length).tensor()
        rows = signal[[LEADS.index(lead) for lead in self.leads]]
        return self.laid_out(rows[None]).to(self.device("cpu"), self.dtype(signal.dtype))

    def laid_out(self, x: Tensor) -> Tensor:
        """Return x (N, leads, T) in the network's layout."""
        return x.transpose(1, 2) if self.layout == "NTC" else x[:, None] if self.layout == "N1CT" else x

    def leads_first(self) -> "Network":
        """Return the same network with the layout "NCT", whatever its own is."""
        if self.layout not in ("NTC", "N1CT"):
            return self
        return replace(self, module=_LeadsFirst(self.module, self.layout), layout="NCT")

    def by_leads(self, relevance: Tensor | np.ndarray):
        """Return a map, or a batch of them, shaped like the network's input, as (leads, T) or (N, leads, T)."""
        if self.layout == "NTC":
            return relevance.swapaxes(-1, -2)
        return relevance.squeeze(-3) if self.layout == "N1CT" else relevance

    def on_recording(self, relevance: Tensor | np.ndarray, recording: ECG, start: float = 0.0) -> np.ndarray:
        """Return a map of one window as a map of the whole recording, (12, T): zero where the network did not look.

        Parameters
        ----------
        relevance : tensor or array shaped like the input, with N = 1 or without
        recording : what :meth:`recording` returned
        start : where the window begins, seconds
        """
        values = relevance.detach().cpu().numpy() if isinstance(relevance, Tensor) else np.asarray(relevance)
        rows = self.by_leads(values).reshape(len(self.leads), -1)
        whole, first = np.zeros(recording.signal.shape, rows.dtype), round(start * recording.fs)
        whole[[LEADS.index(lead) for lead in self.leads], first : first + rows.shape[1]] = rows
        return whole

    # Asking it ------------------------------------------------------------------------------------------------------

    def logits(self, x: Tensor) -> Tensor:
        """Return the logits (N, K) of a batch x (N, ...), as in evaluation."""
        return self.run(x, Evaluation(self.module))[0]

    __call__ = logits

    def log_odds(self, x: Tensor) -> Tensor:
        """Return the log-odds (N, K) of every class: the logit of a label, f_c - logsumexp of the others of a class.

        Raises
        ------
        ValueError : nothing says whether the classes exclude each other
        """
        logits, ends_in = self.run(x, Evaluation(self.module))
        if self.meaning(logits.shape[1], ends_in) == "labels":
            return logits
        own = torch.eye(logits.shape[1], dtype=torch.bool, device=logits.device)
        return logits - logits[:, None].masked_fill(own, -torch.inf).logsumexp(-1)

    def probability(self, x: Tensor) -> Tensor:
        """Return the probability (N, K) of every class for x (N, ...), which may lie on any device; no gradient.

        Raises
        ------
        ValueError : nothing says whether the classes exclude each other
        """
        with torch.no_grad():
            logits, ends_in = self.run(x.to(self.device(x.device), self.dtype(x.dtype)), Evaluation(self.module))
            return self.probability_of(logits, ends_in).to(x.device)

    def probability_of(self, logits: Tensor, ends_in: str | None = None) -> Tensor:
        """Return the probability (N, K) of every class from logits (N, K) that ``run`` gave, with what it said.

        Raises
        ------
        ValueError : nothing says whether the classes exclude each other
        """
        kind = self.meaning(logits.shape[1], ends_in)
        return torch.sigmoid(logits) if kind == "labels" else torch.softmax(logits, -1)

    def meaning(self, count: int, ends_in: str | None = None) -> str:
        """Return "labels" or "classes" for ``count`` logits of a network that ends in a sigmoid or softmax, or in none.

        Raises
        ------
        ValueError : nothing says it
        """
        stated = "labels" if self.outputs == "probabilities" and ends_in is None else self.outputs
        found = ends_in if stated in (None, "probabilities") else stated
        found = found or {1: "labels", 2: "classes"}.get(count)
        if found is None:
            raise ValueError(
                f"the network has {count} logits, and nothing says whether its classes exclude each other. For "
                'probabilities and log-odds, say so: Network(module, outputs="classes"), or outputs="labels" where '
                "each stands alone."
            )
        return found

    def run(self, x: Tensor, mode: Evaluation, prepare: Callable[[nn.Module], None] | None = None) -> tuple:
        """Return the logits (N, K) of x under a mode, and what the network ends in: "labels", "classes" or None.

        ``prepare`` gets the replica that will run, before it does: it may set hooks on it.
        """
        out = self.forward(x, mode, prepare)
        kind, out = getattr(out, "_logits", (None, out))
        if kind and self.outputs in ("labels", "classes") and kind != self.outputs:
            ends = {"labels": "sigmoid", "classes": "softmax"}[kind]
            raise ValueError(f"outputs is {self.outputs!r}, but the network ends in a {ends}; expected {kind!r}.")
        with mode:
            out = self._checked(out, len(x))
            return (out if kind or self.outputs != "probabilities" else _logit(out)), kind

    def forward(self, x: Tensor, mode: Evaluation, prepare: Callable[[nn.Module], None] | None = None) -> Any:
        """Return what the module gives for x under a mode, less what ``pick`` leaves out. Nothing else calls it."""
        running = self.module
        if prepare or must_be_replaced(running):
            running = replica(running)
        if prepare:
            prepare(running)
        with mode:
            out = of_any_size(running, x)
            if self.pick is None:
                return out
            return self.pick(out) if callable(self.pick) else out[self.pick]

    def outputs_of(self, layer: str, x: Tensor) -> list[Tensor]:
        """Run the network on a batch; return what the module called ``layer`` gives each time that it runs.

        Raises
        ------
        ValueError : no such module; the message names those there are
        """
        kept: list[Tensor] = []

        def watch(running: nn.Module) -> None:
            module = module_of(running, layer)
            module.register_forward_hook(lambda module, args, out: kept.append(out.clone()))

        self.forward(x, Evaluation(self.module), watch)
        return kept

    def _checked(self, out, samples: int) -> Tensor:
        if not isinstance(out, Tensor):
            keys = f" with {', '.join(map(repr, out))}" if isinstance(out, dict) else ""
            raise ValueError(
                f"the network returns a {type(out).__name__}{keys}; expected a tensor of logits. Say where they are: "
                f"Network(module, pick=lambda out: out[{next(iter(out), 0) if isinstance(out, dict) else 0!r}])."
            )
        out = out[:, None] if out.ndim == 1 else out
        if out.ndim != 2 or len(out) != samples:
            raise ValueError(
                f"the network gives shape {tuple(out.shape)} for {samples} samples; expected logits (N, classes). "
                "Network(module, pick=...) may choose among its outputs."
            )
        if self.classes is not None and len(self.classes) != out.shape[1]:
            raise ValueError(f"classes names {len(self.classes)}; the network has {out.shape[1]} outputs.")
        if self.outputs == "classes" and out.shape[1] == 1:
            raise ValueError('outputs is "classes", but the network has one output, which would always be certain; '
                             'expected "labels": a single logit stands alone.')  # fmt: skip
        return out

    def sample_dims(self, x: Tensor) -> int:
        """Return the number of dimensions of one sample: found by asking the network once, and remembered.

        Raises
        ------
        ValueError : the network takes x neither as a batch nor as one sample; the message has its reasons
        """
        known = _FORMS.setdefault(self.module, {})
        if tuple(x.shape) not in known:
            known[tuple(x.shape)] = self._find_dims(x)
        return known[tuple(x.shape)]

    def _find_dims(self, x: Tensor) -> int:
        reasons = []
        tries = ([(x[:1], x.ndim - 1)] if x.ndim > 1 else []) + [(x[None], x.ndim)]
        for batch, dims in tries:
            try:
                with torch.no_grad():
                    self.logits(batch)
                return dims
            except Exception as error:  # whatever a network may raise
                if isinstance(error, ValueError) and "the network returns a" in str(error):
                    raise
                reasons.append((str(error).splitlines() or [type(error).__name__])[0])
        raise ValueError(
            f"x has shape {tuple(x.shape)}; the network takes it neither as a batch nor as one sample: "
            f"{'; '.join(dict.fromkeys(reasons))}."
        )

    def dtype(self, otherwise: torch.dtype) -> torch.dtype:
        """Return the precision of its weights, which the input is brought to; ``otherwise`` without any."""
        found = (weight.dtype for weight in self.module.parameters() if weight.dtype.is_floating_point)
        return next(found, otherwise)

    def device(self, otherwise: torch.device | str | None = None):
        """Return the device of its weights; ``otherwise`` for a network without any."""
        return next((weight.device for weight in self.module.parameters()), otherwise)

    def save(self, path: str | Path, architecture: str | Path | None = None, **arguments: Any) -> Path:
        """Write weights and a card that says the rest; see :func:`leadwise.networks.card.save_network`."""
        from leadwise.networks.card import save_network

        return save_network(self, path, architecture, arguments)

    @classmethod
    def load(cls, path: str | Path, *, trust: bool = False) -> "Network":
        """Read a saved network back; see :func:`leadwise.networks.card.load_network`."""
        from leadwise.networks.card import load_network

        return load_network(path, trust=trust)


class _LeadsFirst(nn.Module):
    """A module of another layout, which takes (N, leads, T)."""

    def __init__(self, module: nn.Module, layout: str):
        super().__init__()
        self.module, self.layout, self.training = module, layout, module.training

    def forward(self, x: Tensor) -> Any:
        return self.module(x.transpose(1, 2) if self.layout == "NTC" else x[:, None])


_FORMS: WeakKeyDictionary[nn.Module, dict[tuple[int, ...], int]] = WeakKeyDictionary()
_ASKED: WeakKeyDictionary[nn.Module, set[tuple]] = WeakKeyDictionary()


def network_of(model: nn.Module | Network) -> Network:
    """Return a model as a Network.

    A module that has a method ``network_row()`` says with it what it means: a dict of the fields of ``Network``. The
    course's own architectures do.

    Examples
    --------
    >>> from leadwise import load_ecg_model
    >>> network_of(load_ecg_model("LBBB", "embedded"))
    Network(LBBB: 12 leads · 4 s at 500 Hz (2000 samples), published filters -> classes no finding, LBBB)
    """
    if isinstance(model, Network):
        return model
    row = getattr(unwrapped(model), "network_row", None) if isinstance(model, nn.Module) else None
    return Network(model, **(row() if callable(row) else {}))


# Whether a description can be true -------------------------------------------------------------------------------


def _check_words(net: Network) -> None:
    """Refuse a description whose words mean nothing."""
    if not isinstance(net.module, nn.Module):
        raise ValueError(f"the network is a {type(net.module).__name__}; expected a torch.nn.Module or a Network.")
    if net.outputs not in (None, *OUTPUTS):
        raise ValueError(f"outputs is {net.outputs!r}; expected one of {', '.join(map(repr, OUTPUTS))}.")
    if net.layout not in (None, *LAYOUTS):
        raise ValueError(f"layout is {net.layout!r}; expected one of {', '.join(map(repr, LAYOUTS))}.")
    if net.layout == "NCHW" and net.leads is not None:
        raise ValueError('layout is "NCHW", that of pictures, but leads are named; expected "NCT", "NTC" or "N1CT".')
    if not (net.preprocess in (None, "published") or callable(net.preprocess)):
        raise ValueError(f'preprocess is {net.preprocess!r}; expected None, "published" or a function ECG -> ECG.')
    if not (net.pick is None or callable(net.pick) or isinstance(net.pick, int | str)):
        raise ValueError(f"pick is {net.pick!r}; expected an index, a key, or a function of what the module returns.")
    _check_names("leads", net.leads, LEADS)
    _check_names("classes", net.classes, None)
    _check_number("fs", net.fs, Real, "a positive sampling rate in Hz")
    _check_number("samples", net.samples, Integral, "a whole number of samples, 1 or more")
    strangers = [name for name in net.criteria if name not in (net.classes or ())]
    if strangers:
        raise ValueError(f"criteria names {', '.join(map(repr, strangers))}; expected some of {net.classes}.")


def _check_names(what: str, given, known: tuple[str, ...] | None) -> None:
    if given is None:
        return
    right = isinstance(given, tuple) and len(given) and all(isinstance(name, str) and name for name in given)
    if not right or len(set(given)) != len(given) or (known and not set(given) <= set(known)):
        among = f" among {', '.join(known)}" if known else ""
        raise ValueError(f"{what} is {given!r}; expected a tuple of different names{among}.")


def _check_number(what: str, given: Any, kind: Any, expected: str) -> None:
    if given is None:
        return
    if not isinstance(given, kind) or isinstance(given, bool) or not 0 < float(given) < float("inf"):
        raise ValueError(f"{what} is {given!r}; expected {expected}.")


def _ask_once(net: Network) -> None:
    """Ask the network once whether it takes what it is said to take, and gives what it is said to give."""
    form = (net.sample_shape, net.classes, net.outputs, net.pick if isinstance(net.pick, int | str) else id(net.pick))
    if form in _ASKED.setdefault(net.module, set()):
        return
    noise = torch.randn((2, *net.sample_shape), generator=torch.Generator().manual_seed(0)) / 10
    with torch.no_grad():
        try:
            logits, _ = net.run(noise.to(net.device("cpu"), net.dtype(noise.dtype)), Evaluation(net.module))
        except ValueError:
            raise
        except Exception as error:  # whatever a network may raise
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            said = f"{LAYOUTS[net.layout]} = {(2, *net.sample_shape)}"
            raise ValueError(f"the network does not take {said}: {reason}. Check leads, samples and layout.") from error
    if not torch.isfinite(logits).all():
        raise ValueError("the network gives NaN or infinite values for quiet noise; check its weights.")
    _ASKED[net.module].add(form)


def _logit(p: Tensor) -> Tensor:
    """Return log p / (1 - p), the log-odds of a class whether others exclude it or not; as far as the type reaches."""
    low, high = (float(end) for end in p.detach().aminmax())
    if not (low >= -1e-6 and high <= 1 + 1e-6):
        raise ValueError(
            f'outputs is "probabilities", but the network gives values from {low:g} to {high:g}; expected 0 to 1.'
        )
    return torch.logit(p, eps=torch.finfo(p.dtype).eps)


def _takes(net: Network) -> str:
    """Say what a network takes, in words."""
    if not net.leads:
        return LAYOUTS.get(net.layout, "")
    leads = "12 leads" if net.leads == LEADS else ", ".join(net.leads)
    length = f"{net.duration:g} s" if net.duration else f"{net.samples} samples" if net.samples else "any length"
    rate = f" at {net.fs:g} Hz" if net.fs else ""
    count = f" ({net.samples} samples)" if net.duration else ""
    before = "published filters" if net.preprocess == "published" else getattr(net.preprocess, "__name__", "")
    layout = LAYOUTS[net.layout] if net.layout != "NCT" else ""
    return ", ".join(filter(None, (f"{leads} · {length}{rate}{count}", before, layout)))


def _gives(net: Network) -> str:
    """Say what a network gives, in words."""
    if net.classes is None:
        return net.outputs or ""
    shown = ", ".join(net.classes) if len(net.classes) <= 6 else f"{', '.join(net.classes[:3])} and others"
    count = f"{len(net.classes)} " if len(net.classes) > 6 else ""
    return f"{count}{net.outputs or 'outputs'} {shown}"
