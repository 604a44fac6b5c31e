"""``Network``: what a module means, and the one place that calls it.

A network is asked as in evaluation and is never touched. It runs under a mode that sees every operation; where it is in
training mode, compiled, or to be watched layer by layer, a replica of its tree of modules runs in its place, which
shares the weights and nothing else. So it gives the answers that it gives after ``eval()``, and stays as it is.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

OWN = ("_parameters", "_buffers", *(name for name in vars(nn.Module()) if "_hooks" in name))
WRAPPERS = {"OptimizedModule": "_orig_mod", "DataParallel": "module", "DistributedDataParallel": "module"}
OUTPUTS = ("labels", "classes")


@lru_cache(maxsize=4096)
def operation_name(func: Callable) -> str:
    """Return the plain name of an operation: "add" for ``torch.add``, ``x + y``, ``x += y`` and ``x.add_(y)``."""
    name = func.__name__
    if name == "__get__":  # a property of a tensor, such as x.T
        return func.__self__.__name__  # type: ignore[attr-defined]
    name = name.split(".")[0]  # aten's overloads: "relu.default"
    return ALIASES.get(name, name if name == "__getitem__" else name.strip("_"))


ALIASES = {
    **{f"__r{name}__": f"r{name}" for name in ("sub", "div", "truediv", "pow", "matmul", "mod", "floordiv")},
    **{f"__{r}{name}__": name for r in ("r", "i", "") for name in ("add", "mul")},
    **{f"__i{name}__": name for name in ("sub", "div", "truediv", "pow", "mod", "floordiv")},
    **{"__getitem__": "getitem", "__setitem__": "setitem"},
}


class Evaluation(TorchFunctionMode):
    """Operations as in evaluation: nothing is dropped, normalisation uses stored statistics, nothing is written back.

    Parameters
    ----------
    module : the network that runs; its parameters and buffers can't be changed in place
    """

    def __init__(self, module: nn.Module):
        super().__init__()
        self.module = module
        self.depths: list[int] = []

    def __enter__(self):
        self.depths.append(torch._C._len_torch_function_stack())
        return super().__enter__()

    def __exit__(self, *_):
        """Leave PyTorch's stack of modes as it was on entering, also where an interrupt came between its steps."""
        depth = self.depths.pop()
        while torch._C._len_torch_function_stack() > depth:
            super().__exit__(None, None, None)

    def __torch_function__(self, func, types, args=(), kwargs=None):
        name, kwargs = operation_name(func), kwargs or {}
        if not args and "input" in kwargs:
            args, kwargs = (kwargs["input"],), {key: value for key, value in kwargs.items() if key != "input"}
        if name in DROPOUTS:
            return args[0]
        if name == "batch_norm":
            args, kwargs = in_evaluation(func, args, kwargs)
            func = functional.batch_norm
        if args and changes_in_place(func) and self.owns(args[0]):
            return args[0]
        out = self.operate(name, func, args, kwargs)
        if name in FINAL or name in SAME_ELEMENTS:
            with self:
                remember_logits(out, name, func, args, kwargs)
        return out

    def owns(self, tensor: Any) -> bool:
        """Return whether a tensor is a weight or a buffer of the network."""
        return any(tensor is one for group in (self.module.parameters(), self.module.buffers()) for one in group)

    def operate(self, name: str, func: Callable, args: tuple, kwargs: dict) -> Any:
        """Run one operation; what a method changes, it changes here."""
        return natively(name, func, args, kwargs)


DROPOUTS = {
    "dropout",
    "dropout1d",
    "dropout2d",
    "dropout3d",
    "alpha_dropout",
    "feature_alpha_dropout",
    "feature_dropout",
}


@lru_cache(maxsize=4096)
def changes_in_place(func: Callable) -> bool:
    """Return whether an operation writes into its first argument."""
    name = func.__name__.split(".")[0]
    return name == "__setitem__" or name in IN_PLACE_OPERATORS or (name.endswith("_") and not name.endswith("__"))


IN_PLACE_OPERATORS = {f"__i{name}__" for name in ("add", "sub", "mul", "div", "truediv", "pow", "matmul")}


def in_evaluation(func: Callable, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
    """Return the arguments of ``functional.batch_norm`` with the stored statistics, where there are any."""
    statistics, affine = ("running_mean", "running_var"), ("weight", "bias")
    middle = (*statistics, *affine) if func is functional.batch_norm else (*affine, *statistics)  # torch.batch_norm
    names = ("input", *middle, "training", "momentum", "eps", "cudnn_enabled")
    values = dict(zip(names, args, strict=False)) | kwargs
    if values.get("running_mean") is not None:
        values["training"] = False
    values.pop("cudnn_enabled", None)
    return (values.pop("input"),), values


def natively(name: str, func: Callable, args: tuple, kwargs: dict) -> Any:
    """Run an operation as PyTorch does."""
    if name == "view" and not isinstance(args[1], torch.dtype):
        func = torch.Tensor.reshape  # an output of ours may lie in memory in another order
    return func(*args, **kwargs)


def remember_logits(out: Any, name: str, func: Callable, args: tuple, kwargs: dict) -> None:
    """Hang on the output of a sigmoid or softmax what went into it, and on a reshaped one that, reshaped alike."""
    if not isinstance(out, Tensor) or not args or not isinstance(args[0], Tensor):
        return
    if name in FINAL:
        out._logits = (FINAL[name], args[0])  # type: ignore[attr-defined]
    elif hasattr(args[0], "_logits"):
        kind, before = args[0]._logits
        out._logits = (kind, func(before, *args[1:], **kwargs))  # type: ignore[attr-defined]


FINAL = {"sigmoid": "labels", "softmax": "classes", "log_softmax": "classes"}
SAME_ELEMENTS = {"squeeze", "unsqueeze", "flatten", "reshape", "view", "contiguous", "clone", "float", "to"}


def replica(module: nn.Module, memo: dict | None = None) -> nn.Module:
    """Return a copy of a tree of modules in evaluation mode that shares the weights, and whose hooks are its own.

    What a forward pass sets on a module, it sets on the copy. A scripted module can't be copied and is returned itself.
    """
    memo = {} if memo is None else memo
    module = unwrapped(module)
    if module in memo:
        return memo[module]
    if isinstance(module, torch.jit.ScriptModule):
        if module.training:
            raise ValueError(
                "the network is scripted and in training mode, and can't be asked as in evaluation; call eval() first."
            )
        return module
    copy = memo[module] = object.__new__(type(module))
    state = dict(module.__dict__)
    for name in OWN:
        state[name] = state[name].copy()
    state["_modules"] = {
        name: child if child is None else replica(child, memo) for name, child in module._modules.items()
    }
    state |= {"training": False, "_compiled_call_impl": None, "_original": module}
    copy.__dict__.update(state)
    return copy


def _must_be_replaced(module: nn.Module) -> bool:
    """Return whether any module is in training mode or compiled, so that a replica has to run in its place."""
    return (
        module.training
        or module._compiled_call_impl is not None
        or type(module).__name__ in WRAPPERS
        or any(_must_be_replaced(child) for child in module._modules.values() if child is not None)
    )


def unwrapped(module: nn.Module) -> nn.Module:
    """Return the network inside ``torch.compile`` or ``DataParallel``."""
    while type(module).__name__ in WRAPPERS:
        module = module._modules[WRAPPERS[type(module).__name__]]
    return module


@dataclass(frozen=True, eq=False)
class Network:
    """A module and what its output means. Every name of the package that takes a module takes a Network too.

    Parameters
    ----------
    module : network (N, ...) -> logits (N, K), or (N,), which is one logit; stays untouched
    classes : names of the K outputs
    outputs : "classes" where they exclude each other (softmax), "labels" where each stands alone (sigmoid); None where
        it need not be known. A final sigmoid or softmax says it by itself
    pick : function that takes the module's output and returns the logits, where the module returns a tuple or a dict

    Raises
    ------
    ValueError : no module, or a word for ``outputs`` that is none

    Examples
    --------
    >>> net = Network(nn.Sequential(nn.Flatten(), nn.Linear(6, 2)), classes=("healthy", "ill"))
    >>> net.logits(torch.zeros(4, 2, 3)).shape
    torch.Size([4, 2])
    """

    module: nn.Module
    classes: tuple[str, ...] | None = None
    outputs: str | None = None
    pick: Callable[[Any], Tensor] | None = None

    def __post_init__(self):
        if not isinstance(self.module, nn.Module):
            raise ValueError(f"the network is a {type(self.module).__name__}; expected a torch.nn.Module or a Network.")
        if self.outputs not in (None, *OUTPUTS):
            raise ValueError(f"outputs is {self.outputs!r}; expected one of {', '.join(map(repr, OUTPUTS))}.")

    def logits(self, x: Tensor) -> Tensor:
        """Return the logits (N, K) of a batch x (N, ...), as in evaluation."""
        return self.run(x, Evaluation(self.module))[0]

    __call__ = logits

    def run(self, x: Tensor, mode: Evaluation, prepare: Callable[[nn.Module], None] | None = None) -> tuple:
        """Return the logits (N, K) of x under a mode, and what the network ends in: "labels", "classes" or None.

        ``prepare`` gets the replica that will run, before it does: it may set hooks on it.
        """
        out = self.forward(x, mode, prepare)
        kind, out = getattr(out, "_logits", (None, out))
        with mode:
            return self._checked(out, len(x)), kind

    def forward(self, x: Tensor, mode: Evaluation, prepare: Callable[[nn.Module], None] | None = None) -> Any:
        """Return what the module gives for x under a mode, less what ``pick`` leaves out. Nothing else calls it."""
        running = self.module
        if prepare or _must_be_replaced(running):
            running = replica(running)
        if prepare:
            prepare(running)
        with mode:
            out = _of_any_size(running, x)
            return self.pick(out) if self.pick else out

    def outputs_of(self, layer: str, x: Tensor) -> list[Tensor]:
        """Run the network on a batch; return what the module called ``layer`` gives each time that it runs.

        Raises
        ------
        ValueError : no such module; the message names those there are
        """
        kept: list[Tensor] = []

        def watch(running: nn.Module) -> None:
            module = module_of(running, layer)
            module.register_forward_hook(lambda module, args, out: kept.append(out.clone()))

        self.forward(x, Evaluation(self.module), watch)
        return kept

    def _checked(self, out, samples: int) -> Tensor:
        if not isinstance(out, Tensor):
            keys = f" with {', '.join(map(repr, out))}" if isinstance(out, dict) else ""
            raise ValueError(
                f"the network returns a {type(out).__name__}{keys}; expected a tensor of logits. Say where they are: "
                f"Network(module, pick=lambda out: out[{next(iter(out), 0) if isinstance(out, dict) else 0!r}])."
            )
        out = out[:, None] if out.ndim == 1 else out
        if out.ndim != 2 or len(out) != samples:
            raise ValueError(
                f"the network gives shape {tuple(out.shape)} for {samples} samples; expected logits (N, classes). "
                "Network(module, pick=...) may choose among its outputs."
            )
        if self.classes is not None and len(self.classes) != out.shape[1]:
            raise ValueError(f"classes names {len(self.classes)}; the network has {out.shape[1]} outputs.")
        return out

    def sample_dims(self, x: Tensor) -> int:
        """Return the number of dimensions of one sample: found by asking the network once, and remembered.

        Raises
        ------
        ValueError : the network takes x neither as a batch nor as one sample; the message has its reasons
        """
        known = _FORMS.setdefault(self.module, {})
        if tuple(x.shape) not in known:
            known[tuple(x.shape)] = self._find_dims(x)
        return known[tuple(x.shape)]

    def _find_dims(self, x: Tensor) -> int:
        reasons = []
        tries = ([(x[:1], x.ndim - 1)] if x.ndim > 1 else []) + [(x[None], x.ndim)]
        for batch, dims in tries:
            try:
                with torch.no_grad():
                    self.logits(batch)
                return dims
            except Exception as error:  # whatever a network may raise
                if isinstance(error, ValueError) and "the network returns a" in str(error):
                    raise
                reasons.append((str(error).splitlines() or [type(error).__name__])[0])
        raise ValueError(
            f"x has shape {tuple(x.shape)}; the network takes it neither as a batch nor as one sample: "
            f"{'; '.join(dict.fromkeys(reasons))}."
        )

    def dtype(self, otherwise: torch.dtype) -> torch.dtype:
        """Return the precision of its weights, which the input is brought to; ``otherwise`` without any."""
        found = (weight.dtype for weight in self.module.parameters() if weight.dtype.is_floating_point)
        return next(found, otherwise)

    def device(self, otherwise=None):
        """Return the device of its weights; ``otherwise`` for a network without any."""
        return next((weight.device for weight in self.module.parameters()), otherwise)


_FORMS: WeakKeyDictionary[nn.Module, dict[tuple[int, ...], int]] = WeakKeyDictionary()


def _of_any_size(module: nn.Module, x: Tensor) -> Any:
    """Run a module; one that was exported for batches of a fixed size runs on pieces of that size."""
    try:
        return module(x)
    except AssertionError as error:
        fixed = re.search(r"Guard failed: \S*size\(\)\[0\] == (\d+)", str(error))
        if not fixed:
            raise ValueError(f"the exported network does not take x of shape {tuple(x.shape)}: {error}") from error
    size, samples = int(fixed[1]), len(x)
    x = torch.cat([x, x[-1:].expand(-samples % size, *x.shape[1:])])
    return torch.cat([module(part) for part in x.split(size)])[:samples]


def module_of(network: nn.Module, layer: str) -> nn.Module:
    """Return the module called ``layer``; a ValueError names those there are."""
    modules = dict(network.named_modules())
    if layer not in modules:
        raise ValueError(f"no layer {layer!r}; expected one of {', '.join(filter(None, modules))}.")
    return modules[layer]


def network_of(model: nn.Module | Network) -> Network:
    """Return a model as a Network."""
    return model if isinstance(model, Network) else Network(model)
