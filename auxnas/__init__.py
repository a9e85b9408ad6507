"""Neural architecture search for compact dense-prediction networks."""

from importlib.metadata import version

__version__ = version("auxnas")
