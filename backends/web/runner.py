"""Running the model of a folder of target web with onnxruntime."""

from __future__ import annotations

from pathlib import Path

from auxnas.backends.artefacts.onnx_file import model_bytes
from auxnas.backends.runtimes.ort import OrtRunner
from auxnas.backends.web import MODEL


class WebRunner(OrtRunner):
    """The numbers that a browser must give.

    Args:
        path: the folder.
        threads: within an operation; None leaves it to the runtime.

    Raises:
        CompilerError: when the runtime refuses the model.
    """

    def __init__(self, path: str | Path, threads: int | None = None) -> None:
        super().__init__(Path(path) / MODEL, threads)


def folder_model(path: Path) -> bytes:
    """The model in a folder.

    Raises:
        CompilerError: when it is none.
        OSError: when it cannot be read.
    """
    return model_bytes(path / MODEL if path.is_dir() else path)
