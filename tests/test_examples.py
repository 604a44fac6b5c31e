"""The examples in the docstrings run, and give what they say."""

import doctest
import importlib
import importlib.util
import pkgutil
import re
from pathlib import Path

import pytest
import torch
from torch import nn

import leadwise

MODULES = sorted(module.name for module in pkgutil.walk_packages(leadwise.__path__, "leadwise."))


def text_of(name: str) -> str:
    return Path(importlib.util.find_spec(name).origin).read_text("utf-8")


@pytest.mark.parametrize("name", [name for name in MODULES if ">>> " in text_of(name)])
def test_examples_give_what_they_say(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = doctest.testmod(importlib.import_module(name), extraglobs={"torch": torch, "nn": nn})
    assert result.attempted >= 1, "its '>>>' stands in no docstring"
    assert not result.failed


@pytest.mark.parametrize("name", MODULES)
def test_an_example_that_is_skipped_says_why(name):
    """Such as: # needs leadwise download ecgs."""
    for skipped in re.findall(r"^.*doctest: \+SKIP.*$\n?.*", text_of(name), re.MULTILINE):
        assert "# needs " in skipped, skipped
