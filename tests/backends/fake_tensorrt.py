"""A TensorRT and a CUDA driver that do in memory what the documented calls say.

Only what both TensorRT 10 and 11 document is here, so that anything else raises
AttributeError. An "engine" is the ONNX itself, run by onnxruntime.
"""

from __future__ import annotations

import ctypes
import enum
import json
from types import SimpleNamespace

import numpy as np
import onnx

from auxnas.backends.runtimes.ort import OrtRunner

MAGIC = b"engine:"


class Severity(enum.IntEnum):
    INTERNAL_ERROR = 0
    ERROR = 1
    WARNING = 2


class ILogger:
    def __init__(self) -> None:
        self.ready = True

    def log(self, severity, message):
        raise NotImplementedError


class Network:
    model: bytes = b""


class OnnxParser:
    def __init__(self, network: Network, logger: ILogger) -> None:
        self.network, self.num_errors = network, 0

    def parse(self, model: bytes) -> bool:
        try:
            onnx.checker.check_model(onnx.load_from_string(model))
        except Exception:
            self.num_errors = 1
            return False
        self.network.model = model
        return True

    def get_error(self, index: int):
        return SimpleNamespace(
            desc=lambda: f"error {index}: not a model",
            node_name=lambda: "",
            node_operator=lambda: "",
        )


class Profile:
    def __init__(self) -> None:
        self.shapes = {}

    def set_shape(self, input, min, opt, max) -> None:
        if not all(a <= b <= c for a, b, c in zip(min, opt, max, strict=True)):
            raise ValueError(f"{input}: {min}, {opt}, {max}")
        self.shapes[input] = (tuple(min), tuple(opt), tuple(max))


class Config:
    def __init__(self) -> None:
        self.cleared, self.profiles = [], []

    def clear_flag(self, flag) -> None:
        self.cleared.append(flag)

    def add_optimization_profile(self, profile: Profile) -> int:
        self.profiles.append(profile)
        return len(self.profiles) - 1


class Builder:
    def __init__(self, logger: ILogger, library: FakeTensorrt) -> None:
        self.logger, self.library = logger, library

    def create_network(self, flags: int = 0) -> Network:
        self.library.flags.append(flags)
        return Network()

    def create_builder_config(self) -> Config:
        return Config()

    def create_optimization_profile(self) -> Profile:
        return Profile()

    def build_serialized_network(self, network: Network, config: Config):
        self.library.configs.append(config)
        if self.library.fails:
            self.logger.log(Severity.WARNING, "slow")
            self.logger.log(Severity.ERROR, "no kernel for this\nGPU")
            return None
        shapes = json.dumps(config.profiles[0].shapes if config.profiles else {})
        return memoryview(MAGIC + shapes.encode() + b"\n" + network.model)


class Mode(enum.Enum):
    INPUT, OUTPUT = 1, 2


class Context:
    def __init__(self, engine: Engine) -> None:
        self.engine, self.given, self.addresses = engine, {}, {}

    def set_input_shape(self, name: str, shape) -> bool:
        least, _, most = self.engine.profile.get(name, (shape, shape, shape))
        self.given[name] = tuple(shape)
        return all(a <= b <= c for a, b, c in zip(least, shape, most, strict=True))

    def get_tensor_shape(self, name: str):
        zeros = {n: np.zeros(s, self.engine.types[n]) for n, s in self.given.items()}
        return self.engine.run(zeros)[name].shape

    def set_tensor_address(self, name: str, address: int) -> bool:
        self.addresses[name] = address
        return True

    def execute_async_v3(self, stream_handle: int) -> bool:
        feed = {}
        for name, shape in self.given.items():
            kind = np.dtype(self.engine.types[name])
            data = ctypes.string_at(self.addresses[name], int(np.prod(shape)) * kind.itemsize)
            feed[name] = np.frombuffer(data, kind).reshape(shape)
        for name, array in self.engine.run(feed).items():
            array = np.ascontiguousarray(array)
            ctypes.memmove(self.addresses[name], array.ctypes.data, array.nbytes)
        return stream_handle != 0


class Engine:
    def __init__(self, data: bytes) -> None:
        shapes, _, model = data.removeprefix(MAGIC).partition(b"\n")
        self.profile, self.run = json.loads(shapes), OrtRunner(model)
        graph = onnx.load_from_string(model).graph
        self.types, self.shapes = {}, {}
        for value in (*graph.input, *graph.output):
            kind = value.type.tensor_type
            self.types[value.name] = onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type)
            self.shapes[value.name] = tuple(d.dim_value or -1 for d in kind.shape.dim)
        self._inputs = {value.name for value in graph.input}
        self.num_io_tensors = len(self.types)

    def get_tensor_name(self, index: int) -> str:
        return list(self.types)[index]

    def get_tensor_mode(self, name: str) -> Mode:
        return Mode.INPUT if name in self._inputs else Mode.OUTPUT

    def get_tensor_dtype(self, name: str):
        return self.types[name]

    def get_tensor_shape(self, name: str):
        return self.shapes[name]

    def create_execution_context(self) -> Context:
        return Context(self)


class Runtime:
    def __init__(self, logger: ILogger) -> None:
        self.logger = logger

    def deserialize_cuda_engine(self, serialized_engine: bytes):
        if not serialized_engine.startswith(MAGIC):
            self.logger.log(Severity.ERROR, "serialized by another version")
            return None
        return Engine(serialized_engine)


class FakeTensorrt:
    """The module; counts what is built."""

    def __init__(self, version: str = "10.9.0.34", fails: bool = False) -> None:
        self.__version__ = version
        self.fails, self.flags, self.configs = fails, [], []
        self.ILogger, self.Logger = ILogger, Severity
        self.NetworkDefinitionCreationFlag = SimpleNamespace(STRONGLY_TYPED=1)
        self.BuilderFlag = SimpleNamespace(TF32="TF32")
        self.OnnxParser, self.Runtime, self.TensorIOMode = OnnxParser, Runtime, Mode
        self.nptype = np.dtype

    def Builder(self, logger: ILogger) -> Builder:
        assert logger.ready
        return Builder(logger, self)


class FakeDriver:
    """libcuda with one device, whose memory is this process's."""

    def __init__(self, devices: int = 1, name: bytes = b"Fake GPU", status: int = 0) -> None:
        self.devices, self.name, self.status = devices, name, status
        self.memory: dict[int, object] = {}

    def cuInit(self, flags: int) -> int:
        return self.status

    def cuDeviceGet(self, device, ordinal: int) -> int:
        device._obj.value = ordinal
        return 0 if ordinal < self.devices else 101

    def cuDeviceGetName(self, name, length: int, device) -> int:
        name.value = self.name[: length - 1]
        return 0

    def cuDeviceGetAttribute(self, value, attribute: int, device) -> int:
        value._obj.value = {75: 9, 76: 0}[attribute]
        return 0

    def cuDevicePrimaryCtxRetain(self, context, device) -> int:
        context._obj.value = 1
        return 0

    def cuCtxSetCurrent(self, context) -> int:
        return 0 if context.value else 201

    def cuStreamCreate(self, stream, flags: int) -> int:
        stream._obj.value = 7
        return 0

    def cuStreamSynchronize(self, stream) -> int:
        return 0 if stream.value == 7 else 400

    def cuMemAlloc_v2(self, address, size) -> int:
        buffer = ctypes.create_string_buffer(size.value)
        address._obj.value = ctypes.addressof(buffer)
        self.memory[ctypes.addressof(buffer)] = buffer
        return 0

    def cuMemFree_v2(self, address) -> int:
        return 0 if self.memory.pop(address.value, None) is not None else 1

    def cuMemcpyHtoD_v2(self, address, pointer, size) -> int:
        ctypes.memmove(address.value, pointer.value, size.value)
        return 0

    def cuMemcpyDtoH_v2(self, pointer, address, size) -> int:
        ctypes.memmove(pointer.value, address.value, size.value)
        return 0
