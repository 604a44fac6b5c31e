# %% [markdown]
# # A3 What maps cost
#
# Time depends on the machine; the number of passes through the network doesn't. This appendix to notebook 03 counts them for every
# method that is no LRP, for whoever has to explain many pictures, or pays for each answer of a model.
#
# **Before:** notebooks 02 and 03.

# %% imports
import warnings
from contextlib import contextmanager

import leadwise
from leadwise.attribution import MethodWarning
from leadwise.images.scenes import make_scene
from leadwise.networks.alexnet import load_alexnet, preprocess

# A map of few steps or few samples warns of its own error. Here few must do.
warnings.simplefilter("ignore", MethodWarning)

network = load_alexnet("embedded")
x = preprocess(make_scene(186, objects=2).image)
cat = network.class_names.index("cat")

# %% [markdown]
# ## Counting passes
#
# A hook of PyTorch is a function that a module calls after each pass. This one counts the pictures of the batch, and hangs a
# second one on the result that counts the gradients on their way back.


# %% passes
@contextmanager
def passes(network):
    """Count the pictures that go forward through the network, and the gradients that come back."""
    count = {"forward": 0, "back": 0}

    def forward(module, args, out):
        count["forward"] += len(out)
        if out.requires_grad:
            out.register_hook(lambda grad: count.update(back=count["back"] + len(grad)))

    handle = network.register_forward_hook(forward)
    try:
        yield count
    finally:
        handle.remove()


# %% cost
leadwise.attribute(network, x, "gradient", target=cat)  # the first call of all looks the network over
# Fewer samples than the defaults, to save time.
SMOOTHED = ("smoothgrad", "smoothgrad_x_input", "smoothgrad_x_sign", "vargrad")
FEWER = {name: {"samples": 16} for name in SMOOTHED}
FEWER |= {"integrated_gradients": {"steps": 16}, "expected_gradients": {"samples": 16}, "deepshap": {"samples": 4}}
FEWER |= {name: {"samples": 160, "segment": 32} for name in ("kernel_shap", "lime")}
FEWER |= {"occlusion": {"window": 32, "stride": 16}, "rise": {"samples": 192}}
FAMILIES = ("gradient", "cam", "perturbation")
print(f"{'one map':26s}{'pictures forward':>18s}{'gradients back':>16s}")
for name, method in leadwise.METHODS.items():
    if method.family in FAMILIES:
        with passes(network) as count:
            leadwise.attribute(network, x, name, target=cat, **FEWER.get(name, {}))
        print(f"{method.title:26s}{count['forward']:18d}{count['back']:16d}")

# %% [markdown]
# Where the gradient needs one pass each way, sampling methods need as many as samples, and those that only ask need hundreds. Some
# passes beyond the samples go into finding Grad-CAM's layer and the like. Finer steps cost more: with half the stride,
# occlusion [1] needs about four times as many passes.

# %% windows
for window, stride in ((32, 32), (32, 16), (32, 8)):
    with passes(network) as count:
        leadwise.attribute(network, x, "occlusion", target=cat, window=window, stride=stride)
    print(f"occlusion, window {window}, stride {stride:2d}: {count['forward']:4d} pictures forward")

# %% [markdown]
# ## References
#
# 1. Zeiler, Fergus 2014, Visualizing and understanding convolutional networks, [doi:10.1007/978-3-319-10590-1_53](https://doi.org/10.1007/978-3-319-10590-1_53)
