"""Numbers from a formula that every language computes exactly: the inputs of golden files too large to store.

test/golden/formula.ts is the same in TypeScript; keep the two alike.
"""

import numpy as np

FORMULA = {
    "mix": "x ^= x >>> 16; x = x * 0x7feb352d; x ^= x >>> 15; x = x * 0x846ca68b; x ^= x >>> 16 (32-bit unsigned)",
    "hash": "h(stream, index) = mix(mix(stream) + index) (32-bit unsigned)",
    "uniform": "u(stream, index) = ((h(stream, index) >>> 8) * 2^-23 - 1) * scale, scale a power of two: in [-scale, scale)",
    "normal": "n(stream, index): a = h(stream, 2 * index), b = h(stream, 2 * index + 1); "
    "s = (a >>> 16) + (a & 0xffff) + (b >>> 16) + (b & 0xffff) - 131070; n = s * 7 / 2^18: "
    "nearly normal, standard deviation 1.01",
    "pixel": "p(stream, index): h = h(stream, index); (h >>> 8) % 4 == 0 ? (h & 0xff) / 256 : 0",
    "sign": "s(stream, index) = h(stream, index) >>> 31 ? -1 : 1",
    "exactness": "every value fits in float32 without rounding",
}


def mix(x):
    x = np.asarray(x, dtype=np.uint32)
    x = x ^ (x >> np.uint32(16))
    x = x * np.uint32(0x7FEB352D)
    x = x ^ (x >> np.uint32(15))
    x = x * np.uint32(0x846CA68B)
    return x ^ (x >> np.uint32(16))


def hashes(stream, start, count):
    with np.errstate(over="ignore"):
        return mix(mix(np.uint32(stream)) + np.arange(start, start + count, dtype=np.uint32))


def uniform(stream, shape, scale):
    h = hashes(stream, 0, int(np.prod(shape, dtype=np.int64)))
    return (((h >> np.uint32(8)).astype(np.float64) * 2.0**-23 - 1.0) * scale).astype(np.float32).reshape(shape)


def normal(stream, shape):
    count = int(np.prod(shape, dtype=np.int64))
    h = hashes(stream, 0, 2 * count).reshape(count, 2).astype(np.int64)
    s = (h >> 16).sum(axis=1) + (h & 0xFFFF).sum(axis=1) - 131070
    return (s.astype(np.float64) * 7.0 / 2.0**18).astype(np.float32).reshape(shape)


def pixels(stream, shape):
    h = hashes(stream, 0, int(np.prod(shape, dtype=np.int64)))
    value = np.where((h >> np.uint32(8)) % np.uint32(4) == 0, h & np.uint32(0xFF), np.uint32(0))
    return (value.astype(np.float64) / 256.0).astype(np.float32).reshape(shape)


def signs(stream, count):
    return np.where(hashes(stream, 0, count) >> np.uint32(31), -1.0, 1.0)
