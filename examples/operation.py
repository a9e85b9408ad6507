"""An operation of your own, of a primitive of your own: a convolution with hard-swish behind.

    nassearch run --data synthetic --preset demo --vocabulary operation:VOCABULARY --out swish
    nascompile swish/best.json --weights swish/best.safetensors --vocabulary operation:VOCABULARY

from this folder, or with it on PYTHONPATH.
"""

from __future__ import annotations

import numpy as np

from auxnas.compiler.primitives import OnnxOp, Primitive, add_primitive
from auxnas.genotype import CVPR2019, Operation, Step
from auxnas.genotype.vocabulary import BN, conv

add_primitive(
    Primitive(
        "hard_swish",
        arity=(1, 1),
        shape=lambda attrs, shapes: shapes[0],
        compute=lambda node, operands, weights: operands[0] * np.clip(operands[0] / 6 + 0.5, 0, 1),
        torch="torch.nn.functional:hardswish",
        onnx=lambda attrs: OnnxOp("HardSwish", ("0",)),
        pointwise=True,
    )
)

SWISH = Operation("swish3x3", "swish3x3", "conv 3x3, hard-swish", (conv(3), BN, Step("hard_swish")))
VOCABULARY = CVPR2019.extended(SWISH)
