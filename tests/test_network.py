"""``Network``: one place that asks a module, as in evaluation, and leaves it as it was."""

import numpy as np
import pytest
import torch
from torch import nn

from leadwise import attribute
from leadwise.attribution import MethodWarning, NoRuleError, receipt
from leadwise.networks.network import Network
from networks import ReluECG, ecg_batch, seeded

CLASSES = nn.Sequential(nn.Flatten(), nn.Linear(6, 3))


def test_a_network_in_training_mode_answers_as_in_evaluation_and_stays_in_training():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv1d(12, 4, 3), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Flatten(), nn.Linear(248, 2))
    x = ecg_batch()
    expected = model.eval()(x)
    model.train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    torch.testing.assert_close(Network(model).logits(x), expected)
    assert all(module.training for module in model.modules())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_a_buffer_that_counts_calls_is_not_written():
    class Counting(nn.Module):
        def __init__(self):
            super().__init__()
            self.head = nn.Linear(4, 2)
            self.register_buffer("calls", torch.zeros(()))

        def forward(self, x):
            self.calls += 1
            self.seen = x.shape
            return self.head(x)

    model = Counting().train()
    Network(model).logits(torch.zeros(3, 4))
    assert model.calls == 0
    assert not hasattr(model, "seen")


def test_outputs_that_are_no_logits_say_how_to_name_them():
    class Two(nn.Module):
        def __init__(self, pack):
            super().__init__()
            self.head, self.pack = nn.Linear(4, 2), pack

        def forward(self, x):
            return self.pack(self.head(x))

    x = torch.ones(3, 4)
    with pytest.raises(ValueError, match=r"returns a tuple.*pick=lambda out: out\[0\]"):
        attribute(Two(lambda y: (y, None)), x, "gradient", 0)
    with pytest.raises(ValueError, match=r"returns a dict with 'logits'.*out\['logits'\]"):
        attribute(Two(lambda y: {"logits": y}), x, "gradient", 0)
    model = Two(lambda y: {"logits": y})
    found = attribute(Network(model, pick=lambda out: out["logits"]), x, "gradient", 0)
    torch.testing.assert_close(found, model.head.weight[:1].detach().expand(3, 4))


def test_wrong_descriptions_are_refused():
    with pytest.raises(ValueError, match=r"expected a torch\.nn\.Module"):
        Network("resnet")
    with pytest.raises(ValueError, match="outputs is 'softmax'"):
        Network(CLASSES, outputs="softmax")
    with pytest.raises(ValueError, match="classes names 2; the network has 3"):
        Network(CLASSES, classes=("a", "b")).logits(torch.zeros(1, 2, 3))


# --- What is explained ------------------------------------------------------------------------------------


def by_autograd(score, x):
    x = x.clone().requires_grad_()
    return torch.autograd.grad(score(x).sum(), x)[0]


def test_log_odds_of_exclusive_classes_of_labels_and_of_two_logits():
    torch.manual_seed(1)
    model, x = nn.Sequential(nn.Flatten(), nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3)), torch.randn(4, 2, 3)
    odds = by_autograd(lambda z: model(z)[:, 1] - model(z)[:, [0, 2]].logsumexp(1), x)
    found = attribute(Network(model, outputs="classes"), x, "gradient", 1, explain="log-odds")
    torch.testing.assert_close(found, odds)
    found = attribute(Network(model, outputs="labels"), x, "gradient", 1, explain="log-odds")
    torch.testing.assert_close(found, by_autograd(lambda z: model(z)[:, 1], x))
    with pytest.raises(ValueError, match="nothing says whether its classes exclude each other"):
        attribute(model, x, "gradient", 1, explain="log-odds")
    two = seeded(ReluECG)
    difference = by_autograd(lambda z: two(z)[:, 0] - two(z)[:, 1], ecg_batch())
    torch.testing.assert_close(attribute(two, ecg_batch(), "gradient", 0, explain="log-odds"), difference)


@pytest.mark.parametrize("method", ["lrp_z", "deeplift"])
def test_relevance_of_log_odds_sums_to_them(method):
    """Without biases and from zero, LRP's z-rule and DeepLIFT hand out all of a difference of two logits."""
    model, x = seeded(ReluECG, bias=False).double(), ecg_batch().double()
    logits = model(x).detach()
    found = attribute(model, x, method, 1, explain="log-odds")
    torch.testing.assert_close(found.sum((1, 2)), logits[:, 1] - logits[:, 0])


def test_a_softmax_in_the_network_says_that_its_classes_exclude_each_other():
    torch.manual_seed(2)
    body, x = nn.Sequential(nn.Flatten(), nn.Linear(6, 3)), torch.randn(2, 2, 3)
    with pytest.warns(MethodWarning, match="ends in a softmax; what is explained is the logit before it"):
        found = attribute(nn.Sequential(body, nn.Softmax(1)), x, "gradient", 0, explain="log-odds")
    odds = by_autograd(lambda z: body(z)[:, 0] - body(z)[:, 1:].logsumexp(1), x)
    torch.testing.assert_close(found, odds)


# --- Receipts ---------------------------------------------------------------------------------------------


def test_the_account_of_lrp_closes():
    """Explained = what reaches the input + what biases keep + what epsilon absorbs; no bias keeps nothing."""
    model, x = seeded(ReluECG).double(), ecg_batch().double()
    found = receipt(model, x, "lrp_epsilon", 1, epsilon=0.01)
    total = float(found.conserved.sum()) + found.bias + found.absorbed
    assert total == pytest.approx(float(found.explained.sum()), rel=1e-9)
    assert abs(found.bias) > 0
    exact = receipt(seeded(ReluECG, bias=False).double(), x, "lrp_z", 1)
    assert exact.bias == 0
    assert exact.absorbed == pytest.approx(0, abs=1e-9)
    assert "100.0 % reach the input" in exact.sentence


def test_of_a_score_of_0_nothing_has_a_share():
    """torchvision's vision transformers start with a head of zeros."""
    zero = nn.Sequential(nn.Flatten(), nn.Linear(6, 2))
    nn.init.zeros_(zero[1].weight)
    nn.init.zeros_(zero[1].bias)
    assert "the explained score is 0" in receipt(zero, torch.ones(1, 2, 3), "lrp_z", 1).sentence


class WritesIntoUnknown(nn.Module):
    """An operation without a rule, and then one that writes into what it gave."""

    def forward(self, x):
        y = torch.fft.fft(x).abs().cumprod(-1)
        y += 1
        return y[..., :2].mean(1)


def test_what_is_written_into_an_unknown_operations_result_is_refused_by_its_name():
    with pytest.raises(NoRuleError, match=r"has no rule for (fft|cumprod)"):
        attribute(WritesIntoUnknown(), torch.arange(12.0).sin().reshape(1, 2, 6), "lrp_z", 1)


def test_a_path_of_three_points_is_warned_of_with_its_error():
    torch.manual_seed(3)
    model = nn.Sequential(nn.Flatten(), nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 1)).double()
    x = 3 * torch.randn(1, 2, 3).double()
    with pytest.warns(MethodWarning, match=r"misses the change of the score by \d+ %"):
        found = attribute(model, x, "integrated_gradients", 0, steps=2)
    change = float((model(x) - model(0 * x)).detach())
    stated = receipt(model, x, "integrated_gradients", 0, steps=2).completeness
    assert stated == pytest.approx(abs(float(found.sum()) - change) / abs(change))
    assert receipt(model, x, "integrated_gradients", 0, steps=1000).completeness < 1e-4


def test_noise_is_called_noise():
    model, x = seeded(ReluECG), ecg_batch()
    with pytest.warns(MethodWarning, match="correlate .* only; it is mostly noise"):
        attribute(model, x, "rise", 0, samples=10, cell=2)
    assert receipt(model, x, "smoothgrad", 0, samples=100, noise=0.01).agreement > 0.9


def test_an_overflow_is_warned_of():
    model = nn.Sequential(nn.Flatten(), nn.Linear(2, 2, bias=False))
    model[1].weight.data.fill_(1e30)
    with pytest.warns(MethodWarning, match="not finite"):
        attribute(model, torch.full((1, 1, 2), 1e10), "gradient_x_input", 0, times="input")


# --- Places of class activation maps ----------------------------------------------------------------------


def test_maps_that_keep_the_leads_are_lead_wise():
    """A network over (N, 1, leads, T) that looks at lead 3 alone gives a map over lead 3 alone."""

    class OneLead(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.head = nn.Conv2d(1, 1, 1, bias=False), nn.Linear(1, 1, bias=False)
            self.conv.weight.data.fill_(1.0)
            self.head.weight.data.fill_(1.0)

        def forward(self, x):
            maps = torch.relu(self.conv(x[:, None]))
            return self.head((maps * self.mask(maps)).mean((2, 3)))

        def mask(self, maps):
            return torch.zeros(maps.shape[-2:]).index_fill(0, torch.tensor(3), 1.0)

    found = attribute(OneLead(), torch.rand(2, 12, 40) + 0.5, "hirescam", 0)
    assert (found[:, 3] > 0).all()
    assert not found[:, [0, 1, 2, 4, 11]].any()


@pytest.mark.filterwarnings("ignore::leadwise.attribution.MethodWarning")
def test_a_channel_last_input_gets_its_map_along_time():
    class Last(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = seeded(ReluECG)

        def forward(self, x):
            return self.body(x.transpose(1, 2))

    x, model = ecg_batch(), Last()
    expected = attribute(model.body, x, "hirescam", 1)
    torch.testing.assert_close(attribute(model, x.transpose(1, 2), "hirescam", 1).transpose(1, 2), expected)


def test_tokens_have_no_class_activation_map():
    model = nn.Sequential(nn.Flatten(2), nn.Linear(64, 8), nn.ReLU(), nn.Flatten(), nn.Linear(96, 2))
    with pytest.raises(ValueError, match="not known to be channels and then places"):
        attribute(model, ecg_batch(), "grad_cam", 0)


def test_recurrent_layers_are_explained_with_a_word():
    class Recurrent(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn, self.head = nn.LSTM(12, 5, batch_first=True), nn.Linear(5, 2)

        def forward(self, x):
            return self.head(self.rnn(x.transpose(1, 2))[0][:, -1])

    with pytest.warns(MethodWarning, match=r"recurrent layer \(lstm\).*% of the score reach the input"):
        attribute(seeded(Recurrent), ecg_batch(), "lrp_epsilon", 0)


def test_what_is_unknown_is_named_with_its_module():
    class Odd(nn.Module):
        def forward(self, x):
            return torch.cumprod(x, -1)

    model = nn.Sequential(nn.Conv1d(12, 4, 3), Odd(), nn.Flatten(), nn.Linear(248, 2))
    with pytest.raises(NoRuleError, match=r"LRP has no rule for cumprod \(in '1', a Odd\)"):
        attribute(model, ecg_batch(), "lrp_epsilon", 0)


@pytest.mark.parametrize(
    ("x", "target", "message"),
    [
        (np.array([{}, {}], dtype=object), 0, "expected a dense tensor or array of real numbers"),
        (torch.ones(1, 2, 3).to_sparse(), 0, "sparse_coo tensor"),
        (torch.ones(1, 2, 3, dtype=torch.complex64), 0, "complex64; expected a dense tensor or array of real numbers"),
        (torch.ones(1, 2, 3), "1", "target is '1'; expected whole numbers"),
        (torch.ones(1, 2, 3), [0, "a"], "expected whole numbers"),
        (torch.ones(1, 2, 3), 3, "classes 0 to 2"),
    ],
)
@pytest.mark.parametrize("method", ["gradient", "lrp_epsilon", "kernel_shap"])
def test_what_is_no_input_and_no_class_is_said(x, target, message, method):
    with pytest.raises(ValueError) as error:  # noqa: PT011  the message is checked below, without regex escapes
        attribute(CLASSES, x, method, target)
    assert message in str(error.value)


class Quotient(nn.Module):
    """f = 1000 (a - b), where a and b are nearly the same: parts that cancel."""

    def forward(self, x):
        mean = x.mean((1, 2))
        return (1000 * (x[:, 0, 0] - x[:, 0, 1]) + mean)[:, None]


def test_a_complete_map_whose_parts_cancel_is_warned_of_and_says_by_how_much():
    x = torch.ones(1, 2, 3)
    with pytest.warns(MethodWarning, match="parts are 2001 times as large"):
        attribute(Quotient(), x, "integrated_gradients", 0, steps=10)
    found = receipt(Quotient(), x, "deeplift", 0)
    assert found.cancelling == pytest.approx(2001, abs=1)
    assert "times as large that cancel" in found.sentence
    assert receipt(Quotient(), x, "gradient", 0).cancelling is None
