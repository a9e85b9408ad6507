"""PyTorch: trains, scores and runs programs (the extra ``torch``)."""

from auxnas.backends.torch.checkpoints import read_checkpoint
from auxnas.backends.torch.learner import TorchLearner
from auxnas.backends.torch.module import build_module, module_params
from auxnas.backends.torch.runner import TorchRunner

__all__ = [
    "TorchLearner",
    "TorchRunner",
    "build_module",
    "module_params",
    "read_checkpoint",
]
