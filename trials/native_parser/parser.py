"""The parser of native TensorRT, without a driver: it fills a stand-in for a network."""

import ctypes
from pathlib import Path
from typing import NamedTuple

from trials.native_parser.network import Network
from trials.native_parser.objects import Shape, instance, place_of, table

_VERSION = 100
"""Of the parser's interface, NV_ONNX_PARSER_VERSION."""
_PARSER = (
    "parse parseFromFile supportsModel parseWithWeightDescriptors supportsOperator getNbErrors "
    "getError"
)
_ERROR = "code desc file line func node nodeName nodeOperator"


class Parsed(NamedTuple):
    """What became of a model."""

    reasons: list[str]
    """Why it is refused; none where it is taken."""
    outputs: dict[str, Shape]
    n_layers: int
    warnings: list[str]
    """Where the network was asked for what no network would do."""


class NativeParser:
    """The parser of a TensorRT 10.15.

    Args:
        folder: of its libraries.
    """

    def __init__(self, folder: Path) -> None:
        runtime = ctypes.CDLL(str(folder / "libnvinfer.so.10"), ctypes.RTLD_GLOBAL)
        runtime.getPluginRegistry.restype = ctypes.c_void_p
        self._registry = runtime.getPluginRegistry()
        self._library = ctypes.CDLL(str(folder / "libnvonnxparser.so.10"))
        self._make = self._library.createNvOnnxParser_INTERNAL
        self._make.restype = ctypes.c_void_p
        self._make.argtypes = ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int
        self._log = instance(table())

    def knows(self, operator: str) -> bool:
        """Whether it knows an operator of this name."""
        parser = self._make(Network(self._registry).address, self._log, _VERSION)
        place = place_of("supportsOperator", _PARSER)
        ask = _function(parser, place, ctypes.c_bool, ctypes.c_char_p)
        return bool(ask(parser, operator.encode()))

    def parse(self, content: bytes) -> Parsed:
        """Parse all of an ONNX file."""
        network = Network(self._registry)
        parser = self._make(network.address, self._log, _VERSION)
        arguments = ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p
        parse = _function(parser, place_of("parse", _PARSER), ctypes.c_bool, *arguments)
        is_taken = parse(parser, content, len(content), None)
        return Parsed(
            [] if is_taken else self._reasons(parser),
            {_text(one.name): one.shape() for one in network.outputs},
            network.graph.n_layers,
            network.graph.warnings,
        )

    def _reasons(self, parser: int) -> list[str]:
        count = _function(parser, place_of("getNbErrors", _PARSER), ctypes.c_int)
        get = _function(parser, place_of("getError", _PARSER), ctypes.c_void_p, ctypes.c_int)
        found: dict[str, None] = {}
        for place in range(count(parser)):
            error = get(parser, place)
            operator, why = (
                _function(error, place_of(name, _ERROR), ctypes.c_char_p)(error) or b""
                for name in ("nodeOperator", "desc")
            )
            found[f"operator {operator.decode()}: {why.decode()}"] = None
        return list(found)


def _function(of: int, place: int, answer: type, *arguments: type) -> "ctypes._CFunctionType":
    """A virtual function of a C++ object."""
    functions = ctypes.cast(of, ctypes.POINTER(ctypes.POINTER(ctypes.c_void_p)))[0]
    return ctypes.CFUNCTYPE(answer, ctypes.c_void_p, *arguments)(functions[place] or 0)


def _text(name: ctypes.c_char_p) -> str:
    return (name.value or b"").decode()
