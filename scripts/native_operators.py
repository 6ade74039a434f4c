"""Writes which operators of ONNX the parser of native TensorRT 10.15 knows: tests hold models
against them.

TensorRT makes no network without a driver. For this one question the parser needs none: it gets a
stand-in that answers nothing, but where plugins are registered. Get the libraries first:

    mvn dependency:copy -DoutputDirectory=. \\
      -Dartifact=org.bytedeco:tensorrt:10.15-1.5.13:jar:linux-x86_64-redist
    unzip -j tensorrt-10.15-1.5.13-linux-x86_64-redist.jar '*.so*' -d native
    python -m scripts.native_operators native > tests/support/tensorrt/operators.json
"""

import ctypes
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import onnx.defs

_VERSION = 100
"""Of the parser's interface, NV_ONNX_PARSER_VERSION."""
_SUPPORTS_OPERATOR = 4
"""Place of this virtual function of a parser."""
_MOST_FUNCTIONS = 200
"""More than any class has."""


class NativeParser:
    """The parser of a TensorRT 10.15 on x86-64.

    Args:
        folder: of its libraries.
    """

    def __init__(self, folder: Path) -> None:
        runtime = ctypes.CDLL(str(folder / "libnvinfer.so.10"), ctypes.RTLD_GLOBAL)
        runtime.getPluginRegistry.restype = ctypes.c_void_p
        library = ctypes.CDLL(str(folder / "libnvonnxparser.so.10"))
        make = library.createNvOnnxParser_INTERNAL
        make.restype, make.argtypes = (
            ctypes.c_void_p,
            (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int),
        )
        self._kept: list[Any] = [library]
        registry = runtime.getPluginRegistry()
        builder = self._instance(self._table(0), self._instance(self._table(registry)))
        network = self._instance(self._table(builder), self._instance(self._table(0)))
        self._parser: int = make(network, self._instance(self._table(0)), _VERSION)

    def knows(self, operator: str) -> bool:
        """Whether it knows an operator of this name."""
        functions = ctypes.cast(self._parser, ctypes.POINTER(ctypes.POINTER(ctypes.c_void_p)))[0]
        ask = ctypes.CFUNCTYPE(ctypes.c_bool, ctypes.c_void_p, ctypes.c_char_p)(
            functions[_SUPPORTS_OPERATOR] or 0
        )
        return bool(ask(self._parser, operator.encode()))

    def _table(self, answer: int) -> int:
        """Virtual functions that all give one answer."""
        function = ctypes.CFUNCTYPE(ctypes.c_void_p)(lambda: answer)
        address = ctypes.cast(function, ctypes.c_void_p).value
        return self._keep(
            (ctypes.c_void_p * _MOST_FUNCTIONS)(*[address] * _MOST_FUNCTIONS), function
        )

    def _instance(self, table: int, *fields: int) -> int:
        """A C++ object with these virtual functions, and these addresses behind them."""
        return self._keep((ctypes.c_void_p * (1 + len(fields)))(table, *fields))

    def _keep(self, made: Any, *parts: Any) -> int:
        self._kept += [made, *parts]
        return ctypes.addressof(made)


def main(words: Sequence[str]) -> None:
    """Print the names as JSON."""
    [folder] = words
    parser = NativeParser(Path(folder))
    names = sorted({schema.name for schema in onnx.defs.get_all_schemas()})
    print(json.dumps([name for name in names if parser.knows(name)], indent=0))


if __name__ == "__main__":
    main(sys.argv[1:])
