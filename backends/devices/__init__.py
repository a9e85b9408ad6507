"""Devices that artefacts are timed on: another machine, by ssh."""

from auxnas.backends.devices.ssh import DeviceFailure, SshDevice, parse_device

__all__ = ["DeviceFailure", "SshDevice", "parse_device"]
