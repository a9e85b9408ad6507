"""From a genotype to the graph of its network, everything the genotype says included.

Node names tell where a node stands: ``decoder.block2.left.branch1.op0.conv`` is in the
cell on the first of the two items of the third block. The auxiliary heads' outputs are
``aux0``, ``aux1`` ... behind ``main``; all are logits at the resolution they come in.
"""

from __future__ import annotations

from collections.abc import Sequence

from auxnas.compiler.builder import Builder
from auxnas.compiler.encoders import FeatureMap
from auxnas.compiler.encoders.contract import lower_encoder, tapped_maps
from auxnas.compiler.ir import Graph
from auxnas.compiler.primitives import primitive
from auxnas.compiler.spec import ModelSpec
from auxnas.genotype import Cell, Genotype, Operation, Step

MAIN = "main"
SIDES = ("left", "right")


def lower(genotype: Genotype, spec: ModelSpec) -> Graph:
    """The network of ``genotype``: encoder, decoder and auxiliary heads in one graph.

    The input ``image`` is (N, 3, H, W): RGB / 255, less the encoder's mean, over its
    deviation. Any H and W of at least 1 go.

    Raises:
        CompilerError: when an operation of its vocabulary, or the encoder, does not make a graph.
    """
    builder, encoder = Builder(), spec.find_encoder()
    maps = lower_encoder(encoder, builder)
    taps = tapped_maps(encoder, maps, genotype.space.encoder_outputs)
    return builder.graph(lower_decoder(builder, genotype, spec, taps))


def lower_decoder(
    builder: Builder, genotype: Genotype, spec: ModelSpec, taps: Sequence[FeatureMap]
) -> dict[str, str]:
    """Adds decoder and auxiliary heads behind the maps of an encoder; the outputs (name -> node).

    Raises:
        CompilerError: when an operation of its vocabulary does not make a graph.
    """
    return _Decoder(builder, genotype, spec).lower(taps)


def encoder_outputs(graph: Graph) -> tuple[str, ...]:
    """The nodes whose outputs the decoder reads, finest first: where training splits."""
    found = (node for node in graph.nodes if node.name.startswith("decoder.adapt"))
    return tuple(node.inputs[0] for node in found if node.op == "conv2d")


_WrittenStep = tuple[str, str, bool, dict[str, int]]
"""Name and primitive of a node, whether its size follows the operation's input, attributes."""


class _Decoder:
    """The decoder of one genotype (paper, sections 3.1.1 and 6)."""

    def __init__(self, builder: Builder, genotype: Genotype, spec: ModelSpec) -> None:
        self.builder, self.genotype, self.spec = builder, genotype, spec
        self._written: dict[int, list[_WrittenStep]] = {}

    def lower(self, taps: Sequence[FeatureMap]) -> dict[str, str]:
        size = self.spec.agg_size
        pool = []
        for index, tap in enumerate(taps):
            node = self.builder.conv_bn(f"decoder.adapt{index}", tap.node, size, act="relu")
            pool.append(FeatureMap(node, size, tap.stride))
        for block, pair in enumerate(self.genotype.connections):
            pool.append(self._block(f"decoder.block{block}", [pool[index] for index in pair]))
        blocks = pool[len(taps) :]
        used = {index for pair in self.genotype.connections for index in pair}
        loose = [b for i, b in enumerate(blocks) if len(taps) + i not in used]
        outputs = {MAIN: self._classifier(loose)}
        if self.spec.auxiliary != "none":
            for index, item in enumerate(blocks):
                outputs[f"aux{index}"] = self._auxiliary(index, item)
        return outputs

    def _block(self, place: str, items: list[FeatureMap]) -> FeatureMap:
        """Cell, then 1x1 conv-BN-ReLU, on both items; the smaller grows; their sum."""
        sides = []
        for side, item in zip(SIDES, items, strict=True):
            node = self._cell(f"{place}.{side}", item.node)
            size = self.spec.agg_size
            node = self.builder.conv_bn(f"{place}.{side}.agg", node, size, act="relu")
            sides.append(FeatureMap(node, size, item.stride))
        left, right = self._match(place, *sides)
        node = self.builder.add(f"{place}.sum", "add", left.node, right.node)
        return FeatureMap(node, left.channels, left.stride)

    def _match(
        self, place: str, left: FeatureMap, right: FeatureMap
    ) -> tuple[FeatureMap, FeatureMap]:
        """Both maps at the finer stride of the two."""
        if left.stride == right.stride:
            return left, right
        coarse, fine = (left, right) if left.stride > right.stride else (right, left)
        node = self.builder.add(f"{place}.up", "resize", coarse.node, fine.node)
        grown = FeatureMap(node, coarse.channels, fine.stride)
        return (grown, right) if coarse is left else (left, grown)

    def _classifier(self, loose: list[FeatureMap]) -> str:
        """Concatenates the loose blocks one by one, reduces and classifies.

        At each step the smaller side grows to the larger, as the published weights were
        trained: a 16-pixel map that meets a 32- and then a 128-pixel one grows twice.
        """
        whole = loose[0]
        for step, item in enumerate(loose[1:]):
            left, right = self._match(f"decoder.concat{step}", whole, item)
            node = self.builder.add(f"decoder.concat{step}", "concat", left.node, right.node)
            whole = FeatureMap(node, left.channels + right.channels, left.stride)
        node = self.builder.add("decoder.pre_clf.relu_in", "relu", whole.node)
        node = self.builder.conv_bn("decoder.pre_clf", node, self.spec.agg_size, act="relu")
        return self._logits("decoder.clf", node)

    def _logits(self, name: str, source: str) -> str:
        return self.builder.add(name, "conv2d", source, out=self.spec.classes, kernel=3, bias=1)

    def _auxiliary(self, index: int, item: FeatureMap) -> str:
        """A head on a block's output (paper, section 3.2.3)."""
        place, node = f"auxiliary{index}", item.node
        if self.spec.auxiliary == "cell":
            node = self._cell(f"{place}.cell", node)
        return self._logits(f"{place}.clf", node)

    def _cell(self, place: str, source: str) -> str:
        """The sum of all sums, and of the first operation, that no branch samples."""
        cell = self.genotype.cell
        pool = [source, self._operation(f"{place}.first", cell.first, source)]
        for index, (left, right, op, other) in enumerate(cell.branches):
            here = f"{place}.branch{index}"
            terms = [
                self._operation(f"{here}.op0", op, pool[left]),
                self._operation(f"{here}.op1", other, pool[right]),
            ]
            pool += [*terms, self.builder.add(f"{here}.sum", "add", *terms)]
        return self.builder.sum(
            f"{place}.sum", [pool[index] for index in unsampled_locations(cell)]
        )

    def _operation(self, place: str, index: int, source: str) -> str:
        operation = self.genotype.space.vocabulary[index]
        if operation.is_identity:
            return self.builder.add(f"{place}.skip", "identity", source)
        node = source
        repeats = self.spec.sep_repeats if operation.repeated else 1
        if index not in self._written:
            self._written[index] = self._steps(place, operation)
        for repeat in range(repeats):
            here, start = f"{place}.{repeat}" if repeats > 1 else place, node
            for name, op, follows, attrs in self._written[index]:
                inputs = (node, start) if follows else (node,)
                node = self.builder.add(f"{here}.{name}", op, *inputs, **attrs)
        return node

    def _steps(self, place: str, operation: Operation) -> list[_WrittenStep]:
        steps, taken = [], set[str]()
        for step in operation.steps:
            name = _label(step)
            while name in taken:
                name += "_"
            taken.add(name)
            follows = primitive(step.op, place).size_from is not None
            steps.append((name, step.op, follows, self._attrs(step)))
        return steps

    def _attrs(self, step: Step) -> dict[str, int]:
        """A row leaves channel counts out: all maps in a cell have agg_size channels."""
        attrs, size = dict(step.attrs), self.spec.agg_size
        if step.op != "conv2d":
            return attrs
        depthwise = attrs.pop("depthwise", 0)
        return attrs | {"out": size, "groups": size if depthwise else 1}


def unsampled_locations(cell: Cell) -> tuple[int, ...]:
    """Locations summed into the cell's output: unsampled sums, and the first operation's.

    The last branch's sum always is one, so there is at least one.
    """
    used = {location for branch in cell.branches for location in branch[:2]}
    ends = (1, *(4 + 3 * branch for branch in range(len(cell.branches))))
    return tuple(location for location in ends if location not in used)


def _label(step: Step) -> str:
    if step.op == "conv2d":
        return "depthwise" if dict(step.attrs).get("depthwise") else "conv"
    return "bn" if step.op == "batch_norm" else step.op
