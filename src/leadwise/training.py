"""Train an ECG network, calibrate it and measure it: what made the embedded models, short enough for a lesson."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch import nn
from torch.nn import functional

from leadwise.ecg.leads import LEADS
from leadwise.networks.ecg_net import SAMPLES, ECGNet
from leadwise.networks.network import Network

M = TypeVar("M", bound=nn.Module)

WINDOW = SAMPLES
BATCH = 32


@dataclass(frozen=True)
class Epoch:
    """What one pass through the data achieved.

    Parameters
    ----------
    number : 1 for the first
    loss : mean cross-entropy of the augmented training batches
    validation_loss, validation_auc : cross-entropy and area under the ROC curve on the validation data
    best : True where the validation loss was lower than in every epoch before
    """

    number: int
    loss: float
    validation_loss: float
    validation_auc: float
    best: bool


def fit(
    model: nn.Module,
    x: np.ndarray,
    y: np.ndarray,
    validation: tuple[np.ndarray, np.ndarray],
    *,
    epochs: int = 12,
    samples: int | None = None,
    weights: np.ndarray | None = None,
    learning_rate: float = 4e-3,
    patience: int = 5,
    dropout: bool = False,
    augment: Callable | None = None,
    seed: int = 0,
    report: Callable[[Epoch], None] | None = None,
) -> list[Epoch]:
    """Train a two-class network on windows of ECGs; it ends with the weights of the epoch that validated best.

    Adam on cross-entropy. The learning rate rises over the first quarter and then falls to zero (one cycle: L. N.
    Smith and N. Topin, arXiv:1708.07120). Training stops early when ``patience`` epochs bring nothing better. The same
    seed gives the same weights on the same machine; the caller's random state is left alone.

    Parameters
    ----------
    model : (N, 12, 2000) mV -> logits (N, 2); trained in place, on the device it is on, returned to evaluation mode
    x : ndarray (N, 12, T), mV, preprocessed, T >= 2000: each time a record is used, a window of 2000 samples is cut
    y : ndarray (N,), 0 or 1
    validation : (x, y) alike, of other patients; the first 2000 samples are used
    epochs : most passes through the data
    samples : windows drawn per epoch, with replacement; by default N
    weights : ndarray (N,), how often to draw each record; by default both classes equally often
    learning_rate : the highest of the cycle
    dropout : keep the network's dropout while training. Simulated patients are new ones without end and need no such
        curb; with it, the AV-block model needs several times as long to find the PR interval at all
    augment : (windows (B, 12, 2000), generator) -> windows; :func:`vary` by default
    report : called with each Epoch when it is done

    Returns
    -------
    list of Epoch
    """
    x, y = _checked(x, y)
    samples = samples or len(x)
    weights = 1 / np.bincount(y)[y] if weights is None else np.asarray(weights, float)
    augment = augment or vary
    rng, device = np.random.default_rng(seed), Network(model).device("cpu")
    steps = max(1, samples // BATCH)
    history: list[Epoch] = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        optimiser = torch.optim.Adam(model.parameters())
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, learning_rate, total_steps=epochs * steps)
        for number in range(1, epochs + 1):
            _training_mode(model, dropout)
            total = 0.0
            for chosen in rng.choice(len(x), (steps, BATCH), p=weights / weights.sum()):
                batch = torch.from_numpy(augment(random_windows(x, chosen, rng), rng)).to(device)
                loss = functional.cross_entropy(model(batch), torch.from_numpy(y[chosen]).to(device))
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                schedule.step()
                total += loss.item() / steps
            score, auc = evaluate(model, *validation)
            better = all(score < past.validation_loss for past in history)
            history.append(Epoch(number, total, score, auc, better))
            if report:
                report(history[-1])
            if better:
                best = copy.deepcopy(model.state_dict())
            elif number - max(past.number for past in history if past.best) >= patience:
                break
    model.load_state_dict(best)
    model.eval()
    return history


def initialise(model: M, seed: int = 0) -> M:
    """Draw new weights, uniform of variance 2 / inputs (He et al., ICCV 2015, equation 10); biases 0; return the model.

    PyTorch's own default has a sixth of that variance: through eight layers a signal of tenths of a millivolt fades.
    """
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, nn.Conv1d | nn.Linear):
            nn.init.kaiming_uniform_(module.weight, nonlinearity="relu", generator=generator)
            nn.init.zeros_(module.bias)
    return model


def _training_mode(model: nn.Module, dropout: bool) -> None:
    model.train()
    for module in model.modules():
        if isinstance(module, nn.Dropout) and not dropout:
            module.eval()


def _checked(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.asarray(x), np.asarray(y, np.int64)
    if x.ndim != 3 or x.shape[1] != len(LEADS) or x.shape[2] < WINDOW:
        raise ValueError(f"x has shape {x.shape}; expected (N, 12, T) with T of at least {WINDOW} samples.")
    if y.shape != x.shape[:1] or set(np.unique(y)) != {0, 1}:
        raise ValueError(f"y has shape {y.shape} and values {np.unique(y)}; expected ({len(x)},) with both 0 and 1.")
    return x, y


def random_windows(x: np.ndarray, chosen: np.ndarray, rng: np.random.Generator, samples: int = WINDOW) -> np.ndarray:
    """Cut one window from each chosen record, float32 (B, 12, samples); one in three starts with the record.

    The models are used on the first 4 s, where the filters' edge effects are.
    """
    last = x.shape[-1] - samples
    starts = np.where(rng.random(len(chosen)) < 1 / 3, 0, rng.integers(0, last + 1, len(chosen)))
    return np.stack([x[i, :, s : s + samples] for i, s in zip(chosen, starts, strict=True)]).astype(np.float32)


def vary(windows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Vary windows (B, 12, T) as recordings vary: gain of record and lead, offset, drift, noise, a dead lead.

    Nothing here stretches time: PR and QRS durations, hence the labels, stay as they are.
    """
    n, leads, samples = windows.shape
    gain = rng.lognormal(0, 0.20, (n, 1, 1)) * rng.lognormal(0, 0.08, (n, leads, 1))
    gain *= rng.random((n, leads, 1)) > 0.01  # a lead in a hundred records nothing
    time = np.linspace(0, 2 * np.pi, samples, dtype=np.float32)
    turns, phase = rng.uniform(0.3, 3, (n, leads, 1)), rng.uniform(0, 2 * np.pi, (n, leads, 1))
    drift = rng.normal(0, 0.02, (n, leads, 1)) * rng.random((n, 1, 1))
    noise = rng.lognormal(np.log(0.004), 0.7, (n, 1, 1)).astype(np.float32)
    out = windows * gain.astype(np.float32) + rng.normal(0, 0.015, (n, leads, 1)).astype(np.float32)
    out += drift.astype(np.float32) * np.sin(turns.astype(np.float32) * time + phase.astype(np.float32))
    return out + noise * rng.standard_normal(windows.shape, np.float32)


def logits(model: nn.Module, x: np.ndarray, samples: int = WINDOW) -> np.ndarray:
    """Return the network's logits (N, 2) for the first ``samples`` samples of x (N, 12, T), in evaluation mode."""
    was_training, device, out = model.training, Network(model).device("cpu"), []
    model.eval()
    with torch.no_grad():
        for start in range(0, len(x), BATCH):
            windows = torch.from_numpy(x[start : start + BATCH, :, :samples].astype(np.float32))
            out.append(model(windows.to(device)).cpu())
    model.train(was_training)
    return torch.cat(out).numpy()


def probabilities(model: nn.Module, x: np.ndarray) -> np.ndarray:
    """Return the probability of the pathology (N,) for the first 2000 samples of x (N, 12, T), mV, preprocessed."""
    return torch.softmax(torch.from_numpy(logits(model, x)), dim=1)[:, 1].numpy()


def evaluate(model: nn.Module, x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Return cross-entropy and area under the ROC curve on the first 2000 samples of x (N, 12, T), labels y (N,)."""
    out = torch.from_numpy(logits(model, x))
    loss = functional.cross_entropy(out, torch.from_numpy(np.asarray(y, np.int64)))
    return loss.item(), float(roc_auc_score(y, out[:, 1] - out[:, 0]))


def calibrate(model: ECGNet, x: np.ndarray, y: np.ndarray) -> float:
    """Divide the last layer by the temperature that minimises the cross-entropy on x, y; return the temperature.

    Temperature scaling (Guo et al., ICML 2017, section 4.2) makes over-confident probabilities honest and changes no
    decision. It is folded into the weights of ``model.output``: the network stays the published architecture. Targets
    are Platt's (1999), (n1 + 1) / (n1 + 2) and 1 / (n0 + 2) instead of 1 and 0: n patients without an error do not
    prove that none will come, and certainty would have no finite temperature.

    Parameters
    ----------
    x, y : validation data, as for :func:`fit`
    """
    out, y = torch.from_numpy(logits(model, x)), np.asarray(y)
    soft = np.where(y == 1, (np.sum(y == 1) + 1) / (np.sum(y == 1) + 2), 1 / (np.sum(y == 0) + 2))
    target = torch.from_numpy(np.stack([1 - soft, soft], axis=1)).float()
    temperatures = torch.logspace(-2, 2, 801)
    losses = torch.stack([functional.cross_entropy(out / t, target) for t in temperatures])
    temperature = float(temperatures[losses.argmin()])
    with torch.no_grad():
        model.output.weight.div_(temperature)
        model.output.bias.div_(temperature)
    return temperature


def reliability(probability: np.ndarray, y: np.ndarray, bins: int = 10) -> list[tuple[float, float, int]]:
    """Sort predictions into equal bins; return (mean probability, share of positives, count) of each filled bin."""
    place = np.minimum((np.asarray(probability) * bins).astype(int), bins - 1)
    groups = [place == i for i in range(bins)]
    return [(float(probability[g].mean()), float(np.mean(y[g])), int(g.sum())) for g in groups if g.any()]


def calibration_error(probability: np.ndarray, y: np.ndarray, bins: int = 10) -> float:
    """Return the expected calibration error (Guo et al. 2017, equation 3): the mean gap in :func:`reliability`."""
    rows = reliability(np.asarray(probability, float), np.asarray(y), bins)
    return sum(count * abs(p - share) for p, share, count in rows) / len(y)


def elsewhere(mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a mask of as many samples outside the given one: the control of a swap test.

    From a random time on (and on from the start), it takes every sample of every lead that the given mask leaves free,
    until there are as many. Where less is free than that, it takes all: no sample that is called the cause ever
    belongs to the control.

    Parameters
    ----------
    mask : bool (12, T)

    Returns
    -------
    bool (12, T), disjoint from the mask
    """
    free = np.flatnonzero(~mask.T)  # in order of time, lead after lead
    chosen = np.roll(free, -rng.integers(max(len(free), 1)))[: mask.sum()]
    out = np.zeros(mask.size, bool)
    out[chosen] = True
    return out.reshape(mask.T.shape).T
