"""torch's operators, as traces have them, and the primitives that stand for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from torch import fx


class UnfitOperator(Exception):
    """No primitive stands for an operator; the message says why."""


class Adder(Protocol):
    """Adds the primitive that stands for a node; gives its name."""

    def __call__(self, node: fx.Node, op: str, *inputs: str, param: str = "", **attrs: int) -> str:
        """Adds ``op``, whose parameters have the prefix ``param``."""


class Traced:
    """One node of a trace, as rules read it.

    Args:
        node: the node.
        values: names of the primitives' results, by the nodes that they stand for.
        param: timm's name of a parameter.

    Attributes:
        epsilons: of the batch norm that it is, by its parameters' prefix in ours.
    """

    def __init__(
        self, node: fx.Node, values: Mapping[fx.Node, str], param: Callable[[object], str]
    ) -> None:
        self.node, self.values, self.param = node, values, param
        self.epsilons: dict[str, float] = {}
        arguments = node.target._schema.arguments  # type: ignore[union-attr]
        self.given: dict[str, Any] = {
            **{a.name: a.default_value for a in arguments if a.has_default_value()},
            **dict(zip((a.name for a in arguments), node.args, strict=False)),
            **node.kwargs,
        }

    def map(self, name: str = "self") -> str:
        """The result that an argument is.

        Raises:
            UnfitOperator: for a number or a parameter.
        """
        node = self.given.get(name)
        if not isinstance(node, fx.Node) or node not in self.values:
            raise UnfitOperator(f"{name} is no feature map")
        return self.values[node]

    def square(self, name: str, otherwise: int | None = None) -> int:
        """The one number that an argument has for height and width; ``otherwise`` of none."""
        value = self.given[name]
        numbers = set(value if isinstance(value, Sequence) else (value,)) or {otherwise}
        if len(numbers) != 1 or not all(type(number) is int for number in numbers):
            raise UnfitOperator(f"{name} {value}")
        return int(numbers.pop())

    def check(self, **expected: object) -> None:
        """Checks that arguments have these values.

        Raises:
            UnfitOperator: naming the first that has another.
        """
        for name, value in expected.items():
            if self.given[name] != value:
                raise UnfitOperator(f"{name} {self.given[name]}")


Rule = Callable[[Traced, Adder], str]


def _conv(at: Traced, add: Adder) -> str:
    weight = at.param(at.given["weight"])
    out, _, kernel, other = at.given["weight"].meta["val"].shape
    dilation = at.square("dilation")
    same = dilation * (kernel - 1) // 2
    if kernel != other or kernel % 2 == 0:
        raise UnfitOperator(f"kernel {kernel}x{other}")
    padding = at.given["padding"]
    if padding != "same" and at.square("padding") != same:
        raise UnfitOperator(f"padding {padding} of kernel {kernel}")
    if at.given["bias"] is not None:
        at.param(at.given["bias"])
    return add(
        at.node,
        "conv2d",
        at.map("input"),
        param=weight.rpartition(".")[0],
        out=int(out),
        kernel=int(kernel),
        stride=at.square("stride"),
        dilation=dilation,
        groups=at.given["groups"],
        bias=int(at.given["bias"] is not None),
    )


def _batch_norm(at: Traced, add: Adder) -> str:
    at.check(training=False)
    names = [at.param(at.given[n]) for n in ("weight", "bias", "running_mean", "running_var")]
    prefixes = {name.rpartition(".")[0] for name in names}
    if len(prefixes) > 1:
        raise UnfitOperator(f"parameters of {' and '.join(sorted(prefixes))}")
    result = add(at.node, "batch_norm", at.map("input"), param=prefixes.pop())
    at.epsilons[result] = float(at.given["eps"])
    return result


def _activation(op: str, **checked: object) -> Rule:
    def rule(at: Traced, add: Adder) -> str:
        at.check(**checked)
        return add(at.node, op, at.map())

    return rule


def _pool(op: str, **checked: object) -> Rule:
    """A window: odd with "same" padding, or blocks side by side.

    Blocks at the end that are not whole count too, in ours; sizes that strides divide have none.
    """

    def rule(at: Traced, add: Adder) -> str:
        kernel = at.square("kernel_size")
        stride, padding = at.square("stride", kernel), at.square("padding")
        if kernel % 2 == 0 and (stride, padding) != (kernel, 0):
            raise UnfitOperator(f"kernel {kernel}, stride {stride}, padding {padding}")
        if kernel % 2 and padding != (kernel - 1) // 2:
            raise UnfitOperator(f"padding {padding} of kernel {kernel}")
        if padding or kernel % 2:
            at.check(**checked)
        return add(at.node, op, at.map(), kernel=kernel, stride=stride)

    return rule


def _mean(at: Traced, add: Adder) -> str:
    at.check(keepdim=True)
    if {axis % 4 for axis in at.given["dim"]} != {2, 3}:
        raise UnfitOperator(f"axes {at.given['dim']}")
    return add(at.node, "global_mean", at.map())


def _adaptive(at: Traced, add: Adder) -> str:
    if at.square("output_size") != 1:
        raise UnfitOperator(f"output size {at.given['output_size']}")
    return add(at.node, "global_mean", at.map())


def _both(op: str, neutral: int) -> Rule:
    """A sum or product of two maps of as many channels, of one size or one of them 1x1.

    Code that adds up in a loop begins with the number 0, which is ``neutral``.
    """

    def rule(at: Traced, add: Adder) -> str:
        if at.given["other"] == neutral:
            return at.map()
        inputs = at.map("self"), at.map("other")
        if at.given.get("alpha", 1) != 1:
            raise UnfitOperator(f"alpha {at.given['alpha']}")
        shapes = [tuple(at.given[name].meta["val"].shape) for name in ("self", "other")]
        sizes = {shape[2:] for shape in shapes if shape[2:] != (1, 1)}
        if (
            {len(shape) for shape in shapes} != {4}
            or len(sizes) > 1
            or shapes[0][1] != shapes[1][1]
        ):
            raise UnfitOperator(f"shapes {shapes[0]} and {shapes[1]}")
        return add(at.node, op, *inputs)

    return rule


def _cat(at: Traced, add: Adder) -> str:
    at.check(dim=1)
    maps = at.given["tensors"]
    if not all(each in at.values for each in maps):
        raise UnfitOperator("not of feature maps")
    return add(at.node, "concat", *(at.values[each] for each in maps))


def _same(name: str = "self") -> Rule:
    return lambda at, add: at.map(name)


def _dropout(at: Traced, add: Adder) -> str:
    at.check(train=False)
    return at.map("input")


RULES: Mapping[str, Rule] = {
    "conv2d": _conv,
    "batch_norm": _batch_norm,
    "relu": _activation("relu"),
    "relu6": _activation("relu6"),
    "hardtanh": _activation("relu6", min_val=0, max_val=6),
    "clamp": _activation("relu6", min=0, max=6),
    "sigmoid": _activation("sigmoid"),
    "hardsigmoid": _activation("hard_sigmoid"),
    "silu": _activation("silu"),
    "hardswish": _activation("hard_swish"),
    "gelu": _activation("gelu", approximate="none"),
    "max_pool2d": _pool("max_pool", dilation=[1, 1], ceil_mode=False),
    "avg_pool2d": _pool("avg_pool", ceil_mode=False, count_include_pad=False),
    "mean": _mean,
    "adaptive_avg_pool2d": _adaptive,
    "add": _both("add", 0),
    "mul": _both("mul", 1),
    "cat": _cat,
    "dropout": _dropout,
    "clone": _same(),
    "contiguous": _same(),
    "alias": _same(),
    "detach": _same(),
}
"""By name without ``aten.`` and the ``_`` of operators that work in place."""
