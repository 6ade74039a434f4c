"""Writes which of ONNX's operators the parser of native TensorRT knows: tests hold models against
it.

The parser answers that without a driver, unlike all else: it needs a network, and asks it nothing.
So it gets one that is none. NVIDIA's header NvOnnxParser.h of TensorRT 10 says where in a parser
the answer is.

    mvn dependency:copy -DoutputDirectory=. \\
      -Dartifact=org.bytedeco:tensorrt:10.15-1.5.13:jar:linux-x86_64-redist
    unzip -j tensorrt-10.15-1.5.13-linux-x86_64-redist.jar '*/libnvonnxparser.so.10'
    python -m scripts.tensorrt_operators libnvonnxparser.so.10 \\
      > tests/support/tensorrt/operators.json
"""

import ctypes
import json
import sys
from pathlib import Path

import onnx.defs

_N_FUNCTIONS = 200
"""More than any class of TensorRT has."""
_VERSION = 100
"""Of the parser's interface, NV_ONNX_PARSER_VERSION."""
_SUPPORTS_OPERATOR = 4
"""Of IParser's functions, behind parse, parseFromFile, supportsModel and
parseWithWeightDescriptors."""
_Nothing = ctypes.CFUNCTYPE(ctypes.c_void_p)
_SupportsOperator = ctypes.CFUNCTYPE(ctypes.c_bool, ctypes.c_void_p, ctypes.c_char_p)


def known_operators(library: Path) -> list[str]:
    """Names of ONNX's operators, `ai.onnx.ml` among them, that a parser knows."""
    nothing = _Nothing(lambda: None)
    address = ctypes.cast(nothing, ctypes.c_void_p).value
    functions = (ctypes.c_void_p * _N_FUNCTIONS)(*[address] * _N_FUNCTIONS)
    inner = (ctypes.c_void_p * 1)(ctypes.addressof(functions))
    outer = (ctypes.c_void_p * 2)(ctypes.addressof(functions), ctypes.addressof(inner))
    parsers = ctypes.CDLL(str(library))
    parsers.createNvOnnxParser_INTERNAL.restype = ctypes.c_void_p
    parsers.createNvOnnxParser_INTERNAL.argtypes = ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int
    parser = parsers.createNvOnnxParser_INTERNAL(
        ctypes.addressof(outer), ctypes.addressof(outer), _VERSION
    )
    if not parser:
        sys.exit(f"{library}: makes no parser of version {_VERSION}: is it of TensorRT 10?")
    table = ctypes.cast(parser, ctypes.POINTER(ctypes.POINTER(ctypes.c_void_p)))[0]
    knows = _SupportsOperator(table[_SUPPORTS_OPERATOR])
    names = {schema.name for schema in onnx.defs.get_all_schemas()}
    return sorted(name for name in names if knows(parser, name.encode()))


if __name__ == "__main__":
    print(json.dumps(known_operators(Path(sys.argv[1])), indent=0))
