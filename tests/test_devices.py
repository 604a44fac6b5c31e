"""Which device is used, and that a GPU gives the CPU's answers; the comparison skips where there is no GPU."""

import numpy as np
import pytest
import torch

import leadwise
from leadwise.comparison import COMPARISON
from leadwise.inspection import maximise_activation, top_k
from leadwise.networks.ecg_net import ECGNet
from leadwise.training import calibrate, fit, initialise, logits

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch sees no CUDA device")


@pytest.fixture
def exact():
    """No TF32: a convolution on a GPU keeps 24 bits of its numbers instead of 11."""
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    yield
    torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before


@pytest.mark.parametrize(("gpus", "wanted", "chosen"), [(0, None, "cpu"), (1, None, "cuda"), (1, "cpu", "cpu")])
def test_the_gpu_is_chosen_where_there_is_one(gpus, wanted, chosen, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    if wanted:
        monkeypatch.setenv("LEADWISE_DEVICE", wanted)
    else:
        monkeypatch.delenv("LEADWISE_DEVICE", raising=False)
    assert leadwise.device() == torch.device(chosen)


@pytest.mark.parametrize("wanted", ["gpu", "cuda:x", "meta", "cpu:cuda"])
def test_what_is_no_device_is_refused(wanted, monkeypatch):
    monkeypatch.setenv("LEADWISE_DEVICE", wanted)
    with pytest.raises(ValueError, match=f"LEADWISE_DEVICE is '{wanted}'; expected \"cpu\""):
        leadwise.device()


@pytest.mark.parametrize(("gpus", "wanted"), [(0, "cuda"), (1, "cuda:1")])
def test_a_gpu_that_is_not_there_is_refused(gpus, wanted, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setenv("LEADWISE_DEVICE", wanted)
    with pytest.raises(ValueError, match=f"sees {gpus} CUDA devices"):
        leadwise.device()


@needs_gpu
@pytest.mark.filterwarnings("ignore::leadwise.attribution.MethodWarning")
@pytest.mark.parametrize("method", COMPARISON)
def test_a_gpu_gives_the_map_of_the_cpu(method, exact):
    x = leadwise.simulate_ecg("LBBB", seed=3).preprocess().window().tensor()
    model = leadwise.load_ecg_model("LBBB", "embedded")
    here = leadwise.attribute(model, x, method, target=1)
    there = leadwise.attribute(model.cuda(), x, method, target=1)
    assert there.device == model.probability(x).device == x.device
    assert np.corrcoef(here.flatten(), there.flatten())[0, 1] > 0.999


@needs_gpu
def test_training_follows_the_model_to_the_gpu(exact):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(64, 12, 2000)).astype(np.float32), np.arange(64) % 2
    x[y == 1, 0] += 1
    models = [initialise(ECGNet()), initialise(ECGNet()).cuda()]
    losses = [fit(model, x, y, (x, y), epochs=2)[0].validation_loss for model in models]
    assert losses[0] == pytest.approx(losses[1], rel=1e-2)
    assert next(models[1].parameters()).is_cuda
    assert logits(models[1], x).shape == (64, 2)
    assert calibrate(models[1], x, y) > 0


@needs_gpu
def test_pictures_are_synthesised_on_the_gpu(exact):
    net = leadwise.load_alexnet("embedded").cuda()
    made = maximise_activation(net, target=0, steps=4)
    assert made.activation[-1].mean() > made.activation[0].mean()
    assert made.images.device == made.strip.device == made.activation.device == torch.device("cpu")
    assert top_k(net, made.images[0])
