"""The residual network of the Telehealth Network of Minas Gerais: six diagnoses of 12 leads (Ribeiro et al. 2020).

A. H. Ribeiro et al., "Automatic diagnosis of the 12-lead ECG using a deep neural network", Nat Commun 11 (2020) 1760,
doi:10.1038/s41467-020-15432-4. Its weights (doi:10.5281/zenodo.3625017, Keras, CC BY 4.0 as said there) take a
recording at 400 Hz, filled with zeros to 4096 samples.
"""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from leadwise.ecg.leads import LEADS
from leadwise.ecg.record import ECG
from leadwise.networks.network import Network
from leadwise.networks.weights import WeightsError, fill_weights, read_keras

CLASSES = ("1dAVb", "RBBB", "LBBB", "SB", "AF", "ST")
FS, SAMPLES = 400, 4096


class SameConv(nn.Conv1d):
    """A convolution that gives T / stride samples, rounded up: padded as TensorFlow's "same" pads."""

    def forward(self, x: Tensor) -> Tensor:
        """Pad, the odd sample at the end, and convolve."""
        out = -(-x.shape[-1] // self.stride[0])
        missing = max((out - 1) * self.stride[0] + self.kernel_size[0] - x.shape[-1], 0)
        return super().forward(functional.pad(x, (missing // 2, missing - missing // 2)))


class Unit(nn.Module):
    """A residual unit with two ways in and out: what is activated, and what is added (He et al., arXiv:1603.05027)."""

    def __init__(self, inputs: int, outputs: int, stride: int, kernel: int, dropout: float):
        super().__init__()
        self.conv1 = SameConv(inputs, outputs, kernel, bias=False)
        self.bn1 = nn.BatchNorm1d(outputs, eps=1e-3)
        self.conv2 = SameConv(outputs, outputs, kernel, stride, bias=False)
        self.bn2 = nn.BatchNorm1d(outputs, eps=1e-3)
        self.pool = nn.MaxPool1d(stride, ceil_mode=True)
        self.skip = nn.Conv1d(inputs, outputs, 1, bias=False)
        self.relu, self.dropout = nn.ReLU(), nn.Dropout(dropout)

    def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Map x and y (N, inputs, T) to (N, outputs, T / stride): the sum, activated and as it is."""
        y = self.skip(self.pool(y)) + self.conv2(self.dropout(self.relu(self.bn1(self.conv1(x)))))
        return self.dropout(self.relu(self.bn2(y))), y


class RibeiroNet(nn.Module):
    """(N, leads, T) -> logits (N, classes), each of which stands alone.

    Parameters
    ----------
    leads, classes : how many
    samples : T; the last layer reads every place by itself, so that it is fixed
    filters : channels of the first convolution and of the four units
    stride : of each unit
    kernel : samples of the convolutions
    dropout : share silenced in training; the authors' is 0.8
    scale : what the input, in mV, is multiplied with

    Examples
    --------
    >>> RibeiroNet(samples=1000, filters=(8, 8, 12, 16, 20))(torch.zeros(2, 12, 1000)).shape
    torch.Size([2, 6])
    """

    def __init__(
        self,
        leads: int = 12,
        classes: int = len(CLASSES),
        samples: int = SAMPLES,
        filters: Sequence[int] = (64, 128, 196, 256, 320),
        stride: int = 4,
        kernel: int = 16,
        dropout: float = 0.8,
        scale: float = 1.0,
    ):
        super().__init__()
        self.arguments = {
            "leads": leads, "classes": classes, "samples": samples, "filters": list(filters), "stride": stride,
            "kernel": kernel, "dropout": dropout, "scale": scale,
        }  # fmt: skip
        self.scale = scale
        self.conv = SameConv(leads, filters[0], kernel, bias=False)
        self.bn, self.relu = nn.BatchNorm1d(filters[0], eps=1e-3), nn.ReLU()
        self.units = nn.ModuleList(Unit(a, b, stride, kernel, dropout) for a, b in pairwise(filters))
        left = samples
        for _ in self.units:
            left = -(-left // stride)
        self.flatten, self.output = nn.Flatten(), nn.Linear(left * filters[-1], classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of x in mV."""
        x = self.relu(self.bn(self.conv(x * self.scale if self.scale != 1 else x)))
        y = x
        for unit in self.units:
            x, y = unit(x, y)
        return self.output(self.flatten(x))


def fill_with_zeros(ecg: ECG) -> ECG:
    """Return a recording at 400 Hz with zeros on both sides, equally many, up to 4096 samples; longer ones stay."""
    ecg = ecg.resample(FS)
    missing = max(SAMPLES - ecg.samples, 0)
    signal = np.pad(ecg.signal, ((0, 0), (missing // 2, missing - missing // 2)))
    return ECG(signal, ecg.fs, ecg.leads, ecg.record_id, ecg.preprocessed, ecg.notes, ecg.metadata)


def load_ribeiro(path: str | Path, *, scale: float) -> Network:
    """Load the published Keras weights (model.hdf5) without TensorFlow.

    Checked here with random weights of these names and shapes, against a forward pass written out by hand: the
    published file could not be had where this was written.

    Parameters
    ----------
    path : of the HDF5 file
    scale : what mV are multiplied with. The authors' page says the input is in units of 1e-4 V (so 10), and also that
        volts are to be multiplied by 1000 (so 1). Try both on recordings whose diagnosis you know

    Raises
    ------
    WeightsError : not a readable file, or not of this architecture
    """
    kernels, norms, dense = _keras_layers(read_keras(path), path)
    model = RibeiroNet(scale=scale)
    convs: list[nn.Module] = [model.conv]
    batch: list[nn.Module] = [model.bn]
    units = [unit for unit in model.units if isinstance(unit, Unit)]
    for unit in units:  # in the order in which model.py of the authors makes them
        convs += [unit.skip, unit.conv1, unit.conv2]
        batch += [unit.bn1, unit.bn2]
    names = {module: name for name, module in model.named_modules()}
    state = {f"{names[module]}.weight": kernel for module, kernel in zip(convs, kernels, strict=False)}
    for module, norm in zip(batch, norms, strict=False):
        state |= {f"{names[module]}.{key}": value for key, value in norm.items()}
        state[f"{names[module]}.num_batches_tracked"] = torch.tensor(0)
    channels = units[-1].conv2.out_channels
    weight = dense["kernel"].reshape(-1, channels, dense["kernel"].shape[-1])  # (places, channels, classes)
    state |= {"output.weight": weight.permute(2, 1, 0).flatten(1), "output.bias": dense["bias"]}
    if len(kernels) != len(convs) or len(norms) != len(batch):
        raise WeightsError(
            f"{path}: {len(kernels)} convolutions and {len(norms)} normalisations; expected {len(convs)}, {len(batch)}."
        )
    fill_weights(model, state, path)
    return Network(
        model.eval(), leads=LEADS, fs=FS, samples=SAMPLES, preprocess=fill_with_zeros, classes=CLASSES,
        outputs="labels", criteria={"1dAVb": "AVB", "RBBB": "RBBB", "LBBB": "LBBB"}, name="Ribeiro 2020",
        source="converted",
    )  # fmt: skip


def _order(layer: str) -> tuple[str, int]:
    """Return what sorts "conv1d_10" behind "conv1d_9": Keras numbers the layers of a kind as they are made."""
    kind, _, number = layer.rpartition("_")
    return (kind, int(number)) if number.isdigit() else (layer, 0)


KERAS_NORM = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}


def _keras_layers(found: dict[str, dict[str, np.ndarray]], path) -> tuple[list, list, dict]:
    """Return the kernels of the convolutions, the normalisations, in order, and the dense layer, as tensors."""
    kernels, norms, dense = [], [], []
    for _, arrays in sorted(found.items(), key=lambda row: _order(row[0])):
        tensors = {name: torch.from_numpy(np.asarray(array, np.float32)) for name, array in arrays.items()}
        if set(tensors) == set(KERAS_NORM):
            norms.append({KERAS_NORM[name]: value for name, value in tensors.items()})
        elif set(tensors) == {"kernel", "bias"}:
            dense.append(tensors)
        elif set(tensors) == {"kernel"}:
            kernels.append(tensors["kernel"].permute(2, 1, 0).contiguous())
        else:
            raise WeightsError(f"{path}: a layer with {', '.join(tensors)}; expected convolutions and normalisations.")
    if len(dense) != 1:
        raise WeightsError(f"{path}: {len(dense)} dense layers; expected one.")
    return kernels, norms, dense[0]
