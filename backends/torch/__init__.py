"""PyTorch: trains, scores and runs programs (the extra ``torch``)."""

from backends.torch.learner import TorchLearner
from backends.torch.module import build_module, module_params
from backends.torch.pretrained import load_encoder, read_checkpoint
from backends.torch.runner import TorchRunner

__all__ = [
    "TorchLearner",
    "TorchRunner",
    "build_module",
    "load_encoder",
    "module_params",
    "read_checkpoint",
]
