"""xresnet1d: the residual network that did best on PTB-XL (Strodthoff et al. 2021).

N. Strodthoff, P. Wagner, T. Schaeffter, W. Samek, "Deep learning for ECG analysis: benchmarks and insights from
PTB-XL", IEEE J Biomed Health Inform 25 (2021) 1519-1528, doi:10.1109/JBHI.2020.3022989. The one-dimensional form of
T. He et al., "Bag of tricks", arXiv:1812.01187: three small convolutions first, averages before strided shortcuts.
Modules are named as in the authors' checkpoints, so that these fit as they are.
"""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn

from leadwise.networks.weights import WeightsError, fill_weights, read_checkpoint

DEPTHS = {18: ((2, 2, 2, 2), 1), 34: ((3, 4, 6, 3), 1), 50: ((3, 4, 6, 3), 4), 101: ((3, 4, 23, 3), 4)}
"""Number in the name -> blocks of each stage, and how many times wider a block ends than it is inside."""


class ConcatPool(nn.Module):
    """Maximum and mean over time, one after the other: (N, C, T) -> (N, 2 C, 1)."""

    def __init__(self):
        super().__init__()
        self.mean, self.largest = nn.AdaptiveAvgPool1d(1), nn.AdaptiveMaxPool1d(1)

    def forward(self, x: Tensor) -> Tensor:
        """Pool over time."""
        return torch.cat([self.largest(x), self.mean(x)], 1)


class Block(nn.Module):
    """A residual block: convolutions and a shortcut, added.

    Parameters
    ----------
    inputs, outputs : channels
    inside : channels of the convolutions before the last
    stride : of the block; the shortcut averages as many samples
    kernel : of the convolutions along time
    """

    def __init__(self, inputs: int, inside: int, outputs: int, stride: int, kernel: int):
        super().__init__()
        if inside == outputs:
            steps = [_conv(inputs, inside, kernel, stride), _conv(inside, outputs, kernel, active=False)]
        else:
            steps = [
                _conv(inputs, inside, 1),
                _conv(inside, inside, kernel, stride),
                _conv(inside, outputs, 1, 1, False),
            ]
        self.convpath = nn.Sequential(nn.Sequential(*steps))
        self.idpath = nn.Sequential(
            *[nn.AvgPool1d(stride, ceil_mode=True)] * (stride > 1),
            *([_conv(inputs, outputs, 1, active=False)] if inputs != outputs else []),
        )
        self.act = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, inputs, T) to (N, outputs, T / stride)."""
        return self.act(self.convpath(x) + self.idpath(x))


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1, active: bool = True) -> nn.Sequential:
    """Return a convolution, its normalisation and, unless the block adds first, its ReLU."""
    convolution = nn.Conv1d(inputs, outputs, kernel, stride, padding=(kernel - 1) // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm1d(outputs), *[nn.ReLU()] * active)


class XResNet1d(nn.Sequential):
    """(N, leads, T) -> logits (N, classes).

    Parameters
    ----------
    leads, classes : how many
    depth : 18, 34, 50 or 101; the published benchmark's best is 101
    width : channels inside the blocks; 64 is the published one
    kernel : samples of the convolutions along time
    hidden : units of dense layers between pooling and output; the authors' benchmark has (128,)
    dropout : before the last dense layer, half of it before others

    Examples
    --------
    >>> XResNet1d(leads=8, classes=71, width=8)(torch.zeros(2, 8, 1000)).shape
    torch.Size([2, 71])
    """

    def __init__(
        self,
        leads: int = 12,
        classes: int = 71,
        depth: int = 18,
        width: int = 64,
        kernel: int = 5,
        hidden: Sequence[int] = (),
        dropout: float = 0.5,
    ):
        if depth not in DEPTHS:
            raise ValueError(f"depth is {depth}; expected one of {', '.join(map(str, DEPTHS))}.")
        blocks, expansion = DEPTHS[depth]
        half = max(1, width // 2)
        stem = [
            _conv(a, b, kernel, 2 if i == 0 else 1) for i, (a, b) in enumerate(pairwise((leads, half, half, width)))
        ]
        before, stages = width, []
        for stage, count in enumerate(blocks):
            stage_blocks = []
            for block in range(count):
                stride = 2 if stage and not block else 1
                stage_blocks.append(Block(before, width, width * expansion, stride, kernel))
                before = width * expansion
            stages.append(nn.Sequential(*stage_blocks))
        super().__init__(*stem, nn.MaxPool1d(3, 2, padding=1), *stages, _head(2 * before, hidden, classes, dropout))
        self.arguments = {
            "leads": leads, "classes": classes, "depth": depth, "width": width, "kernel": kernel,
            "hidden": list(hidden), "dropout": dropout,
        }  # fmt: skip
        for module in self.modules():
            if isinstance(module, nn.Conv1d | nn.Linear):
                nn.init.kaiming_normal_(module.weight)
            if isinstance(module, nn.Linear):
                nn.init.zeros_(module.bias)


def _head(features: int, hidden: Sequence[int], classes: int, dropout: float) -> nn.Sequential:
    """Return pooling and dense layers, each behind a normalisation and dropout, with ReLU between them."""
    layers: list[nn.Module] = [ConcatPool(), nn.Flatten()]
    sizes = [features, *hidden, classes]
    for i, (a, b) in enumerate(pairwise(sizes)):
        last = i == len(hidden)
        layers += [nn.BatchNorm1d(a), nn.Dropout(dropout if last else dropout / 2), nn.Linear(a, b)]
        layers += [] if last else [nn.ReLU()]
    return nn.Sequential(*layers)


def load_xresnet1d(path: str | Path) -> XResNet1d:
    """Load a checkpoint of the authors' benchmark (github.com/helme/ecg_ptbxl_benchmarking): a PyTorch file of weights.

    How many leads, classes, blocks and hidden units it has is read from the names and shapes of its weights. Checked
    here with random weights of these names and shapes only: no published file could be had where this was written. The
    networks of the benchmark saw 2.5 s at 100 Hz, standardised by a mean and a deviation that lie beside each
    checkpoint; what a recording needs before it is for you to say, in ``Network(..., preprocess=...)``.

    Raises
    ------
    WeightsError : not a readable checkpoint, or not of this architecture
    """
    state = {name: value for name, value in read_checkpoint(path).items() if ".convs." not in name}  # there twice
    try:
        model = XResNet1d(**_arguments_of(state))
    except (KeyError, ValueError, IndexError) as error:
        raise WeightsError(f"{path}: not the weights of an xresnet1d ({error!r}).") from error
    fill_weights(model, state, path)
    return model.eval()


def _arguments_of(state: dict[str, Tensor]) -> dict:
    """Read from weights what they are of."""
    counts = tuple(len({n.split(".")[1] for n in state if n.startswith(f"{stage}.")}) for stage in range(4, 8))
    wide = state["4.0.convpath.0.0.0.weight"].shape[2] == 1
    depth = next((n for n, (blocks, by) in DEPTHS.items() if blocks == counts and (by > 1) == wide), None)
    if depth is None:
        raise ValueError(f"blocks {counts}")
    dense = [state[name] for name in sorted(state, key=_place) if name.startswith("8.") and state[name].ndim == 2]
    return {
        "leads": state["0.0.weight"].shape[1], "kernel": state["0.0.weight"].shape[2], "depth": depth,
        "width": state["2.0.weight"].shape[0], "classes": dense[-1].shape[0],
        "hidden": [weight.shape[0] for weight in dense[:-1]],
    }  # fmt: skip


def _place(name: str) -> tuple:
    """Return what sorts "8.10.weight" behind "8.4.weight"."""
    return tuple(int(part) if part.isdigit() else -1 for part in name.split("."))
