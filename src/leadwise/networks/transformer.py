"""A small transformer for ECGs: pieces of the recording as words, and attention between them.

The encoder of A. Dosovitskiy et al., "An image is worth 16x16 words", arXiv:2010.11929, along time: each piece of all
leads becomes a vector, normalisation comes before attention and dense layers, and the mean over pieces is classified.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional


class Attention(nn.Module):
    """Multi-head self-attention: (N, P, width) -> (N, P, width)."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.output = nn.Linear(width, width)

    def _parts(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        made = (layer(x) for layer in (self.query, self.key, self.value))
        return tuple(part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in made)

    def forward(self, x: Tensor) -> Tensor:
        """Let every piece look at every other."""
        mixed = functional.scaled_dot_product_attention(*self._parts(x))
        return self.output(mixed.transpose(1, 2).flatten(2))

    def weights(self, x: Tensor) -> Tensor:
        """Return how much each piece looks at each other, (N, heads, P, P); rows sum to 1."""
        query, key, _ = self._parts(x)
        return torch.softmax(query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5, -1)


class Encoder(nn.Module):
    """Attention and two dense layers, each added to what it gets."""

    def __init__(self, width: int, heads: int, dropout: float):
        super().__init__()
        self.norm1, self.attention = nn.LayerNorm(width), Attention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.dense = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, P, width) to (N, P, width)."""
        x = x + self.dropout(self.attention(self.norm1(x)))
        return x + self.dropout(self.dense(self.norm2(x)))


class ECGTransformer(nn.Module):
    """(N, leads, T) -> logits (N, classes).

    Parameters
    ----------
    leads, classes : how many
    samples : T, a multiple of ``piece``: places have names of their own
    piece : samples that become one vector
    width : length of a vector, a multiple of ``heads``
    heads : of each attention
    depth : encoders
    dropout : share silenced in training

    Raises
    ------
    ValueError : sizes that do not divide

    Examples
    --------
    >>> net = ECGTransformer(leads=8, classes=5, samples=1000, piece=20)
    >>> net(torch.zeros(2, 8, 1000)).shape, net.attention(torch.zeros(2, 8, 1000))[0].shape
    (torch.Size([2, 5]), torch.Size([2, 4, 50, 50]))
    """

    def __init__(
        self,
        leads: int = 12,
        classes: int = 5,
        samples: int = 1000,
        piece: int = 20,
        width: int = 64,
        heads: int = 4,
        depth: int = 3,
        dropout: float = 0.1,
    ):
        super().__init__()
        if samples % piece or width % heads:
            raise ValueError(
                f"samples {samples}, piece {piece}, width {width}, heads {heads}; expected samples a multiple of piece "
                "and width one of heads."
            )
        self.arguments = {
            "leads": leads, "classes": classes, "samples": samples, "piece": piece, "width": width, "heads": heads,
            "depth": depth, "dropout": dropout,
        }  # fmt: skip
        self.embed = nn.Conv1d(leads, width, piece, stride=piece)
        self.place = nn.Parameter(torch.randn(samples // piece, width) / width**0.5)
        self.encoders = nn.ModuleList(Encoder(width, heads, dropout) for _ in range(depth))
        self.norm, self.output = nn.LayerNorm(width), nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits."""
        x = self.embed(x).transpose(1, 2) + self.place
        for encoder in self.encoders:
            x = encoder(x)
        return self.output(self.norm(x).mean(1))

    @torch.no_grad()
    def attention(self, x: Tensor) -> list[Tensor]:
        """Return the attention of each encoder, (N, heads, P, P): which pieces each piece looks at."""
        found, x = [], self.embed(x).transpose(1, 2) + self.place
        for encoder in self.encoders:
            found.append(encoder.attention.weights(encoder.norm1(x)))  # type: ignore[union-attr, operator]
            x = encoder(x)
        return found
