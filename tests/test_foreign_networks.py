"""Every network of the zoo x every method: right, or refused by name; and the network stays as it was."""

import re
import signal
import threading
import warnings
from copy import deepcopy
from functools import cache
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

import outside
import unusual
import zoo
from leadwise import METHODS, attribute
from leadwise.attribution import MethodWarning
from zoo import LRP, ZOO

pytestmark = [
    pytest.mark.filterwarnings("ignore::leadwise.attribution.MethodWarning"),
    pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad"),  # of a checkpoint, asked for logits
    pytest.mark.usefixtures("one_thread"),
]

QUICK = {
    "smoothgrad": {"samples": 3, "noise": 0.0},
    "smoothgrad_x_input": {"samples": 3, "noise": 0.0},
    "smoothgrad_x_sign": {"samples": 3, "noise": 0.0},
    "vargrad": {"samples": 4},
    "integrated_gradients": {"steps": 20},
    "expected_gradients": {"samples": 6},
    "occlusion": {"window": 50, "stride": 50},
    "kernel_shap": {"samples": 120, "segment": 100},
    "lime": {"samples": 40, "segment": 100},
    "rise": {"samples": 20, "cell": 50},
    "lrp_epsilon": {"epsilon": 1e-9},
}


SMALL = {"segment": 10, "cell": 10, "window": 50, "stride": 50}  # for images of 20 x 40 pixels


def explain(model, x, method, target, **parameters):
    options = {**QUICK.get(method, {}), **parameters}
    if x.shape[-3:-2] == (3,):
        options |= {key: SMALL[key] for key in options.keys() & SMALL.keys()}
    return attribute(model, x, method, target, progress=False, **options)


# --- What is right -----------------------------------------------------------------------------------------


@cache
def facts(name: str, bias: bool = True) -> SimpleNamespace:
    """What is known of a network of the zoo from outside, in float64."""
    model = zoo.build(name, bias).double()
    x = zoo.ecgs(name).double()
    logits = zoo.logits_of(name, model)
    with torch.no_grad():
        here, nothing = logits(x), logits(torch.zeros_like(x))
    target = (here - nothing).abs().argmax(1)
    value, zero = here.gather(1, target[:, None])[:, 0], nothing.gather(1, target[:, None])[:, 0]
    return SimpleNamespace(
        name=name, model=model, x=x, logits=logits, target=target, value=value, difference=value - zero
    )


def attempt(*arguments, **parameters):
    """Return the map and None, or None and the words of the refusal; any other exception goes through."""
    try:
        return explain(*arguments, **parameters), None
    except ValueError as refusal:
        return None, str(refusal)


def close(found, expected, tolerance):
    difference, scale = float((found - expected).abs().max()), float(expected.abs().max())
    assert difference <= tolerance * max(scale, 1e-12)


def same_direction(found, expected):
    """Correlation at least 0.9999, norm within 1e-3."""
    pair = torch.stack([found.flatten(), expected.flatten()])
    assert float(torch.corrcoef(pair)[0, 1]) >= 0.9999
    assert float(found.norm() / expected.norm()) == pytest.approx(1, abs=1e-3)


def complete(found, difference, tolerance=1e-3):
    sums = found.flatten(1).sum(1)
    torch.testing.assert_close(sums, difference, rtol=tolerance, atol=1e-9)


def gradients(known, found, method):
    expected = outside.gradient(known.logits, known.x, known.target)
    times = METHODS[method].times
    expected = expected * known.x if times == "input" else expected
    expected = expected * torch.where(known.x >= 0, 1.0, -1.0) if times == "sign" else expected
    close(found, expected, 1e-5)


def rectified(known, found, method):
    if not ZOO[known.name].unseen:
        close(found, getattr(outside, method)(known.logits, known.x, known.target), 1e-5)


def enlarged(known, cam):
    """Put a map's ends on the ends of time; channels last have time in the middle."""
    if known.x.ndim == 4:
        return F.interpolate(cam[:, None], size=known.x.shape[2:], mode="bilinear").expand_as(known.x)
    wide = F.interpolate(cam[:, None], size=zoo.SAMPLES, mode="linear", align_corners=True)
    return (wide.transpose(1, 2) if known.x.shape[1] == zoo.SAMPLES else wide).expand_as(known.x)


def class_activation(known, found, method):
    if ZOO[known.name].unseen:
        return
    maps = outside.cams(known.logits, known.x, known.target, ZOO[known.name].tokens)
    assert maps is not None, "this network has no activation with places: a map of it means nothing"
    if method == "guided_grad_cam":
        guided = outside.guided_backprop(known.logits, known.x, known.target)
        close(found, enlarged(known, maps["grad_cam"]) * guided, 1e-5)
    else:
        close(found, enlarged(known, maps[method]), 1e-5)


def occluded(known, found, method):
    x = known.x.clone()
    hidden = (slice(None), slice(None) if x.ndim == 4 else slice(2, 3), *[slice(0, 50)] * (x.ndim - 2))
    x[hidden] = 0
    with torch.no_grad():
        fall = known.value - outside.explained(known.logits, x, known.target)
    there = found[hidden].flatten(1)
    torch.testing.assert_close(there, fall[:, None].expand_as(there), rtol=1e-6, atol=1e-9)


def path(known, found, method):
    """Complete with enough steps; the bends of activations along the path leave about 1 / steps^2 of the logit."""
    found = explain(known.model, known.x, method, known.target, steps=400)
    torch.testing.assert_close(found.flatten(1).sum(1), known.difference, rtol=1e-3, atol=1e-4)


def rescaled(known, found, method):
    """Complete; and where only activations are not linear, the map itself is determined."""
    complete(found, known.difference, 1e-4)
    chosen = words_of(known.name) & {"max_pool1d", "maxpool1d", "topk", "clamp", "where"}
    if not ZOO[known.name].may_refuse and not chosen:
        close(found, outside.deeplift(known.logits, known.x, known.target), 1e-5)


def shapley_background(known, found, method):
    background = torch.roll(known.x, 1, 0) * 0.5
    found = explain(known.model, known.x, "deepshap", known.target, background=background)
    with torch.no_grad():
        other = torch.stack([outside.explained(known.logits, background, t.expand(2)).mean() for t in known.target])
    complete(found, known.value - other)


def lrp_zero(known, found, method):
    if not words_of(known.name) & {"lstm", "gru"}:  # what a recurrent cell hands back is a matter of its rule
        same_direction(found, outside.lrp0(known.logits, known.x, known.target))
    bare = facts(known.name, bias=False)
    complete(explain(bare.model, bare.x, method, bare.target), bare.value)


def noise(known, found, method):
    assert 0.9 < float(found.std()) < 1.1


CHECKS = {
    **dict.fromkeys(("gradient", "gradient_x_input", "gradient_x_sign"), gradients),
    **dict.fromkeys(("smoothgrad", "smoothgrad_x_input", "smoothgrad_x_sign"), gradients),
    "integrated_gradients": path,
    "kernel_shap": lambda known, found, _: complete(found, known.difference),
    "deeplift": rescaled,
    "deepshap": shapley_background,
    **dict.fromkeys(("guided_backprop", "deconvnet"), rectified),
    **dict.fromkeys(("grad_cam", "grad_cam_pp", "hirescam", "guided_grad_cam"), class_activation),
    "occlusion": occluded,
    "random": noise,
    **dict.fromkeys(("lrp_z", "lrp_epsilon"), lrp_zero),
}


# --- What a refusal says -----------------------------------------------------------------------------------


class _Heard(TorchFunctionMode):
    def __init__(self):
        super().__init__()
        self.names = set()

    def __torch_function__(self, func, types, args=(), kwargs=None):
        self.names.add(getattr(func, "__name__", "").strip("_"))
        return func(*args, **(kwargs or {}))


@cache
def words_of(name: str) -> frozenset[str]:
    """Names of the operations and modules that run in a network."""
    known = facts(name)
    with _Heard() as heard:
        known.model(known.x)
    modules = {type(module).__name__ for module in known.model.modules()} | set(dict(known.model.named_modules()))
    return frozenset(word.lower() for word in heard.names | modules | {"frugalswish"} if len(word) > 2)


def check_refusal(name: str, method: str, refusal: str) -> None:
    assert allowed(name, method), f"refused: {refusal}"
    words = words_of(name) | ({"activation", "convolution", "places"} if method in zoo.CAM else set())
    assert any(re.search(rf"\b{re.escape(word)}\b", refusal.lower()) for word in words), refusal


# --- What a network is -------------------------------------------------------------------------------------


def bits(value: torch.Tensor) -> bytes:
    """Return a tensor's bytes, of any type and size."""
    return value.detach().reshape(-1).view(torch.uint8).numpy().tobytes()


def state(model: nn.Module) -> tuple:
    """All that a method might change in a network or around it. Tensors count with their version: set and set back."""
    hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    modules = [
        (
            id(module), type(module), module.training, getattr(module, "inplace", None), sorted(vars(module)),
            [len(getattr(module, kind)) for kind in hooks], list(module._modules),
        )
        for module in model.modules()
    ]  # fmt: skip
    tensors = [
        (key, id(value), value._version, value.requires_grad, value.grad is None, bits(value))
        for key, value in [*model.named_parameters(), *model.named_buffers()]
    ]
    around = (torch.is_grad_enabled(), torch._C._len_torch_function_stack(), torch.get_rng_state().numpy().tobytes())
    return modules, tensors, around


@pytest.fixture
def untouched():
    """Return a function that watches a network; at the end of the test all of them must be as they were."""
    watched = []

    def watch(model):
        watched.append((model, state(model)))
        return model

    yield watch
    for model, before in watched:
        for part, now in zip(before, state(model), strict=True):
            assert now == part


# --- The matrix --------------------------------------------------------------------------------------------


ESSENTIAL = {
    *("gradient", "integrated_gradients", "deeplift", "deepshap", "guided_backprop", "grad_cam", "occlusion", "rise"),
    *("lrp_z", "lrp_epsilon", "lrp_epsilon_std_x", "lrp_gamma", "lrp_zbox", "lrp_epsilon_plus_flat"),
}
PAIRS = [(name, method) for name in ZOO for method in METHODS if name not in unusual.UNUSUAL or method in ESSENTIAL]


def allowed(name: str, method: str) -> bool:
    return bool({method, METHODS[method].family} & set(ZOO[name].may_refuse))


@pytest.mark.parametrize(("name", "method"), PAIRS)
def test_right_or_refused(name, method, untouched):
    known = facts(name)
    untouched(known.model)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", MethodWarning)
        found, refusal = attempt(known.model, known.x, method, known.target)
    if refusal is not None:
        check_refusal(name, method, refusal)
        return
    stated = [str(one.message) for one in said if issubclass(one.category, MethodWarning)]
    if allowed(name, method) and any(re.search(r"\d", text) for text in stated):
        return  # right within a stated error
    assert found.shape == known.x.shape
    assert found.dtype == known.x.dtype
    assert torch.isfinite(found).all()
    if method in CHECKS:
        CHECKS[method](known, found, method)
    alone = [explain(known.model, known.x[i : i + 1], method, known.target[i]) for i in range(len(known.x))]
    close(torch.cat(alone) if method != "random" else found, found, 1e-6)


@pytest.mark.parametrize(
    "method", ["lrp_z", "lrp_epsilon_plus", "lrp_gamma", "deeplift", "guided_backprop", "grad_cam"]
)
@pytest.mark.parametrize("name", ZOO)
def test_single_precision_is_as_right(name, method, untouched):
    known = facts(name)
    single = untouched(zoo.build(name))
    exact, refusal = attempt(known.model, known.x, method, known.target)
    found, also = attempt(single, known.x.float(), method, known.target)
    assert (refusal is None) == (also is None)
    if refusal is not None:
        return
    assert found.dtype == torch.float32
    if exact.abs().max() > 0:
        assert float(torch.corrcoef(torch.stack([found.double().flatten(), exact.flatten()]))[0, 1]) > 0.999


# --- Ways out ----------------------------------------------------------------------------------------------

EXITS = ("gradient", "lrp_epsilon", "lrp_epsilon_plus", "guided_backprop", "deeplift", "grad_cam",
         "integrated_gradients", "occlusion", "kernel_shap", "rise")  # fmt: skip


class Stops(nn.Module):
    """A ResNet in training mode whose forward raises at its ``at``-th call, behind half of its operations."""

    def __init__(self, error, at):
        super().__init__()
        self.net, self.error, self.at, self.calls = zoo.build("ResNet, shared in-place ReLU"), error, at, []

    def forward(self, x):
        x = self.net.blocks(self.net.stem(x))
        self.calls.append(len(x))
        if len(self.calls) == self.at:
            raise self.error("stop")
        return self.net.head(self.net.pool(x))


@pytest.mark.parametrize("at", [1, 2])
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("method", EXITS)
def test_an_exception_inside_forward_leaves_nothing_behind(method, error, at, untouched):
    model = untouched(Stops(error, at).train())
    raised = None
    try:
        explain(model, zoo.ecgs("ResNet, shared in-place ReLU"), method, 1)
    except (error, ValueError) as stopped:  # the first call may be the question what form the input has
        raised = stopped
    assert raised is None or "stop" in str(raised)
    assert raised is None or error is RuntimeError or isinstance(raised, KeyboardInterrupt)
    assert (raised is not None) == (len(model.calls) >= at)


@pytest.mark.parametrize("method", [method for method in EXITS if METHODS[method].family != "perturbation"])
def test_an_interrupt_inside_backward_leaves_nothing_behind(method, untouched, monkeypatch):
    model, x = untouched(zoo.build("ResNet, shared in-place ReLU").train()), zoo.ecgs("F.relu")
    expected = explain(model, x, method, 1)

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(torch.autograd, "grad", interrupt)
        patched.setattr(torch.autograd, "backward", interrupt)
        with pytest.raises(KeyboardInterrupt):
            explain(model, x, method, 1)
    torch.testing.assert_close(explain(model, x, method, 1), expected)


@pytest.mark.parametrize(
    "name", ["LSTM, attention", "function of autograd", "InceptionTime", "batch norm in odd places"]
)
def test_a_refusal_leaves_nothing_behind(name, untouched):
    """By an option that no network takes, and by whatever the network holds."""
    model, x = untouched(zoo.build(name).train()), zoo.ecgs(name)
    for method, parameters in (("lrp_epsilon", {"target": 99}), ("grad_cam", {"layer": "no such layer"})):
        with pytest.raises(ValueError, match=r"\w"):
            attribute(model, x, method, progress=False, **parameters)
    with pytest.raises(ValueError, match=r"NaN|finite"):
        attribute(model, x * torch.nan, "lrp_epsilon", progress=False)


# --- Circumstances -----------------------------------------------------------------------------------------

SOME = (
    "gradient",
    "integrated_gradients",
    "guided_backprop",
    "deeplift",
    "grad_cam",
    "occlusion",
    "lrp_epsilon",
    "lrp_gamma",
)


@pytest.mark.parametrize("method", SOME)
@pytest.mark.parametrize(
    "name", ["F.relu", "dense only", "ResNet, shared in-place ReLU", "otherwise in training", "spectral norm"]
)
def test_in_training_mode_it_is_explained_as_in_evaluation(name, method, untouched):
    """Dropout (module and function) and batch statistics are a matter of training."""
    if name == "dense only" and method == "grad_cam":
        pytest.skip("no places")
    model, x = zoo.build(name), zoo.ecgs(name)
    expected = explain(model, x, method, 2)
    untouched(model.train())
    torch.testing.assert_close(explain(model, x, method, 2), expected, rtol=1e-5, atol=1e-7)
    mixed = zoo.build(name)
    next(module for module in mixed.modules() if not list(module.children())).train()
    torch.testing.assert_close(explain(untouched(mixed), x, method, 2), expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("method", SOME)
def test_frozen_and_used_parameters(method, untouched):
    """Weights that want no gradient, and weights that hold one already."""
    name = "pre-activation ResNet"
    model, x = zoo.build(name), zoo.ecgs(name)
    expected = explain(model, x, method, 1)
    frozen = untouched(zoo.build(name).requires_grad_(False))
    torch.testing.assert_close(explain(frozen, x, method, 1), expected)
    used = zoo.build(name)
    used(x).sum().backward()
    held = [weight.grad.clone() for weight in used.parameters()]
    torch.testing.assert_close(explain(untouched(used), x, method, 1), expected)
    assert all(torch.equal(weight.grad, grad) for weight, grad in zip(used.parameters(), held, strict=True))


@pytest.mark.parametrize("method", SOME)
def test_four_threads_beside_plain_forward_passes(method, untouched):
    name = "ResNet, shared in-place ReLU"
    model, x = untouched(zoo.build(name)), zoo.ecgs(name, 4)
    serial = [explain(model, one, method, 1) for one in x.split(1)]
    with torch.no_grad():
        plain = model(x)
    found, errors, stop = [[] for _ in range(4)], [], threading.Event()

    def safely(work):
        def run(*arguments):
            try:
                work(*arguments)
            except BaseException as error:
                errors.append(error)

        return run

    @safely
    def explaining(i):
        for _ in range(4):
            found[i].append(explain(model, x[i : i + 1], method, 1))

    @safely
    @torch.no_grad()
    def passing():
        while not stop.is_set():
            assert torch.equal(model(x), plain)

    workers = [threading.Thread(target=explaining, args=(i,), daemon=True) for i in range(4)]
    beside = threading.Thread(target=passing, daemon=True)
    for thread in (*workers, beside):
        thread.start()
    for thread in workers:
        thread.join(60)
    stop.set()
    beside.join()
    assert not errors
    assert not any(thread.is_alive() for thread in workers)
    for maps, expected in zip(found, serial, strict=True):
        assert len(maps) == 4
        for one in maps:
            torch.testing.assert_close(one, expected)


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
def test_where_gradients_are_off(context):
    name = "ResNet, x.mean(-1)"
    model, x = zoo.build(name), zoo.ecgs(name)
    for method in ("gradient", "lrp_epsilon", "deeplift"):
        expected = explain(model, x, method, 1)
        with context():
            torch.testing.assert_close(explain(model, zoo.ecgs(name), method, 1), expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("method", ["gradient", "integrated_gradients", "lrp_epsilon"])
def test_half_precision_is_kept(method, dtype, untouched):
    model, x = zoo.build("F.relu"), zoo.ecgs("F.relu")
    parameters = {"epsilon": 0.1} if method == "lrp_epsilon" else {}
    expected = explain(model, x, method, 1, **parameters)
    found = explain(untouched(deepcopy(model).to(dtype)), x.to(dtype), method, 1, **parameters)
    assert found.dtype == dtype
    assert float(torch.corrcoef(torch.stack([found.float().flatten(), expected.flatten()]))[0, 1]) > 0.98


# --- Wrappers ----------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")  # asked for by the compiler itself
@pytest.mark.parametrize("method", SOME)
def test_a_compiled_network_is_the_network(method):
    name = "ResNet, shared in-place ReLU"
    model, x = zoo.build(name), zoo.ecgs(name)
    expected = explain(model, x, method, 1)
    compiled = torch.compile(model, backend="eager")
    torch.testing.assert_close(explain(compiled, x, method, 1), expected, rtol=1e-4, atol=1e-6)


@cache
def packed(how) -> tuple[nn.Module, nn.Module]:
    """Return a network and the same, packed."""
    model = zoo.build("LeakyReLU")
    return model, how(model, zoo.ecgs("LeakyReLU"))


def scripted(model, x):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.jit.script(model)


def traced(model, x):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.jit.trace(model, x)


def exported(model, x):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        batch = {0: torch.export.Dim("batch", min=1, max=4096)}  # else the export takes this batch size only
        return torch.export.export(model, (x,), dynamic_shapes=(batch,)).module()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("pack", [scripted, traced, exported])
def test_packed_networks_are_right_or_say_so(pack, method):
    """Where no operation can be seen inside, methods that need them refuse; the others are as right as ever."""
    (model, pack), x = packed(pack), zoo.ecgs("LeakyReLU")
    needs_operations = METHODS[method].family in (LRP, "cam") or method in (*zoo.RULES, *zoo.GUIDED)
    expected = explain(model, x, method, 1)
    found, refusal = attempt(pack, x, method, 1)
    if refusal is not None:
        assert needs_operations, refusal
        assert re.search(r"script|trac|export", refusal, re.IGNORECASE), refusal
        return
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("method", ["lrp_z", "deeplift", "guided_backprop", "grad_cam"])
def test_a_scripted_part_is_not_passed_over(method):
    """Half of a network may be scripted; what happens in there has no rule."""
    name = "ResNet, x.mean(-1)"
    model, x = zoo.build(name), zoo.ecgs(name)
    expected = explain(model, x, method, 1)
    model.blocks[1] = scripted(model.blocks[1], x)
    found, refusal = attempt(model, x, method, 1)
    if refusal is not None:
        assert re.search(r"script|blocks\.1", refusal, re.IGNORECASE), refusal
        return
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


# --- Forms of input and output -----------------------------------------------------------------------------


class Gives(nn.Module):
    """A network whose output ``form`` changes."""

    def __init__(self, form):
        super().__init__()
        self.net, self.form = zoo.build("F.relu"), form

    def forward(self, x):
        return self.form(self.net(x))


@pytest.mark.parametrize("method", SOME)
def test_one_logit_without_a_class_axis(method, untouched):
    """(N,) is one logit: class 0."""
    model, x = zoo.build("F.relu"), zoo.ecgs("F.relu")
    one = untouched(Gives(lambda y: y[:, 2]))
    expected = explain(model, x, method, 2)
    torch.testing.assert_close(explain(one, x, method, 0), expected)
    torch.testing.assert_close(explain(one, x, method, None), expected)
    with pytest.raises(ValueError, match="class"):
        explain(one, x, method, 1)


FORMS = {"tuple": lambda y: (y, y), "dict": lambda y: {"a": y}, "list": lambda y: [y], "map": lambda y: y[..., None]}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("method", ["gradient", "lrp_epsilon", "occlusion"])
def test_outputs_that_are_no_logits_are_refused(method, form, untouched):
    with pytest.raises(ValueError, match=r"output|logits|gives|returns"):
        explain(untouched(Gives(FORMS[form])), zoo.ecgs("F.relu"), method, 1)


@pytest.mark.parametrize("name", ["LSTM, attention", "dense only", "channels last", "Conv2d over leads"])
def test_one_sample_without_a_batch_axis(name):
    model, x = zoo.build(name), zoo.ecgs(name)
    torch.testing.assert_close(explain(model, x[0], "gradient", 1), explain(model, x, "gradient", 1)[0])


# --- Last, for what they might leave behind would stop other tests ------------------------------------------


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timers on this system")
@pytest.mark.parametrize("method", ["lrp_epsilon", "lrp_gamma", "deeplift", "integrated_gradients"])
def test_ctrl_c_at_any_moment_leaves_nothing_behind(method, untouched):
    """A timer raises where the method happens to be; some get through, which is as good."""
    model, x = untouched(zoo.build("InceptionTime").train()), zoo.ecgs("InceptionTime")
    expected = explain(model, x, method, 1)

    def interrupt(*_):
        raise KeyboardInterrupt

    def interrupted(milliseconds):
        try:
            signal.setitimer(signal.ITIMER_REAL, milliseconds / 1000)
            try:
                explain(model, x, method, 1)
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
        except KeyboardInterrupt:
            return True
        return False

    usual = signal.signal(signal.SIGALRM, interrupt)
    try:
        stopped = [interrupted(milliseconds) for milliseconds in (1, 2, 4, 6, 9, 13)]
    finally:
        signal.signal(signal.SIGALRM, usual)
    assert any(stopped)
    torch.testing.assert_close(explain(model, x, method, 1), expected)
    after = []
    other = threading.Thread(target=lambda: after.append(explain(model, x, method, 1)), daemon=True)
    other.start()
    other.join(60)
    assert after, "another thread waits for something that the interrupted one still holds (a progress bar's lock?)"
    torch.testing.assert_close(after[0], expected)
