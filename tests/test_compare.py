"""python -m leadwise compare: the school's comparison, headless."""

import numpy as np
import pytest
import wfdb

from leadwise import simulate_ecg
from leadwise.__main__ import main
from leadwise.attribution.names import resolve
from leadwise.comparison import COMPARISON


@pytest.fixture
def record(tmp_path, data_dir):
    ecg = simulate_ecg("LBBB", seed=3)
    signal = np.round(ecg.signal.T.astype(float), 3)
    scale = {"units": ["mV"] * 12, "fmt": ["16"] * 12, "adc_gain": [1000] * 12, "baseline": [0] * 12}
    wfdb.wrsamp("mine", fs=500, sig_name=list(ecg.leads), p_signal=signal, write_dir=str(tmp_path), **scale)
    return tmp_path / "mine"


def test_one_figure_per_method_and_a_grid(record, tmp_path, capsys):
    methods = ["gradient_x_input", "lrpsign_epsilon_0_25_std_x", "lrp_alpha_1_beta_0"]
    out = tmp_path / "plots"
    assert main(["compare", "--model", "LBBB", "--record", str(record), "--out", str(out), "--methods", *methods]) == 0
    assert "8 figures in" in capsys.readouterr().out
    names = sorted(path.name for path in (out / "LBBB_mine").iterdir())
    assert names == sorted(f"{name}.{kind}" for name in [*methods, "grid"] for kind in ("png", "svg"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"--model": "LAFB"}, "no ECG model 'LAFB'"),
        ({"--record": "nowhere/record"}, "nowhere"),
        ({"--methods": "lrp_epsilom"}, "did you mean"),
        ({"--start": "7"}, "does not fit"),
        ({"--target": "2"}, "expected one of 'no finding', 'LBBB' or its index"),
    ],
)
def test_wrong_arguments_end_with_one_line(record, tmp_path, capsys, change, message):
    arguments = {"--model": "LBBB", "--record": str(record), "--out": str(tmp_path / "plots"), "--methods": "gradient"}
    arguments |= change
    assert main(["compare", *[word for pair in arguments.items() for word in pair]]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "plots").exists()


def test_the_schools_methods_are_among_the_default_ones():
    assert {"gradient", "gradient_x_input", "gradient_x_sign", "grad_cam"} <= set(COMPARISON)
    assert all(resolve(name) for name in COMPARISON)
