"""Our maps against those of the authors' own software (signxai 1.1.9.2 on TensorFlow), method by method."""

import numpy as np
import pytest
import torch

from leadwise import attribute
from leadwise.attribution import MethodWarning
from leadwise.networks.weights import convert_keras

RECORDS = {"AVB": "03509", "LBBB": "14493"}
NAMES = [
    "gradient",
    "gradient_x_input",
    "gradient_x_sign",
    "gradient_x_sign_mu_0",
    "gradient_x_sign_mu_0_5",
    "gradient_x_sign_mu_neg_0_5",
    "guided_backprop",
    "deconvnet",
    "grad_cam_timeseries",
    "lrp_z",
    "lrpsign_z",
    "w2lrp_z",
    "flatlrp_z",
    "lrp_epsilon_0_01",
    "lrp_epsilon_0_1",
    "lrp_epsilon_1",
    "lrpsign_epsilon_0_1",
    "w2lrp_epsilon_0_1",
    "flatlrp_epsilon_0_1",
    "lrpz_epsilon_0_1",
    "lrp_epsilon_0_1_std_x",
    "lrp_epsilon_0_25_std_x",
    "lrp_epsilon_0_5_std_x",
    "lrp_epsilon_1_std_x",
    "lrpsign_epsilon_0_25_std_x",
    "lrpsign_epsilon_0_5_std_x",
    "lrpsign_epsilon_0_25_std_x_mu_0_5",
    "lrpz_epsilon_0_5_std_x",
    "w2lrp_epsilon_0_5_std_x",
    "flatlrp_epsilon_0_5_std_x",
    "lrp_alpha_1_beta_0",
    "lrpsign_alpha_1_beta_0",
    "w2lrp_alpha_1_beta_0",
    "flatlrp_alpha_1_beta_0",
    "lrp_sequential_composite_a",
    "lrpsign_sequential_composite_a",
    "w2lrp_sequential_composite_a",
    "flatlrp_sequential_composite_a",
    "lrp_sequential_composite_b",
    "lrpsign_sequential_composite_b",
]

pytestmark = pytest.mark.filterwarnings("ignore::leadwise.attribution.MethodWarning")


class Case:
    """A published model, a preprocessed real record and the maps of the authors' software for them."""

    def __init__(self, reference, name):
        self.name = name
        folder, record = reference / "models" / name, RECORDS[name]
        self.model = convert_keras(folder / "model.json", folder / "weights.h5").eval()
        self.x = torch.tensor(np.load(reference / "ecg" / f"ptbxl_{record}_preprocessed.npy").T.copy())
        self.maps = np.load(reference / "maps" / f"{name}_{record}.npz")

    def correlation(self, method, key=None, **parameters):
        ours = attribute(self.model, self.x, method, **parameters).numpy().T
        return np.corrcoef(ours.ravel(), self.maps[key or method].ravel())[0, 1]


@pytest.fixture(scope="module", params=list(RECORDS))
def case(request, reference):
    return Case(reference, request.param)


def test_every_reference_map_is_tested(case):
    assert {*NAMES, "integrated_gradients", "logits"} == set(case.maps)


def test_logits(case):
    with torch.no_grad():
        np.testing.assert_allclose(case.model(case.x).numpy(), case.maps["logits"], atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_map(case, name):
    exact = not name.split("_")[0].endswith("lrp") and not name.startswith(("lrpsign", "lrpz"))
    assert case.correlation(name) >= (0.9999 if exact else 0.999)


def test_integrated_gradients_with_reselected_target_is_the_reference(case):
    assert case.correlation("integrated_gradients", reselect_target=True) >= 0.999


def test_integrated_gradients_of_the_paper_is_not(case):
    expected = {"AVB": -0.87, "LBBB": -0.53}
    assert case.correlation("integrated_gradients") == pytest.approx(expected[case.name], abs=0.02)


def test_amplitude_too(case):
    """Not only the shape: LRP, gradient and Grad-CAM agree in the unit of the logit, within max-pool near-ties."""
    for name in ("gradient_x_input", "lrp_epsilon_0_1", "lrpsign_epsilon_0_25_std_x", "grad_cam_timeseries"):
        ours = attribute(case.model, case.x, name).numpy().T
        assert np.linalg.norm(ours - case.maps[name]) <= 0.02 * np.linalg.norm(case.maps[name])


def test_guided_backprop_warns_on_elu(case):
    with pytest.warns(MethodWarning, match="no"):
        attribute(case.model, case.x, "guided_backprop")
