# %% [markdown]
# # Start here
#
# **From Saliency to Semantics** explains what a neural network sees in an image and in a 12-lead ECG, and how far
# such an explanation can be trusted. The course teaches; it never diagnoses.

# %% [markdown]
# ## Is everything installed?
#
# Each line names a package of the course and its version.

# %% packages
from importlib.metadata import version

import ecgxai

print(f"ecgxai {ecgxai.__version__}")
for package in ("torch", "captum", "zennit", "signxai2", "wfdb", "matplotlib", "ipywidgets"):
    print(package, version(package).split("+")[0])
