"""Sanity checks: what passes, what fails, and that the caller's network is left alone."""

import copy

import numpy as np
import pytest
import scipy.stats
import torch

from leadwise import load_alexnet, simulate_ecg
from leadwise.attribution import attribute
from leadwise.evaluation import (
    RANDOMISERS,
    EvaluationWarning,
    efficient_randomisation,
    histogram_entropy,
    label_randomisation,
    similarity,
    train_on_random_labels,
    weight_randomisation,
    weighted_layers,
)
from leadwise.images.scenes import make_scene
from leadwise.networks.alexnet import preprocess
from networks import ImageNet, ReluECG, ecg_batch, image_batch, linear_ecg, seeded

QUIET = {"progress": False}

pytestmark = pytest.mark.usefixtures("one_thread")


# --- Similarity -------------------------------------------------------------------------------------------


def test_similarity_is_scipys():
    rng = np.random.default_rng(0)
    a, b = rng.integers(-9, 9, (3, 12, 30)), rng.integers(-9, 9, (3, 12, 30))
    for i in range(3):
        one, other = a[i].ravel(), b[i].ravel()
        assert similarity(a, b)[i] == pytest.approx(scipy.stats.spearmanr(one, other).statistic)
        assert similarity(a, b, "pearson")[i] == pytest.approx(np.corrcoef(one, other)[0, 1])
        expected = scipy.stats.spearmanr(abs(one), abs(other)).statistic
        assert similarity(a, b, "spearman, absolute")[i] == pytest.approx(expected)


def test_a_constant_map_has_no_similarity():
    a = np.random.default_rng(0).random((2, 12, 5))
    b = a.copy()
    b[1] = 3
    with pytest.warns(EvaluationWarning, match=r"1 of 2 samples: a map is constant"):
        assert similarity(a, b) == pytest.approx([1, np.nan], nan_ok=True)
    with pytest.raises(ValueError, match="expected the same"):
        similarity(a, a[:1])
    with pytest.raises(ValueError, match="expected one of"):
        similarity(a, a, "ssim")


# --- Weights ----------------------------------------------------------------------------------------------


def test_layers_are_randomised_from_the_output_down():
    assert weighted_layers(seeded(ReluECG)) == ("dense", "conv2", "conv1")
    assert weighted_layers(load_alexnet("embedded", verbose=False))[:2] == ("classifier.6", "classifier.4")


@pytest.mark.parametrize("how", RANDOMISERS)
@pytest.mark.parametrize("cascading", [True, False])
def test_the_callers_network_stays_as_it_is(how, cascading):
    for model, x in ((seeded(ReluECG), ecg_batch(2)), (seeded(ImageNet).train(), image_batch(2))):
        before, training = {k: v.clone() for k, v in model.state_dict().items()}, model.training
        found = weight_randomisation(model, x, "gradient_x_input", 1, how=how, cascading=cascading, **QUIET)
        assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())
        assert model.training == training
        assert found.signed.shape == found.absolute.shape == (len(weighted_layers(model)), 2)


def test_resampled_weights_keep_their_size_and_reset_ones_have_pytorchs():
    layer = seeded(lambda: torch.nn.Linear(300, 200))
    with torch.no_grad():
        layer.weight.mul_(7).add_(1)
        size = layer.weight.square().mean().sqrt()
        RANDOMISERS["resample"](layer, torch.Generator().manual_seed(0))
        assert layer.weight.square().mean().sqrt() == pytest.approx(float(size), rel=0.02)
        assert abs(float(layer.weight.mean())) < 0.05 * size
        RANDOMISERS["reset"](layer, torch.Generator().manual_seed(0))
    assert layer.weight.abs().max() <= 1 / 300**0.5  # uniform in +-1 / sqrt(inputs), torch.nn.Linear's documentation
    assert layer.weight.abs().max() > 0.99 / 300**0.5


def test_stages_by_hand():
    """Cascading keeps what is random; alone, every other layer is the trained one. Compared with attribute itself."""
    model, x = seeded(ReluECG), ecg_batch(2)
    trained = attribute(model, x, "gradient_x_input", 0)
    for cascading in (True, False):
        found = weight_randomisation(
            model,
            x,
            "gradient_x_input",
            0,
            cascading=cascading,
            how="reset",
            seed=4,
            layers=("dense", "conv1"),
            **QUIET,
        )
        copy, generator = seeded(ReluECG), torch.Generator().manual_seed(4)
        for stage, name in enumerate(("dense", "conv1")):
            with torch.no_grad():
                RANDOMISERS["reset"](copy.get_submodule(name), generator)
                if not cascading and name == "conv1":
                    copy.dense.load_state_dict(model.dense.state_dict())
            expected = similarity(trained, attribute(copy, x, "gradient_x_input", 0))
            np.testing.assert_allclose(found.signed[stage], expected)


def test_a_map_that_ignores_the_network_scores_zero():
    """The control "random" draws the same noise whatever the network: it can't forget."""
    found = weight_randomisation(seeded(ReluECG), ecg_batch(2), "random", 1, seed=3, **QUIET)
    assert found.sanity_score == pytest.approx(0)
    assert found.signed == pytest.approx(np.ones((3, 2)))


def test_published_verdicts_on_alexnet():
    """Guided backpropagation and z+ hardly notice that the network has forgotten; the gradient and LRP-epsilon do.

    Adebayo et al. 2018, arXiv:1810.03292, and Sixt et al. 2020, arXiv:1912.09818.
    """
    scenes = [make_scene(4_300_000 + i) for i in range(2)]
    x, classes = (
        torch.stack([preprocess(scene.image) for scene in scenes]),
        torch.tensor([scene.objects[0].index for scene in scenes]),
    )
    model, score, last = load_alexnet("embedded", verbose=False), {}, {}
    for method in ("gradient", "lrp_epsilon", "guided_backprop", "lrp_zplus"):
        found = weight_randomisation(model, x, method, classes, layers=weighted_layers(model)[:6], **QUIET)
        score[method], last[method] = found.sanity_score, np.abs(found.signed[2:]).mean()
    assert min(score["gradient"], score["lrp_epsilon"]) > max(score["guided_backprop"], score["lrp_zplus"]) + 0.2
    assert max(last["gradient"], last["lrp_epsilon"]) < 0.3
    assert last["guided_backprop"] > 0.6


def test_progress_and_errors():
    told = []
    weight_randomisation(seeded(ReluECG), ecg_batch(1), "gradient", 0, progress=lambda *n: told.append(n))
    assert told == [(1, 3), (2, 3), (3, 3)]
    for options, message in (
        ({"layers": ("pool",)}, "which have weights"),
        ({"how": "zero"}, "expected one of"),
        ({"epsilon": 1}, "no parameter 'epsilon'"),
    ):
        with pytest.raises(ValueError, match=message):
            weight_randomisation(seeded(ReluECG), ecg_batch(1), "gradient", 0, **options)
    with pytest.raises(ValueError, match=r"x\[None\]"):
        weight_randomisation(seeded(ReluECG), ecg_batch(1)[0], "gradient", 0)


# --- Labels -----------------------------------------------------------------------------------------------


def test_label_randomisation_compares_two_networks():
    one, other, x = seeded(ReluECG), seeded(ReluECG, seed=9), ecg_batch(3)
    same = label_randomisation(one, one, x, "gradient", 1)
    assert same.signed == pytest.approx(np.ones(3))
    assert same.sanity_score == pytest.approx(0)
    found = label_randomisation(one, other, x, "gradient", 1)
    np.testing.assert_allclose(
        found.signed, similarity(attribute(one, x, "gradient", 1), attribute(other, x, "gradient", 1))
    )


def test_a_network_learns_random_labels_by_heart():
    """Patients dealt two labels at random: it knows them all after a while (Zhang et al. 2017, arXiv:1611.03530)."""
    x = np.stack([simulate_ecg("NORM", seed=3_000_300 + i).signal[:, :2000] for i in range(4)])
    model, accuracy = train_on_random_labels(x, np.arange(4) % 2, epochs=4, samples=128, seed=1)
    assert accuracy >= 0.95
    assert not model.training


# --- Sanity checks revisited ------------------------------------------------------------------------------


def test_histogram_entropy_by_hand():
    """Two values, a quarter and three quarters of the samples."""
    maps = np.zeros((2, 12, 8))
    maps[1, :3] = 1
    np.testing.assert_allclose(histogram_entropy(maps), [0, -(0.25 * np.log(0.25) + 0.75 * np.log(0.75))])


def test_the_rise_in_complexity_is_that_between_two_networks():
    model, x = seeded(ReluECG), ecg_batch(3)
    random = copy.deepcopy(model)
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name in weighted_layers(model):
            RANDOMISERS["resample"](random.get_submodule(name), generator)
    before, after = (histogram_entropy(attribute(one, x, "gradient_x_input", 1)) for one in (model, random))
    found = efficient_randomisation(model, x, "gradient_x_input", 1, seed=5)
    np.testing.assert_allclose(found, (after - before) / before)


def test_what_asks_no_network_does_not_rise():
    assert (efficient_randomisation(seeded(ReluECG), ecg_batch(3), "square", 1) == 0).all()
    with pytest.warns(EvaluationWarning, match="one value"):
        assert np.isnan(efficient_randomisation(seeded(ReluECG), torch.zeros(1, 12, 64), "square", 1)).all()


def test_smooth_maps_are_means_over_noise_and_noise_of_none_changes_nothing():
    model, x = seeded(ReluECG), ecg_batch(2)
    plain = weight_randomisation(model, x, "gradient_x_input", 1, **QUIET)
    still = weight_randomisation(model, x, "gradient_x_input", 1, smooth=3, noise=0.0, **QUIET)
    np.testing.assert_allclose(still.signed, plain.signed, atol=1e-3)
    assert not np.allclose(weight_randomisation(model, x, "gradient", 1, smooth=4, **QUIET).signed, plain.signed)
    with pytest.raises(ValueError, match="smooth is -1"):
        weight_randomisation(model, x, "gradient", 1, smooth=-1, **QUIET)


def test_a_network_that_is_linear_has_the_same_smooth_gradient():
    model, x = seeded(lambda: linear_ecg(64)), ecg_batch(2)
    rough, smooth = (weight_randomisation(model, x, "gradient", 1, smooth=count, **QUIET) for count in (0, 5))
    np.testing.assert_allclose(smooth.signed, rough.signed, atol=1e-6)
