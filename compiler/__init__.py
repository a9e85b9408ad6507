"""From a genotype to a verified graph of primitives: lowering, passes, shapes, costs."""

from compiler.cost import Cost, NodeCost, cost
from compiler.errors import CompilerError
from compiler.ir import Graph, Node, Program, make_node, parse_graph
from compiler.lowering import MAIN, encoder_outputs, lower
from compiler.primitives import PRIMITIVES, Primitive, Shape
from compiler.refinenet import lower_refinenet
from compiler.resnet import lower_resnet_refinenet
from compiler.shapes import Size, graph_weights, infer_shapes
from compiler.spec import ModelSpec
from compiler.split import split
from compiler.wellformed import verify, verify_graph

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
    "split",
    "verify",
    "verify_graph",
]
