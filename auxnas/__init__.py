"""Neural architecture search for compact dense-prediction networks.

The front door; each name is imported when it is first used, so that this alone loads nothing:

    space = auxnas.SearchSpace.cvpr2019()
    found = auxnas.search("list:DIR", "runs/mine", preset="small", trials=50)
    report = auxnas.compile("arch0", "arch0.onnx", weights="arch0.safetensors")
    labels = auxnas.load("arch0.onnx").predict("photograph.jpg")
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from auxnas.api import compile, load
    from auxnas.genotype import Genotype, SearchSpace
    from auxnas.nassearch.function import search

__all__ = ["Genotype", "SearchSpace", "__version__", "compile", "load", "search"]
__version__ = version("auxnas")

if not TYPE_CHECKING:
    _HOMES = {
        "Genotype": "auxnas.genotype",
        "SearchSpace": "auxnas.genotype",
        "compile": "auxnas.api",
        "load": "auxnas.api",
    }

    def __getattr__(name: str) -> Any:
        if name == "search":  # the package, which is called like a function
            return import_module("auxnas.search")
        if name not in _HOMES:
            raise AttributeError(f"module 'auxnas' has no attribute {name!r}")
        globals()[name] = found = getattr(import_module(_HOMES[name]), name)
        return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
