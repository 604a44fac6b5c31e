"""The examples in the docstrings run, and give what they say."""

import doctest
import importlib

import pytest
import torch
from torch import nn

MODULES = (
    "attribution.core",
    "attribution.layerwise",
    "networks.network",
    "maps",
    "semantics.interventions",
    "evaluation.statistics",
    "plotting.cohort",
    *(f"cohort.{name}" for name in ("comparisons", "datasets", "moments", "records", "run")),
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_give_what_they_say(name):
    module = importlib.import_module(f"leadwise.{name}")
    result = doctest.testmod(module, extraglobs={"torch": torch, "nn": nn})
    assert result.attempted >= 1, name
    assert not result.failed
