# %% [markdown]
# # A2 Rules of the path
#
# Integrated gradients are an integral, and a program adds up a few points of it. This appendix to notebook 02 compares three
# ways to choose and weigh the points, captum's two among them, for whoever compares maps of two libraries or writes one.
#
# **Before:** notebook 02.

# %% imports
import warnings

import captum.attr
import torch

import leadwise
from leadwise.attribution import MethodWarning
from leadwise.images.scenes import make_scene
from leadwise.networks.alexnet import load_alexnet, preprocess

# A map of few steps warns of its own error. Here few must do; below, the errors are measured.
warnings.simplefilter("ignore", MethodWarning)

network = load_alexnet("embedded")
x = preprocess(make_scene(186, objects=2).image)
cat, zero = network.class_names.index("cat"), torch.zeros_like(x)

# %% [markdown]
# ## The trapezoidal rule
#
# As in notebook 02: $n$ points from the baseline to the scene, both ends included, $1/(n - 1)$ apart; the ends count half.


# %% my integrated gradients
def gradient(network, x, target):
    """Gradient of one logit, shaped like x: (3, H, W), or a batch of them."""
    x = x.clone().requires_grad_()
    return torch.autograd.grad(network(x)[..., target].sum(), x)[0]


def integrated_gradients(network, x, target, baseline, steps=32):
    """Trapezoidal rule over `steps` points, both ends included."""
    alphas = torch.linspace(0, 1, steps)[:, None, None, None]
    grads = torch.cat([gradient(network, baseline + part * (x - baseline), target) for part in alphas.split(8)])
    mean = (grads.sum(0) - (grads[0] + grads[-1]) / 2) / (steps - 1)
    return (x - baseline) * mean


def difference(a, b):
    """Largest difference of two maps, relative to the largest magnitude."""
    return f"{float((a - b).abs().max() / b.abs().max()):.1e}"


# %% three rules
mine = integrated_gradients(network, x, cat, zero)
ours = leadwise.attribute(network, x, "integrated_gradients", target=cat, steps=32)
ig = captum.attr.IntegratedGradients(network)
options = {"target": cat, "n_steps": 32, "internal_batch_size": 8}
theirs = ig.attribute(x[None], method="riemann_trapezoid", **options)[0]
legendre = ig.attribute(x[None], **options)[0]
print("mine - leadwise:                      ", difference(mine, ours))
print("mine - captum, trapezoid:           ", difference(mine, theirs))
print("mine - captum, trapezoid × 32 / 31: ", difference(mine, theirs * 32 / 31))
print("mine - captum, its default:         ", difference(mine, legendre))

# %% [markdown]
# A find: captum's trapezoid uses the step $1/n$ for $n$ points that lie $1/(n-1)$ apart, so its weights add up to $(n-1)/n$ and every map is a
# little too faint. Corrected for that, it agrees to rounding. Its default, Gauss-Legendre quadrature, has weights that add up to 1; it
# differs because it looks at other points of the path.

# %% [markdown]
# ## How many steps are enough
#
# [Completeness](../GLOSSARY.md#completeness) says how many [1]. The path is not smooth: few points may miss a steep place, and rules
# differ.

# %% completeness
with torch.no_grad():
    gained = float(network(x)[cat] - network(zero)[cat])
print("sum of R in per cent of f(x) - f(0):\nsteps      mine   captum trapezoid   captum default")
for steps in (8, 32, 128):
    options["n_steps"] = steps
    sums = (
        integrated_gradients(network, x, cat, zero, steps).sum(),
        ig.attribute(x[None], method="riemann_trapezoid", **options).sum(),
        ig.attribute(x[None], **options).sum(),
    )
    a, b, c = (float(total) / gained for total in sums)
    print(f"{steps:5d} {a:9.1%} {b:18.1%} {c:16.1%}")

# %% [markdown]
# ## References
#
# 1. Sundararajan, Taly, Yan 2017, Axiomatic attribution for deep networks, [doi:10.48550/arXiv.1703.01365](https://doi.org/10.48550/arXiv.1703.01365)
