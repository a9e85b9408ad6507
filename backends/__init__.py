"""Programs made to run or to learn: ONNX, onnxruntime, PyTorch and the numpy oracle."""

from auxnas.backends.base import (
    Ascent,
    BackendUnavailable,
    Batch,
    Examples,
    Exporter,
    Learner,
    Optimiser,
    Policy,
    PolicyStep,
    Progress,
    Recipe,
    Runner,
    TrainingStep,
    TrialFailure,
    Weigh,
    ignore_step,
)
from auxnas.backends.compiling.compile import Report, Request, compile_artefact
from auxnas.backends.registry import backend
from auxnas.backends.weights import Weights, read_weights
from auxnas.compiler.tasks import IGNORE

__all__ = [
    "IGNORE",
    "Ascent",
    "BackendUnavailable",
    "Batch",
    "Examples",
    "Exporter",
    "Learner",
    "Optimiser",
    "Policy",
    "PolicyStep",
    "Progress",
    "Recipe",
    "Report",
    "Request",
    "Runner",
    "TrainingStep",
    "TrialFailure",
    "Weigh",
    "Weights",
    "backend",
    "compile_artefact",
    "ignore_step",
    "read_weights",
]
