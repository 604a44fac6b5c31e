"""What other programs give under the same names: the stored comparison, its own arithmetic, and what the text says."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "benchmarks"))

import peers_maps  # noqa: E402  needs the path above

STORED = json.loads((ROOT / "benchmarks" / "peers.json").read_text("utf-8"))
TABLES = {title: table for title, table in STORED.items() if ", against " in title}


def test_what_is_pinned_is_what_was_examined():
    pins = {line for line in (ROOT / "requirements.txt").read_text().splitlines() if line.startswith(("zen", "sign"))}
    assert set(STORED["environments"]["signxai2 0.5.0"]["packages"]) == pins
    assert set(STORED["environments"]) == set(peers_maps.PEERS)


def test_every_name_and_every_peer_is_in_every_table():
    names = set(json.loads((ROOT / "benchmarks" / "reference_maps.json").read_text())["each"]["AVB"])
    for title, table in TABLES.items():
        missing = {"grad_cam_timeseries"} if title.startswith("AlexNet") else set()
        assert names - missing <= set(table), title
        assert all(set(table[name]) == set(peers_maps.PEERS) for name in names - missing), title


def test_notebook_05_says_what_was_measured():
    for title, table in TABLES.items():
        for name, row in table.items():
            assert row.get("zennit 0.5.1") == row.get("zennit 1.0.0"), (title, name)
            if name.startswith("lrp_epsilon") and name.endswith("std_x"):
                assert row["signxai2 0.15.10"] > 0.999, (title, name)
            if name.endswith("signstdfactor=0"):
                assert row["signxai2 0.15.10"] > 0.999, title
            if name in ("gradient", "gradient_x_input"):
                assert min(row.values()) > 0.999, (title, name)
    behind = STORED["behind the names"]["signxai2 0.14.1"]
    assert (behind["lrp_alpha_1_beta_0"], behind["lrp_z"]) == ("gradient", "lrp_epsilon_plus")
    after = STORED["a merged batch norm"]["zennit 1.0.0"]
    assert after["the network's own logits change by"] == 0
    assert after["its state_dict changes by"] > 0.1


@pytest.mark.parametrize(("name", "epsilon"), [("lrp_epsilon_0_1", 0.1), ("lrp_epsilon_1", 1.0), ("lrp_z", 0.0)])
def test_names_are_read_as_the_rules_of_their_papers(name, epsilon):
    """Two layers by hand: R_j = sum_k a_j w_jk / (z_k + epsilon sign z_k) R_k, from a start of 1."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 2))
    x = torch.randn(5)
    with torch.no_grad():
        z = model[0](x)
        a = functional.relu(z)
        y = model(x)[1]
        R = a * model[2].weight[1] / (y + epsilon * y.sign())
        wanted = (x * model[0].weight * (R / (z + epsilon * z.sign()))[:, None]).sum(0)
    found = peers_maps.by_rules(model, x, 1, name)
    assert np.allclose(found, wanted, rtol=1e-3, atol=1e-5)


def test_what_zennit_does_not_have_is_refused():
    for name in ("lrpsign_z", "gradient_x_sign_mu_0_5", "lrp_epsilon_0_25_std_x", "grad_cam_timeseries"):
        with pytest.raises(NotImplementedError):
            peers_maps.by_rules(nn.Linear(5, 2), torch.ones(5), 0, name)


def test_a_map_without_a_correlation_says_why():
    other = np.arange(6.0).reshape(2, 3)
    assert peers_maps.correlation(2 * other + 1, other) == 1
    assert peers_maps.correlation(other.T, other) == "shape 3x2"
    assert peers_maps.correlation(np.full((2, 3), np.nan), other) == "not finite"
    assert peers_maps.correlation(np.zeros((2, 3)), other) == "constant"
