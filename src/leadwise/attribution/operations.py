"""What runs in a network, operation by operation, and what each operation does with an explanation.

A mode sees every operation of one forward pass, whether a module, a function or a method of a tensor made it.
``KINDS`` says of what kind it is, and a method handles kinds: what only moves numbers about is left to PyTorch; what
has a rule is replaced by an ``autograd.Function`` whose backward pass is the rule; what is known neither way is refused
by name, as soon as any of the explained logit would have to pass it. The network is not hooked, merged or switched.
"""

import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from functools import cache
from inspect import signature
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import Node
from torch.nn import functional

from leadwise.attribution.decompositions import DECOMPOSED
from leadwise.networks.network import Network
from leadwise.networks.running import Evaluation, changes_in_place, natively

Context = Any  # what PyTorch hands from a function's forward pass to its backward pass; what is kept hangs on it


class NoRuleError(ValueError):
    """The method has no rule for an operation of the network; the message names it and where it stands."""


def _kinds() -> dict[str, str]:
    table = {
        # Numbers are moved about, chosen or copied: the gradient hands relevance back to where they came from.
        "structural": """T H mT mH view reshape view_as reshape_as flatten unflatten squeeze unsqueeze transpose permute
            movedim moveaxis swapaxes swapdims t contiguous clone expand expand_as broadcast_to broadcast_tensors repeat
            tile repeat_interleave chunk split split_with_sizes tensor_split unbind select narrow index_select getitem
            gather take_along_dim roll flip fliplr flipud rot90 pad cat concat concatenate stack hstack vstack dstack
            unfold pixel_shuffle pixel_unshuffle channel_shuffle diagonal tril triu masked_select masked_fill where to
            float double half bfloat16 type type_as cpu cuda alias atleast_1d atleast_2d atleast_3d setitem copy
            identity max amax min amin maximum minimum topk sort kthvalue adaptive_max_pool1d adaptive_max_pool2d
            adaptive_max_pool3d max_pool1d max_pool2d max_pool3d max_pool1d_with_indices max_pool2d_with_indices
            max_pool3d_with_indices""",
        "pointwise": """relu relu6 leaky_relu prelu elu selu celu gelu silu mish softplus softsign tanh sigmoid
            logsigmoid hardtanh hardswish hardsigmoid hardshrink softshrink tanhshrink threshold exp expm1 log log1p
            log2 log10 sqrt rsqrt reciprocal square abs absolute pow rpow float_power erf sin cos atan arctan
            clamp clip clamp_min clamp_max neg negative""",
        "conv": "conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d",
        "dense": "linear",
        "product": "matmul rmatmul mm bmm mv addmm einsum",
        "average": """mean sum nanmean cumsum avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d
            adaptive_avg_pool3d interpolate upsample fold lp_pool""",
        "addition": "add sub subtract rsub",
        "multiplication": "mul multiply div divide true_divide rdiv rtruediv truediv",
        "batch_norm": "batch_norm",
        "softmax": "softmax log_softmax logsumexp",
        "silent": """size dim numel shape ndim dtype device is_contiguous stride requires_grad grad_fn is_floating_point
            is_complex is_leaf layout data_ptr storage untyped_storage element_size nelement get_device retain_grad
            register_hook register_post_accumulate_grad_hook len repr format hash is_cuda is_sparse names itemsize
            nbytes storage_offset new_zeros new_ones new_full new_empty new_tensor zeros_like ones_like full_like
            empty_like rand_like randn_like randint_like""",
        "decomposed": " ".join(DECOMPOSED),
    }
    kinds = {name: kind for kind, names in table.items() for name in names.split()}
    del kinds["lp_pool"]
    return kinds


KINDS = _kinds()
"""Name of an operation -> its kind. What is not here is unknown."""

# How much like a gate an operation's output is. Of two factors, the one that is more so is held constant.
GATES = {
    **dict.fromkeys(["sigmoid", "hardsigmoid", "softmax", "reciprocal", "rsqrt", "rdiv", "rtruediv"], 3),
    **dict.fromkeys(["hardtanh", "relu6", "clamp", "clip", "erf", "exp"], 2),
    **dict.fromkeys(["tanh", "softsign", "sin", "cos"], 1),
}
KEEPS_GATE = {"add", "sub", "rsub", "mul", "div", "neg", "true_divide", "truediv", "multiply", "divide", "subtract"}


class Signal:
    """What a mode knows of a tensor that depends on the input; it hangs on the tensor.

    Parameters
    ----------
    first : whether no weights stand between the input and it
    gate : see ``GATES``
    places : whether a convolution has made it: channels, and then places
    axes : the axis of the input that each of its dimensions runs along, None for one that runs along none; None as a
        whole where that is not known
    node : the linear operation that made it, for a batch normalisation that follows
    base : the tensor that it may be a view of
    box : smallest and largest value that the input admits, moved about as the input was, for the z-box rule; or the
        name of the operation that has changed the input
    """

    __slots__ = ("axes", "base", "box", "first", "fn", "gate", "node", "places", "uses", "viewed")

    def __init__(
        self,
        first: bool = False,
        gate: int = 0,
        places: bool = False,
        node: tuple | None = None,
        base: Tensor | None = None,
        box: tuple | str | None = None,
        axes: tuple[int | None, ...] | None = None,
    ):
        self.axes = axes
        self.first, self.gate, self.places, self.node, self.base, self.box = first, gate, places, node, base, box
        self.uses, self.viewed = 0, False
        self.fn: Node | None = None


def signal(value: Any) -> Signal | None:
    """Return what is known of a tensor, or None for whatever carries no signal."""
    return getattr(value, "_signal", None)


def tensors(values: Any) -> Iterator[Tensor]:
    """Yield the tensors among arguments, inside tuples and lists too."""
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (tuple, list)):
            yield from tensors(value)


def detached(value: Any) -> Any:
    """Return arguments with their tensors cut off from what made them."""
    if isinstance(value, Tensor):
        return value.detach()
    return type(value)(map(detached, value)) if type(value) in (tuple, list) else value


class Call:
    """One operation: ``name``, ``func``, ``args``, ``kwargs``, and ``signals``, the tensors that carry a signal."""

    __slots__ = ("args", "func", "kwargs", "name", "signals")

    def __init__(self, name: str, func: Callable, args: tuple, kwargs: dict, signals: list[Tensor] | None = None):
        self.name, self.func, self.args, self.kwargs, self.signals = name, func, args, kwargs, signals or []

    def native(self) -> Any:
        """Run it as PyTorch does."""
        return natively(self.name, self.func, self.args, self.kwargs)

    def plain(self) -> Any:
        """Run it as PyTorch does, cut off from what made its arguments."""
        return natively(self.name, self.func, detached(self.args), {k: detached(v) for k, v in self.kwargs.items()})

    def out_of_place(self) -> "Call":
        """Return the same operation without its writing into its first argument."""
        func: Any = self.func
        args, kwargs = self.args, {k: v for k, v in self.kwargs.items() if k not in ("inplace", "out")}
        if changes_in_place(func):
            homes = (torch.Tensor, torch, functional)
            func = next((getattr(home, self.name) for home in homes if hasattr(home, self.name)), func)
            func = {"setitem": _set_item, "copy": _copy}.get(self.name, func)
        elif args[-1] is True and self.name in POSITIONAL_IN_PLACE:
            args = (*args[:-1], False)
        return Call(self.name, func, args, kwargs, self.signals)


POSITIONAL_IN_PLACE = {"relu", "relu6", "elu", "selu", "celu", "leaky_relu", "silu", "mish", "hardtanh", "hardswish"}


def _set_item(target: Tensor, index: Any, value: Any) -> Tensor:
    target = target.clone()
    target[index] = value
    return target


def _copy(target: Tensor, source: Tensor, non_blocking: bool = False) -> Tensor:
    return source.to(target).expand_as(target).clone()


# glibc hands large blocks back to the system when they are freed, and every map fetches their pages anew: a sixth of
# its time. The largest block ever freed raises the limit (mallopt(3), M_MMAP_THRESHOLD); this one is never written to.
torch.empty(8_000_000)

signature_of = cache(signature)  # asked at each call of a composite operation


class Lowered(Evaluation):
    """Operations as in evaluation, with convolutions and poolings over time run where they are fastest.

    On a CPU that is channels-last in two dimensions: the same sums, in another order.
    """

    def operate(self, name: str, func: Callable, args: tuple, kwargs: dict) -> Any:
        """Run one operation."""
        # Hooks on what is saved mean that it will be computed again (a checkpoint), where operations can't be lowered.
        if name in LOWERED and torch._C._autograd._top_saved_tensors_default_hooks(False) is None:
            return LOWERED[name](Call(name, func, args, kwargs))
        return natively(name, func, args, kwargs)


class Geometry:
    """The arguments of a convolution, in numbers.

    Parameters
    ----------
    known : whether they fit the two ways below; padding "same" around an even kernel is uneven and does not
    over_time : whether it can run channels-last in two dimensions
    """

    NAMES = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")
    TRANSPOSED = ("input", "weight", "bias", "stride", "padding", "output_padding", "groups", "dilation")

    def __init__(self, call: "Call"):
        self.transposed = "transpose" in call.name
        values = dict(zip(self.TRANSPOSED if self.transposed else self.NAMES, call.args, strict=False)) | call.kwargs
        self.x, self.weight, self.bias = values["input"], values["weight"], values.get("bias")
        dims, self.groups = self.weight.ndim - 2, values.get("groups", 1)
        self.stride, self.dilation = numbers(values.get("stride", 1), dims), numbers(values.get("dilation", 1), dims)
        self.output_padding, padding = numbers(values.get("output_padding", 0), dims), values.get("padding", 0)
        sizes = zip(self.dilation, self.weight.shape[2:], strict=True)
        total = [d * (k - 1) if padding == "same" else 0 for d, k in sizes]
        self.padding = [size // 2 for size in total] if isinstance(padding, str) else numbers(padding, dims)
        self.known = self.x.ndim == dims + 2 and not any(size % 2 for size in total)
        self.over_time = self.known and dims == 1 and self.groups == 1 and not self.transposed and self.x.is_cpu


def softmax_dim(call: "Call") -> int:
    """Return the dimension of a softmax; where none is given PyTorch takes the first of 1 or 3, else the second."""
    values = dict(zip(("input", "dim"), call.args, strict=False)) | call.kwargs
    dim, dims = values.get("dim"), call.args[0].ndim
    return (0 if dims in (0, 1, 3) else 1) if dim is None else dim


def numbers(value: int | tuple | list, dims: int) -> list[int]:
    """Return one number for each dimension."""
    return [value] * dims if isinstance(value, int) else list(value) * (dims if len(value) == 1 else 1)


def flat_memory(x: Tensor) -> Tensor:
    """Return (N, C, T) as (N, C, 1, T), channels last in memory."""
    if len(x) == 1 and x.stride(1) == 1:  # the stride of a single sample may be anything, and misleads PyTorch
        return x.transpose(1, 2).contiguous().view(1, 1, x.shape[2], x.shape[1]).permute(0, 3, 1, 2)
    return x.unsqueeze(2).contiguous(memory_format=torch.channels_last)


def _conv1d(call: "Call") -> Tensor:
    g = Geometry(call)
    if not g.over_time:
        return call.func(*call.args, **call.kwargs)
    weight, sizes = g.weight.unsqueeze(2), ((1, *g.stride), (0, *g.padding), (1, *g.dilation))
    return torch.conv2d(flat_memory(g.x), weight, g.bias, *sizes).squeeze(2)


def _max_pool1d(call: "Call") -> Tensor:
    names = ("input", "kernel_size", "stride", "padding", "dilation", "ceil_mode")
    values = dict(zip(names, call.args, strict=False)) | call.kwargs
    x = values["input"]
    if x.ndim != 3 or not x.is_cpu or x.stride(1) != 1:
        return call.func(*call.args, **call.kwargs)
    kernel = numbers(values["kernel_size"], 1)
    stride, padding = numbers(values.get("stride") or kernel, 1), numbers(values.get("padding", 0), 1)
    dilation, ceil = numbers(values.get("dilation", 1), 1), values.get("ceil_mode", False)
    sizes = ((1, *kernel), (1, *stride), (0, *padding), (1, *dilation), ceil)
    return functional.max_pool2d(flat_memory(x), *sizes).squeeze(2)


LOWERED: dict[str, Callable] = {"conv1d": _conv1d, "max_pool1d": _max_pool1d}


_here = threading.local()


class Kept:
    """Tensors that a backward pass will need; what is written into their memory in between does not reach them."""

    __slots__ = ("__weakref__", "tensors")

    def __init__(self, *tensors: Tensor | None):
        self.tensors = [None if t is None else t.detach() for t in tensors]
        _here.kept.append(weakref.ref(self))

    def __iter__(self) -> Iterator[Tensor | None]:
        return iter(self.tensors)

    @staticmethod
    def spare(target: Tensor) -> None:
        """Give all that is kept of a tensor's memory a memory of its own, before the tensor is written into."""
        place = target.untyped_storage().data_ptr()
        for kept in filter(None, (reference() for reference in _here.kept)):
            kept.tensors = [
                t.clone() if t is not None and t.untyped_storage().data_ptr() == place else t for t in kept.tensors
            ]


def handed_back(out: Tensor, x: Tensor, s: Tensor) -> Tensor:
    """Return what PyTorch hands back of s, shaped like an output, to the x that the output was made from.

    Asked for with the output's gradient given, ``torch.autograd.grad`` imports sympy: half a second and 40 MiB.
    """
    with torch.enable_grad():
        return torch.autograd.grad((out * s).sum(), x)[0]


def owned(out: Tensor) -> Tensor:
    """Return a result as a tensor that is nobody's view, so that it may be written into."""
    return aliased(out) if out._is_view() else out


def aliased(out: Tensor) -> Tensor:
    """Return another tensor of the same memory, which is nobody's view."""
    return out.new_empty(0).set_(out.untyped_storage(), out.storage_offset(), out.shape, out.stride())


CONTINUOUS = {torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.complex128, torch.complex64}
"""Types of numbers that a gradient passes; whole numbers and truth values end it."""

NOWHERE: Any = None  # where a pass starts that has not begun


class Explained(Lowered):
    """A forward pass whose tensors are known to depend on the input; methods decide what each kind of operation does.

    Parameters
    ----------
    network : the network that runs
    method : what refusals call the method
    """

    follows_axes = False  # whether it has to know along which axis of the input each dimension runs

    def __init__(self, network: Network, method: str):
        super().__init__(network.module)
        self.method, self.start = method, NOWHERE

    def enter(self, x: Tensor, box: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """Return x as the input of the pass: its own copy, part of a graph."""
        _here.kept = []
        x = _Entry.apply(x if x.requires_grad else x.detach().requires_grad_())
        self.start = x.grad_fn
        return mark(x, Signal(first=True, box=box, axes=tuple(range(x.ndim))))

    def operate(self, name: str, func: Callable, args: tuple, kwargs: dict) -> Any:
        """Run one operation by the handler of its kind, and mark what comes out."""
        kind = KINDS.get(name, "unknown")
        if kind == "silent":
            return func(*args, **kwargs)
        signals = [t for t in tensors((*args, *kwargs.values()) if kwargs else args) if self.carries(t)]
        if not signals:
            return super().operate(name, func, args, kwargs)
        call, target = Call(name, func, args, kwargs, signals), None
        if changes_in_place(func) or kwargs.get("inplace") or (args and args[-1] is True):
            replaced = call.out_of_place()
            target = args[0] if replaced.func is not func or "inplace" in kwargs else target
            target = args[0] if args and args[-1] is True and name in POSITIONAL_IN_PLACE else target
            call = replaced
        if torch.is_grad_enabled():
            out = self.handle(kind, call)
        else:
            with torch.enable_grad():
                out = self.handle(kind, call)
        self.follow(out, call, signals)
        return out if target is None else put_in_place(target, out)

    def handle(self, kind: str, call: Call) -> Any:
        """Run an operation by the handler of its kind."""
        return getattr(self, kind)(call)

    def carries(self, tensor: Tensor) -> bool:
        """Return whether a tensor depends on the input; refuse one that does so in a way that can't be seen."""
        if not tensor.requires_grad or tensor.grad_fn is None:
            return False
        known = signal(tensor)
        if known is not None and known.fn is tensor.grad_fn:
            return True
        if reaches(tensor.grad_fn, self.start):
            raise NoRuleError(
                self.reason(f"{type(tensor.grad_fn).__name__}, whose inside can't be seen{self.packed()}")
            )
        return False

    def follow(self, out: Any, call: Call, signals: list[Tensor]) -> None:
        """Mark an operation's outputs, and count the use of its inputs."""
        known = [t._signal for t in signals]  # type: ignore[attr-defined]
        used = False
        for one in (out,) if isinstance(out, Tensor) else tensors(out if isinstance(out, (tuple, list)) else (out,)):
            if one.requires_grad:
                used, found = True, signal(one)
                if found is None or found.fn is not one.grad_fn:
                    mark(one, self.describe(call, signals, known, one))
        for s in known:
            s.uses += used

    def describe(self, call: Call, signals: list[Tensor], known: list[Signal], out: Tensor) -> Signal:
        """Return what is known of an operation's output."""
        kind, first = KINDS.get(call.name, "unknown"), all(s.first for s in known)
        gate = GATES.get(call.name, 0)
        if kind == "structural" or (call.name in KEEPS_GATE and len(known) == 1):
            gate = max(gate, *(s.gate for s in known))
        places = kind == "conv" or (kind in PLACES_KEPT and any(s.places for s in known))
        found = Signal(first and kind not in ("conv", "dense", "product"), gate, places, axes=None)
        if found.first and kind != "structural":
            found.box = call.name
        if self.follows_axes:
            found.axes = axes_of(call, kind, signals[0], known[0].axes, out)
        if kind == "structural":
            found.base = signals[0]
            known[0].viewed = True
            found.box = known[0].box if isinstance(known[0].box, str) else None
            if found.first and isinstance(known[0].box, tuple) and any(arg is signals[0] for arg in call.args):
                found.box = tuple(moved(call, signals[0], edge) for edge in known[0].box)
        return found

    # Kinds: by default everything is left to PyTorch, which gives the gradient.

    def structural(self, call: Call) -> Any:
        """Move numbers about."""
        return Lowered.operate(self, call.name, call.func, call.args, call.kwargs)

    conv = dense = product = average = addition = multiplication = batch_norm = softmax = pointwise = structural
    unknown = decomposed = structural

    def taken_apart(self, call: Call) -> Any:
        """Run a composite operation as the simple ones that it consists of, each by its own handler."""
        try:
            signature_of(DECOMPOSED[call.name]).bind(*call.args, **call.kwargs)
        except TypeError as error:  # an overload: a factor between the operands, or another order
            return self.refused(call, f" with such arguments ({error})")
        try:
            with self:
                return DECOMPOSED[call.name](*call.args, **call.kwargs)
        except NotImplementedError as error:
            return self.refused(call, f": {error}")

    # Refusals

    def refused(self, call: Call, why: str = "") -> Any:
        """Run an operation without a rule; the method stops as soon as any relevance reaches it."""
        out = call.plain()
        signals = call.signals
        reason = self.reason(f"{call.name}{why}")
        many = isinstance(out, (tuple, list))
        parts = [
            _Refused.apply(reason, one, *signals) if isinstance(one, Tensor) and one.dtype in CONTINUOUS else one
            for one in (out if many else (out,))
        ]
        return type(out)(parts) if many else parts[0]

    def reason(self, what: str) -> str:
        """Return the sentence of a refusal, with the module in whose forward pass the operation stands."""
        return (
            f"{self.method} has no rule for {what}{self.place()}. Methods that need only the gradient or only the "
            "logits will do: integrated_gradients, occlusion."
        )

    def packed(self) -> str:
        """Return why operations may be hidden, if a part of the network is scripted or traced."""
        packed = any(isinstance(module, torch.jit.ScriptModule) for module in self.module.modules())
        return " (the network is scripted or traced, or a part of it is; give it as it was before)" if packed else ""

    def place(self) -> str:
        """Return where the running operation stands, as " (in 'blocks.0', a ResBlock)"."""
        frame = sys._getframe()
        while frame is not None:
            module = frame.f_locals.get("self")
            if isinstance(module, nn.Module):
                return f" (in {_path(self.module, module)}a {type(module).__name__})"
            frame = frame.f_back
        return ""


PLACES_KEPT = {"structural", "pointwise", "average", "addition", "multiplication", "batch_norm", "decomposed"}
TURNING = {"T", "H", "mT", "mH", "t", "permute", "transpose", "movedim", "moveaxis", "swapaxes", "swapdims",
           "unsqueeze", "squeeze", "getitem"}  # fmt: skip
SIZES = (1009, 2003, 4001, 8009, 16033)  # of a tensor without memory, whose dimensions can be told apart


def axes_of(call: Call, kind: str, x: Tensor, axes: tuple | None, out: Tensor) -> tuple | None:
    """Return along which axis of the input each dimension of an output runs, from what is known of one operand x."""
    if axes is None or x.ndim > len(SIZES):
        return None
    if call.name in TURNING and call.args[0] is x:
        sizes = [1 if size == 1 else SIZES[i] for i, size in enumerate(x.shape)]
        try:
            turned = natively(call.name, call.func, (torch.empty(sizes, device="meta"), *call.args[1:]), call.kwargs)
        except (RuntimeError, IndexError, NotImplementedError):
            return None
        return tuple(axes[SIZES.index(size)] if size in SIZES else None for size in turned.shape)
    if out.ndim != x.ndim or (call.name in ("reshape", "view", "flatten") and out.shape != x.shape):
        return None
    if kind == "conv":
        return (axes[0], None, *axes[2:])
    return (*axes[:-1], None) if kind == "dense" else axes if kind in PLACES_KEPT else None


def _path(root: nn.Module, module: nn.Module) -> str:
    """Return the name of a module, or of the one that a replica stands for, and a comma."""
    module = getattr(module, "_original", module)
    names = (name for name, one in root.named_modules() if name and one is module)
    return next((f"{name!r}, " for name in names), "")


def mark(tensor: Tensor, known: Signal) -> Tensor:
    """Hang on a tensor what is known of it."""
    known.fn = tensor.grad_fn
    tensor._signal = known  # type: ignore[attr-defined]
    return tensor


def moved(call: Call, x: Tensor, other: Tensor) -> Tensor:
    """Do to another tensor what an operation that moves numbers about does to x."""
    args = tuple(other if arg is x else arg for arg in call.args)
    return natively(call.name, call.func, args, call.kwargs)


def put_in_place(target: Tensor, out: Tensor) -> Tensor:
    """Let a tensor be what an operation would have written into it, and leave what others hold of it as it was."""
    known, found = signal(target), signal(out)
    shared = known is None or known.viewed or _is_view(target, known)
    if not shared and target.shape == out.shape and target.dtype == out.dtype:
        try:
            torch._C._swap_tensor_impl(target, out)
        except RuntimeError:  # something in the graph holds it
            shared = True
        else:
            target._signal = found  # type: ignore[attr-defined]
            return target
    Kept.spare(target)
    target.copy_(out)
    written: Tensor | None = target
    while written is not None:
        mark(written, Signal(found.first and (known is None or known.first), places=found.places))
        written = written._base
    return target


def _is_view(tensor: Tensor, known: Signal) -> bool:
    return known.base is not None and known.base.untyped_storage().data_ptr() == tensor.untyped_storage().data_ptr()


def reaches(node: Node | None, start: Node) -> bool:
    """Return whether a graph leads from a node back to the input of the pass."""
    seen, waiting = set(), [node]
    while waiting:
        node = waiting.pop()
        if node is start:
            return True
        if node is not None and node not in seen:
            seen.add(node)
            waiting += [before for before, _ in node.next_functions]
    return False


class _Entry(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Context, x: Tensor):
        return x.clone()

    @staticmethod
    def backward(ctx: Context, relevance: Tensor):
        return relevance


class _Refused(torch.autograd.Function):
    """Gives a value that depends on signals; relevance that arrives is refused."""

    @staticmethod
    def forward(ctx: Context, reason: str, out: Tensor, *signals: Tensor):
        ctx.reason, ctx.count = reason, len(signals)
        ctx.set_materialize_grads(False)
        return aliased(out)  # an argument that is returned would count as a view, which must not be written into

    @staticmethod
    def backward(ctx: Context, relevance: Tensor | None):
        if relevance is not None and relevance.any():
            raise NoRuleError(ctx.reason)
        return (None,) * (2 + ctx.count)
