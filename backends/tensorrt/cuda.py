"""The few calls of the CUDA driver that running an engine takes, without a package.

The driver's library is there wherever a GPU can be used. Signatures:
https://docs.nvidia.com/cuda/cuda-driver-api/
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from auxnas.backends.base import INCOMPLETE

Array = np.ndarray[Any, Any]

_MAJOR, _MINOR = 75, 76
"""CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR."""


class CudaError(RuntimeError):
    """There is no driver, no GPU, or a call failed; the message says which."""


class NoGpuError(CudaError):
    """There is no driver or no GPU."""

    exit_status = INCOMPLETE


def load_driver() -> Any:
    """The driver's library.

    Raises:
        NoGpuError: when it is not installed.
    """
    name = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    try:
        return ctypes.CDLL(name)
    except OSError:
        raise NoGpuError(f"no NVIDIA driver ({name})") from None


class Cuda:
    """The first GPU.

    Attributes:
        name: the device's.
        capability: (major, minor).

    Raises:
        NoGpuError: when there is none.
    """

    def __init__(self, driver: Any = None) -> None:
        self._driver = load_driver() if driver is None else driver
        if self._driver.cuInit(0) != 0:
            raise NoGpuError("no NVIDIA GPU")
        self._device = ctypes.c_int()
        if self._driver.cuDeviceGet(ctypes.byref(self._device), 0) != 0:
            raise NoGpuError("no NVIDIA GPU")
        name = ctypes.create_string_buffer(256)
        self._call("cuDeviceGetName", name, 256, self._device)
        self.name = name.value.decode()
        self.capability = (self._attribute(_MAJOR), self._attribute(_MINOR))

    def _attribute(self, number: int) -> int:
        value = ctypes.c_int()
        self._call("cuDeviceGetAttribute", ctypes.byref(value), number, self._device)
        return value.value

    def _call(self, function: str, *args: Any) -> None:
        status = getattr(self._driver, function)(*args)
        if status != 0:
            raise CudaError(f"{function}: CUDA error {status}")

    def use(self) -> None:
        """Makes the device's primary context the thread's."""
        context = ctypes.c_void_p()
        self._call("cuDevicePrimaryCtxRetain", ctypes.byref(context), self._device)
        self._call("cuCtxSetCurrent", context)

    def stream(self) -> int:
        """A new stream."""
        stream = ctypes.c_void_p()
        self._call("cuStreamCreate", ctypes.byref(stream), 0)
        return stream.value or 0

    def wait(self, stream: int) -> None:
        """Until all work of ``stream`` is done."""
        self._call("cuStreamSynchronize", ctypes.c_void_p(stream))

    def allocate(self, size: int) -> int:
        """The address of ``size`` bytes on the device."""
        address = ctypes.c_uint64()
        self._call("cuMemAlloc_v2", ctypes.byref(address), ctypes.c_size_t(size))
        return address.value

    def free(self, address: int) -> None:
        """Frees device memory at ``address``."""
        self._call("cuMemFree_v2", ctypes.c_uint64(address))

    def upload(self, address: int, array: Array) -> None:
        """Copies a contiguous array to the device."""
        self._call("cuMemcpyHtoD_v2", ctypes.c_uint64(address), *_host(array))

    def download(self, array: Array, address: int) -> None:
        """Fills a contiguous array from the device."""
        pointer, size = _host(array)
        self._call("cuMemcpyDtoH_v2", pointer, ctypes.c_uint64(address), size)


def missing_device(device: Callable[[], Cuda] = Cuda) -> str | None:
    """Reason that there is no GPU to run on; None where there is one."""
    try:
        device()
    except CudaError as error:
        return str(error)
    return None


def _host(array: Array) -> tuple[ctypes.c_void_p, ctypes.c_size_t]:
    return ctypes.c_void_p(array.ctypes.data), ctypes.c_size_t(array.nbytes)
