"""Devices that artefacts are run and timed on: another machine, by ssh."""

from auxnas.backends.devices.artefacts import (
    DeviceRunner,
    check_target,
    device_model_opener,
    device_opener,
    device_times,
    read_files,
)
from auxnas.backends.devices.device import (
    PATIENCE,
    Device,
    DeviceFailure,
    device_text,
    latency_told,
)
from auxnas.backends.devices.ssh import parse_device

__all__ = [
    "PATIENCE",
    "Device",
    "DeviceFailure",
    "DeviceRunner",
    "check_target",
    "device_model_opener",
    "device_opener",
    "device_text",
    "device_times",
    "latency_told",
    "parse_device",
    "read_files",
]
