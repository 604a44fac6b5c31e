"""The examples in the docstrings run, and give what they say."""

import doctest
import importlib

import pytest
import torch
from torch import nn

MODULES = (
    *("attribution.core", "attribution.layerwise", "maps", "semantics.interventions", "evaluation.statistics"),
    *(f"networks.{name}" for name in ("network", "registry", "card", "xresnet1d", "ribeiro", "transformer")),
    *(f"cohort.{name}" for name in ("comparisons", "datasets", "moments", "records", "run", "summary")),
    *("cores", "grading", "plotting.cohort"),
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_give_what_they_say(name):
    module = importlib.import_module(f"leadwise.{name}")
    result = doctest.testmod(module, extraglobs={"torch": torch, "nn": nn})
    assert result.attempted >= 1, name
    assert not result.failed
