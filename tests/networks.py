"""Small networks and inputs that several test files share."""

import torch
from torch import nn


class ReluECG(nn.Module):
    """A one-dimensional ReLU network with the blocks of the published one, small."""

    def __init__(self, bias=True):
        super().__init__()
        self.conv1 = nn.Conv1d(12, 8, 3, padding=1, bias=bias)
        self.relu1 = nn.ReLU()
        self.pool1 = nn.MaxPool1d(2)
        self.conv2 = nn.Conv1d(8, 8, 3, padding=1, bias=bias)
        self.relu2 = nn.ReLU()
        self.pool = nn.AdaptiveAvgPool1d(1)
        self.flatten = nn.Flatten()
        self.dense = nn.Linear(8, 2, bias=bias)

    def forward(self, x):
        x = self.pool1(self.relu1(self.conv1(x)))
        return self.dense(self.flatten(self.pool(self.relu2(self.conv2(x)))))


class ImageNet(nn.Module):
    """A two-dimensional network with batch normalisation, dropout and in-place activations, as found in the wild."""

    def __init__(self, bias=True, normalised=True):
        super().__init__()
        first = [nn.Conv2d(3, 6, 5, stride=2, bias=bias)] + [nn.BatchNorm2d(6)] * normalised
        self.features = nn.Sequential(
            *first, nn.ReLU(inplace=True), nn.Conv2d(6, 8, 3, bias=bias), nn.ReLU(inplace=True)
        )
        self.pool = nn.AdaptiveAvgPool2d(3)
        self.flatten = nn.Flatten()
        self.classifier = nn.Sequential(
            nn.Dropout(), nn.Linear(72, 16, bias=bias), nn.ReLU(inplace=True), nn.Linear(16, 5, bias=bias)
        )

    def forward(self, x):
        return self.classifier(self.flatten(self.pool(self.features(x))))


def linear_ecg(samples: int) -> nn.Sequential:
    """Return logits that are linear in an ECG (12, samples): every explanation is known in closed form."""
    return nn.Sequential(nn.Conv1d(12, 2, samples), nn.Flatten())


def seeded(make, seed=0, **options):
    """Build a network with seeded random weights; batch norms get statistics that are not the identity."""
    torch.manual_seed(seed)
    network = make(**options) if options or isinstance(make, type) else make()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
            module.weight.data.uniform_(0.5, 2)
            module.bias.data.normal_()
    return network.eval()


def ecg_batch(n=2, samples=64, seed=1):
    """Return smooth random ECG-like inputs (n, 12, samples)."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn((n, 12, samples), generator=generator).cumsum(-1) / 8


def image_batch(n=2, size=32, seed=1):
    """Return random images (n, 3, size, size)."""
    return torch.randn((n, 3, size, size), generator=torch.Generator().manual_seed(seed))
