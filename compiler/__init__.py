"""From a genotype to a verified graph of primitives: lowering, passes, shapes, costs."""

from auxnas.compiler.cost import Cost, NodeCost, cost
from auxnas.compiler.decoders.refinenet import lower_refinenet
from auxnas.compiler.decoders.resnet_refinenet import lower_resnet_refinenet
from auxnas.compiler.errors import CompilerError
from auxnas.compiler.ir import Graph, Node, Program, make_node, parse_graph
from auxnas.compiler.lowering import MAIN, encoder_outputs, lower
from auxnas.compiler.primitives import PRIMITIVES, Primitive, Shape
from auxnas.compiler.shapes import Size, graph_weights, infer_shapes
from auxnas.compiler.spec import ModelSpec
from auxnas.compiler.split import split_graph
from auxnas.compiler.wellformed import verify, verify_graph

__all__ = [
    "MAIN",
    "PRIMITIVES",
    "CompilerError",
    "Cost",
    "Graph",
    "ModelSpec",
    "Node",
    "NodeCost",
    "Primitive",
    "Program",
    "Shape",
    "Size",
    "cost",
    "encoder_outputs",
    "graph_weights",
    "infer_shapes",
    "lower",
    "lower_refinenet",
    "lower_resnet_refinenet",
    "make_node",
    "parse_graph",
    "split_graph",
    "verify",
    "verify_graph",
]
