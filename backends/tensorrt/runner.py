"""Running TensorRT engines, with calls that TensorRT 10 and 11 both have.

Tensors go by name; memory and stream are the CUDA driver's.

Sources:
    https://docs.nvidia.com/deeplearning/tensorrt/11.0.0/_static/python-api/infer/Core/Engine.html
    https://docs.nvidia.com/deeplearning/tensorrt/latest/_static/python-api/infer/Core/ExecutionContext.html
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from auxnas.backends.tensorrt.cuda import Cuda, NoGpuError
from auxnas.backends.tensorrt.engines import logger_of, read_metadata
from auxnas.backends.tensorrt.exporter import library
from auxnas.backends.tensors import Tensor

Array = np.ndarray[Any, Any]


class TrtRunner:
    """An engine on the GPU, inputs and outputs in the host's memory.

    Open only what you built: an engine holds code that runs when it is loaded.

    Args:
        path: the engine.
        threads: has no effect: a GPU computes.
        trt: the module ``tensorrt``, or one that has its calls.
        device: the GPU.

    Attributes:
        metadata: from the file beside the engine; empty without one.
        inputs: names, types and shapes of the inputs.
        outputs: names, types and shapes of the outputs.
        devices: those that it computes on.

    Raises:
        ValueError: when TensorRT refuses the file, or it is not that of the file beside it.
    """

    def __init__(
        self, path: str | Path, threads: int | None = None, trt: Any = None, device: Any = None
    ) -> None:
        self.trt = library() if trt is None else trt
        self.metadata = read_metadata(Path(path)) or {}
        self.device = _gpu(path) if device is None else device
        self.device.use()
        self._logger = logger_of(self.trt)
        self._runtime = self.trt.Runtime(self._logger)
        self.engine = self._runtime.deserialize_cuda_engine(Path(path).read_bytes())
        if self.engine is None:
            reason = " ".join(self._logger.errors[-1:]) or "not an engine of this version"
            raise ValueError(f"{path}: TensorRT: {reason}")
        self._context = self.engine.create_execution_context()
        self._stream = self.device.stream()
        self.inputs, self.outputs = self._tensors("INPUT"), self._tensors("OUTPUT")
        self.devices = (str(self.device.name),)

    def __call__(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """All outputs by name.

        Raises:
            ValueError: for an input outside the engine's sizes, or a failed run.
        """
        feed = {name: np.ascontiguousarray(x) for name, x in inputs.items()}
        for name, array in feed.items():
            if not self._context.set_input_shape(name, array.shape):
                raise ValueError(f"input {name!r}: {array.shape} is outside the engine's sizes")
        outputs = {each.name: self._empty(each) for each in self.outputs}
        addresses = {
            name: self.device.allocate(array.nbytes) for name, array in (feed | outputs).items()
        }
        try:
            self._run(feed, outputs, addresses)
        finally:
            for address in addresses.values():
                self.device.free(address)
        return outputs

    def _run(
        self,
        feed: Mapping[str, Array],
        outputs: Mapping[str, Array],
        addresses: Mapping[str, int],
    ) -> None:
        for name, address in addresses.items():
            self._context.set_tensor_address(name, address)
        for name, array in feed.items():
            self.device.upload(addresses[name], array)
        if not self._context.execute_async_v3(self._stream):
            raise ValueError(
                "TensorRT: " + (" ".join(self._logger.errors[-1:]) or "the run failed")
            )
        self.device.wait(self._stream)
        for name, array in outputs.items():
            self.device.download(array, addresses[name])

    def _tensors(self, mode: str) -> tuple[Tensor, ...]:
        """The engine's inputs or outputs; it says -1 for what is dynamic."""
        names = [self.engine.get_tensor_name(i) for i in range(self.engine.num_io_tensors)]
        wanted = getattr(self.trt.TensorIOMode, mode)
        return tuple(
            Tensor(
                name,
                np.dtype(self.trt.nptype(self.engine.get_tensor_dtype(name))).name,
                tuple("" if side < 0 else side for side in self.engine.get_tensor_shape(name)),
            )
            for name in names
            if self.engine.get_tensor_mode(name) == wanted
        )

    def _empty(self, tensor: Tensor) -> Array:
        return np.empty(tuple(self._context.get_tensor_shape(tensor.name)), tensor.dtype)


def _gpu(path: str | Path) -> Cuda:
    """The GPU that an engine runs on.

    Raises:
        NoGpuError: naming the engine, where there is none.
    """
    try:
        return Cuda()
    except NoGpuError as error:
        raise NoGpuError(f"{path}: {error}, which an engine runs on") from None
