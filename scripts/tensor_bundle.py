"""Read the variables of a TensorFlow checkpoint ("tensor bundle") with numpy alone.

Its index is a LevelDB table: blocks of keys, each key sharing a beginning with the one before, and
at the end a block that finds the others. A value is a protocol buffer that says where in the data
file a variable lies (tensorflow/core/protobuf/tensor_bundle.proto).
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

FOOTER = 48  # bytes, which begin with the places of two blocks
FLOAT = 1  # of DataType
DTYPE, SHAPE, OFFSET, SIZE = 1, 2, 4, 5  # fields of BundleEntryProto
DIMENSION, EXTENT = 2, 1  # fields of TensorShapeProto and of its Dim


def read_bundle(index: Path, data: Path) -> dict[str, np.ndarray]:
    """Every float32 variable by its name. ValueError for an index that is compressed."""
    table, values = index.read_bytes(), data.read_bytes()
    _, _, offset, size = _varints(table, len(table) - FOOTER, 4)
    found = {}
    for _, handle in _entries(table, offset, size):
        for name, value in _entries(table, *_varints(handle, 0, 2)):
            entry = dict(_fields(value))
            if name and entry.get(DTYPE) == FLOAT:
                extents = [dict(_fields(dim)) for n, dim in _fields(entry[SHAPE]) if n == DIMENSION]
                start = entry.get(OFFSET, 0)
                flat = np.frombuffer(values[start : start + entry[SIZE]], np.float32)
                found[name.decode()] = flat.reshape([extent[EXTENT] for extent in extents])
    return found


def _entries(table: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of one block."""
    block = table[offset : offset + size]
    if table[offset + size] != 0:
        raise ValueError("the checkpoint's index is compressed: this reads plain ones alone")
    (restarts,) = struct.unpack("<I", block[-4:])
    place, key = 0, b""
    while place < len(block) - 4 - 4 * restarts:
        shared, place = _varint(block, place)
        own, place = _varint(block, place)
        length, place = _varint(block, place)
        key = key[:shared] + block[place : place + own]
        yield key, block[place + own : place + own + length]
        place += own + length


def _fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """Numbers and values of a protocol buffer's fields."""
    place = 0
    while place < len(message):
        tag, place = _varint(message, place)
        number, kind = tag >> 3, tag & 7
        if kind == 0:
            value, place = _varint(message, place)
            yield number, value
        else:
            length, place = _varint(message, place) if kind == 2 else (4 if kind == 5 else 8, place)
            yield number, message[place : place + length]
            place += length


def _varints(data: bytes, place: int, count: int) -> list[int]:
    found = []
    for _ in range(count):
        value, place = _varint(data, place)
        found.append(value)
    return found


def _varint(data: bytes, place: int) -> tuple[int, int]:
    """A number in seven bits a byte, least first, and the place after it."""
    value = shift = 0
    while True:
        byte = data[place]
        value |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return value, place
