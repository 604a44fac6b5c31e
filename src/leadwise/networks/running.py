"""How a module runs: every operation seen, as in evaluation, and nothing of the module touched.

A network is asked as in evaluation and is never touched. It runs under a mode that sees every operation; where it is in
training mode, compiled, or to be watched layer by layer, a replica of its tree of modules runs in its place, which
shares the weights and nothing else. So it gives the answers that it gives after ``eval()``, and stays as it is.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from types import FunctionType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

OWN = ("_parameters", "_buffers", *(name for name in vars(nn.Module()) if "_hooks" in name))
WRAPPERS = {"OptimizedModule": "_orig_mod", "DataParallel": "module", "DistributedDataParallel": "module"}


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
        if kwargs and not isinstance(func, FunctionType):
            kwargs = {NUMPYS.get(key, key): value for key, value in kwargs.items()}
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


NUMPYS = {"x": "input", "a": "input", "x1": "input", "x2": "other", "axis": "dim", "keepdims": "keepdim"}
"""Numpy's names of arguments, which what PyTorch has compiled takes too -> its own."""

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


def must_be_replaced(module: nn.Module) -> bool:
    """Return whether any module is in training mode or compiled, so that a replica has to run in its place."""
    return (
        module.training
        or module._compiled_call_impl is not None
        or type(module).__name__ in WRAPPERS
        or any(must_be_replaced(child) for child in module._modules.values() if child is not None)
    )


def unwrapped(module: nn.Module) -> nn.Module:
    """Return the network inside ``torch.compile`` or ``DataParallel``."""
    while type(module).__name__ in WRAPPERS:
        module = module._modules[WRAPPERS[type(module).__name__]]
    return module


def of_any_size(module: nn.Module, x: Tensor) -> Any:
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
