"""The network of the published ECG models (Gumpfer et al., AIME 2024): five convolution blocks, three dense layers."""

from collections import OrderedDict
from dataclasses import replace

import torch
from torch import nn

from leadwise.ecg.filters import PUBLISHED_FS
from leadwise.ecg.leads import LEADS
from leadwise.networks.network import Network, network_of

CHANNELS = 64
SAMPLES = 2000  # 4 s at 500 Hz: what the published models saw of a recording
CLASSES = ("no finding", "pathology")


def _conv_block(leads_in: int, dropout: float) -> nn.Sequential:
    layers = OrderedDict(
        conv=nn.Conv1d(leads_in, CHANNELS, kernel_size=3, padding="same"),
        elu=nn.ELU(),
        pool=nn.MaxPool1d(2),
    )
    if dropout:
        layers["dropout"] = nn.Dropout(dropout)
    return nn.Sequential(layers)


def _dense_block(dropout: float) -> nn.Sequential:
    return nn.Sequential(OrderedDict(linear=nn.Linear(CHANNELS, CHANNELS), elu=nn.ELU(), dropout=nn.Dropout(dropout)))


class ECGNet(nn.Module):
    """Twelve leads in, two logits out; index 1 is the pathology. 64,386 parameters.

    ``sample_shape`` says what one sample looks like: leads, and samples at 500 Hz.
    ``pathology`` and ``source`` say what the loaded weights detect and where they come from.
    """

    sample_shape = (len(LEADS), SAMPLES)

    def __init__(self, pathology: str = "", source: str = "untrained"):
        super().__init__()
        self.pathology, self.source = pathology, source
        self.block1 = _conv_block(len(LEADS), dropout=0.0)
        self.block2 = _conv_block(CHANNELS, dropout=0.1)
        self.block3 = _conv_block(CHANNELS, dropout=0.1)
        self.block4 = _conv_block(CHANNELS, dropout=0.1)
        self.block5 = _conv_block(CHANNELS, dropout=0.1)
        self.pool = nn.AdaptiveAvgPool1d(1)
        self.flatten = nn.Flatten(start_dim=-2)
        self.dense1 = _dense_block(dropout=0.25)
        self.dense2 = _dense_block(dropout=0.25)
        self.dense3 = _dense_block(dropout=0.25)
        self.output = nn.Linear(CHANNELS, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map x (N, 12, T) or (12, T), mV at 500 Hz, to logits (N, 2) or (2,). The published models saw T = 2000."""
        if x.ndim not in (2, 3) or x.shape[-2] != len(LEADS):
            raise ValueError(f"input has shape {tuple(x.shape)}; expected (N, 12, T) or (12, T): leads before time.")
        if x.shape[-1] < 32:
            raise ValueError(f"input has {x.shape[-1]} samples; five max-poolings need at least 32.")
        for block in (self.block1, self.block2, self.block3, self.block4, self.block5):
            x = block(x)
        x = self.flatten(self.pool(x))
        return self.output(self.dense3(self.dense2(self.dense1(x))))

    def network_row(self) -> dict:
        """Return what the network means, as fields of :class:`leadwise.networks.network.Network`."""
        finding = self.pathology or CLASSES[1]
        return {
            "leads": LEADS, "fs": PUBLISHED_FS, "samples": SAMPLES, "preprocess": "published", "outputs": "classes",
            "classes": (CLASSES[0], finding), "criteria": {finding: self.pathology} if self.pathology else {},
            "name": self.pathology, "source": self.source,
        }  # fmt: skip

    @property
    def arguments(self) -> dict:
        """What it was built with, for a saved network's card."""
        return {"pathology": self.pathology, "source": self.source}

    @torch.no_grad()
    def probability(self, x: torch.Tensor) -> torch.Tensor:
        """Return the softmax probability of the pathology, shape (N,) or scalar, for x as in ``forward``.

        Unlike ``forward`` it takes x from any device, and gives its answer there.
        """
        return torch.softmax(self(x.to(self.output.weight.device)), dim=-1)[..., 1].to(x.device)


def as_published(model: nn.Module | Network) -> Network:
    """Return a network of ECGs; a module that does not say what it takes is taken for one of the published form.

    Raises
    ------
    ValueError : it does not take that form either: twelve leads, 4 s at 500 Hz, two logits, the second the pathology
    """
    net = network_of(model)
    if net.is_ecg:
        return net
    form: dict = {"leads": LEADS, "fs": PUBLISHED_FS, "samples": SAMPLES, "preprocess": "published"}
    try:
        return replace(net, **form, classes=net.classes or CLASSES, outputs=net.outputs or "classes")
    except ValueError as error:
        raise ValueError(
            f"{net.title} does not say what it takes, and can't be asked as the published networks are: {error} "
            "Say it: Network(module, leads=(...), fs=..., samples=..., classes=(...), outputs=...)."
        ) from error
