"""An operation of your own, of a primitive of your own: a convolution with softsign behind.

    nassearch run --data synthetic --preset demo --vocabulary operation:VOCABULARY --out own
    nascompile own/best.json --weights own/best.safetensors --vocabulary operation:VOCABULARY

from this folder, or with it on PYTHONPATH.
"""

from __future__ import annotations

import numpy as np

from auxnas.compiler.primitives import OnnxOp, Primitive, add_primitive
from auxnas.genotype import CVPR2019, Operation, Step
from auxnas.genotype.vocabulary import BN, conv

add_primitive(
    Primitive(
        "softsign",
        arity=(1, 1),
        shape=lambda attrs, shapes: shapes[0],
        compute=lambda node, operands, weights: operands[0] / (1 + np.abs(operands[0])),
        torch="torch.nn.functional:softsign",
        onnx=lambda attrs: OnnxOp("Softsign", ("0",)),
        pointwise=True,
    )
)

SOFTSIGN = Operation(
    "softsign3x3", "softsign3x3", "conv 3x3, softsign", (conv(3), BN, Step("softsign"))
)
VOCABULARY = CVPR2019.extended(SOFTSIGN)
