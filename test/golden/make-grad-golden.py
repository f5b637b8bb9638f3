"""Writes grad/*.json: gradients that PyTorch computes for a sample of every family of operators.

    python3 -m venv VENV && VENV/bin/pip install torch==2.13.0 numpy
    VENV/bin/python test/golden/make-grad-golden.py

The tests read the JSON files and never run Python. Inputs are float32 numbers; PyTorch computes in float64, and
results are rounded to float32. `weights` is the gradient that comes in at the output: the loss is sum(y * weights).
Arrays are flat and row-major. test/grad/golden.test.ts builds each case, by its name, in ONNX operators.
"""

import json
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

OUT = Path(__file__).resolve().parent / "grad"
FAMILIES: dict[str, list] = {}


def case(family, name, function, positive=False, ties=False, **shapes):
    """One case: `shapes` gives each input's shape, or the array itself for indices and exact values."""
    random = np.random.default_rng(abs(hash_of(name)) % 2**32)
    arrays = {}
    for key, shape in shapes.items():
        if isinstance(shape, np.ndarray):
            arrays[key] = shape
            continue
        values = random.uniform(0.3, 2.0, shape) if positive else random.uniform(-2.0, 2.0, shape)
        if ties:
            values = np.round(values)
        arrays[key] = values.astype(np.float32)
    tensors = {
        key: torch.tensor(array, dtype=torch.float64 if array.dtype == np.float32 else None)
        for key, array in arrays.items()
    }
    for tensor in tensors.values():
        if tensor.dtype == torch.float64:
            tensor.requires_grad_(True)
    y = function(*tensors.values())
    weights = random.standard_normal(tuple(y.shape)).astype(np.float32)
    (y * torch.tensor(weights, dtype=torch.float64)).sum().backward()
    FAMILIES.setdefault(family, []).append(
        {
            "name": name,
            "inputs": {key: pack(array) for key, array in arrays.items()},
            "weights": pack(weights),
            "output": pack(y.detach().numpy()),
            "gradients": {
                key: pack(tensor.grad.numpy()) for key, tensor in tensors.items() if tensor.grad is not None
            },
        }
    )


def hash_of(text):
    """FNV-1a: the same in every run of Python."""
    value = 2166136261
    for byte in text.encode():
        value = ((value ^ byte) * 16777619) % 2**32
    return value


def pack(array):
    array = np.asarray(array)
    if array.dtype.kind == "f":
        values = [float(np.format_float_positional(v, unique=True)) for v in array.astype(np.float32).ravel()]
    else:
        values = [int(v) for v in array.ravel()]
    return {"dtype": "float32" if array.dtype.kind == "f" else str(array.dtype), "dims": list(array.shape), "values": values}


def ints(*values, shape=None):
    array = np.array(values, dtype=np.int64)
    return array if shape is None else array.reshape(shape)


# Elementwise ------------------------------------------------------------------------------------------------

ACTIVATIONS = {
    "Relu": F.relu,
    "LeakyRelu": lambda x: F.leaky_relu(x, 0.2),
    "Elu": lambda x: F.elu(x, 0.8),
    "Selu": F.selu,
    "Celu": lambda x: F.celu(x, 1.5),
    "Gelu": F.gelu,
    "Gelu tanh": lambda x: F.gelu(x, approximate="tanh"),
    "SiLU": F.silu,
    "Sigmoid": torch.sigmoid,
    "HardSigmoid": F.hardsigmoid,
    "HardSwish": F.hardswish,
    "Softplus": F.softplus,
    "Softsign": F.softsign,
    "Mish": F.mish,
    "Tanh": torch.tanh,
    "Erf": torch.erf,
    "Softmax": lambda x: F.softmax(x, -1),
    "LogSoftmax": lambda x: F.log_softmax(x, 0),
    "Abs": torch.abs,
}
for name, function in ACTIVATIONS.items():
    case("activation", name, function, x=(4, 6))
case("activation", "Relu at zero", F.relu, ties=True, x=(4, 6))
case("activation", "Abs at zero", torch.abs, ties=True, x=(4, 6))
case("activation", "PRelu", lambda x, s: F.prelu(x, s), x=(2, 3, 4), s=(3,))

case("arithmetic", "Div broadcast", lambda a, b: a / b, positive=True, a=(2, 3, 4), b=(3, 1))
case("arithmetic", "Pow", lambda a, b: a**b, positive=True, a=(3, 4), b=(4,))
case("arithmetic", "Max with ties", torch.maximum, ties=True, a=(4, 6), b=(6,))
case("arithmetic", "Min with ties", torch.minimum, ties=True, a=(4, 6), b=(6,))
case("arithmetic", "Clip at its bounds", lambda x: torch.clamp(x, -1, 1), ties=True, x=(4, 6))
case("arithmetic", "Where", lambda a, b: torch.where(a > b, a * b, b - a), a=(3, 4), b=(4,))

# Products and reductions --------------------------------------------------------------------------------------

case("product", "Linear", lambda x, w, b: F.linear(x, w, b), x=(5, 4), w=(3, 4), b=(3,))
case("product", "MatMul broadcast", torch.matmul, a=(2, 1, 3, 4), b=(3, 4, 2))
case("product", "Einsum", lambda a, b: torch.einsum("bhqd,bhkd->bhqk", a, b), a=(2, 2, 3, 4), b=(2, 2, 5, 4))
case("product", "Attention", lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True),
     q=(2, 2, 4, 3), k=(2, 2, 4, 3), v=(2, 2, 4, 5))
case("product", "CrossEntropy", lambda x, t: F.cross_entropy(x, t), x=(5, 4), t=ints(0, 3, 1, 1, 2))

case("reduction", "Mean", lambda x: x.mean((0, 2)), x=(2, 3, 4))
case("reduction", "LogSumExp", lambda x: x.logsumexp(1), x=(3, 5))
case("reduction", "Max with ties (amax)", lambda x: x.amax(1), ties=True, x=(3, 6))
case("reduction", "Norm", lambda x: x.norm(dim=1), x=(3, 5))
case("reduction", "Norm of zeros", lambda x: x.norm(dim=1), x=np.array([[0, 0], [3, 4]], np.float32))
case("reduction", "Product with zeros", lambda x: x.prod(1), x=np.array([[1, 2, 0.5], [0, 3, 2], [0, 0, 1]], np.float32))
case("reduction", "CumSum", lambda x: x.cumsum(1), x=(3, 5))

# Convolution --------------------------------------------------------------------------------------------------

case("convolution", "Conv 3x3", lambda x, w, b: F.conv2d(x, w, b, padding=1), x=(2, 3, 5, 4), w=(4, 3, 3, 3), b=(4,))
case("convolution", "Conv many channels", lambda x, w: F.conv2d(x, w, padding=1), x=(2, 8, 4, 4), w=(3, 8, 3, 3))
case("convolution", "Conv stride 2", lambda x, w, b: F.conv2d(x, w, b, 2, 1), x=(2, 3, 6, 7), w=(4, 3, 4, 4), b=(4,))
case("convolution", "Conv groups", lambda x, w: F.conv2d(x, w, padding=1, groups=2), x=(2, 4, 4, 4), w=(4, 2, 3, 3))
case("convolution", "Conv dilated", lambda x, w: F.conv2d(x, w, dilation=2), x=(1, 8, 7, 6), w=(2, 8, 3, 2))
case("convolution", "Conv 1-D", lambda x, w, b: F.conv1d(x, w, b, 2, 1), x=(2, 3, 9), w=(4, 3, 3), b=(4,))
case("convolution", "Conv 3-D", lambda x, w: F.conv3d(x, w, padding=1), x=(1, 2, 3, 4, 3), w=(2, 2, 3, 3, 3))
case("convolution", "ConvTranspose stride 2", lambda x, w, b: F.conv_transpose2d(x, w, b, 2, 1), x=(2, 3, 3, 4), w=(3, 2, 4, 4), b=(2,))
case("convolution", "ConvTranspose output padding", lambda x, w: F.conv_transpose2d(x, w, stride=2, padding=1, output_padding=1, groups=2),
     x=(2, 4, 3, 3), w=(4, 2, 3, 3))

# Images -------------------------------------------------------------------------------------------------------

case("image", "MaxPool 2", lambda x: F.max_pool2d(x, 2), x=(2, 3, 4, 6))
case("image", "MaxPool 3", lambda x: F.max_pool2d(x, 3, 2, 1), x=(2, 3, 5, 6))
case("image", "AveragePool", lambda x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False), x=(2, 3, 5, 6))
case("image", "AveragePool with padding", lambda x: F.avg_pool2d(x, 3, 2, 1), x=(2, 3, 5, 6))
case("image", "Nearest", lambda x: F.interpolate(x, scale_factor=2), x=(2, 3, 3, 4))
case("image", "Bilinear", lambda x: F.interpolate(x, scale_factor=2, mode="bilinear"), x=(2, 3, 3, 4))
case("image", "Bilinear, corners aligned", lambda x: F.interpolate(x, size=(5, 7), mode="bilinear", align_corners=True), x=(2, 3, 3, 4))
case("image", "Bicubic", lambda x: F.interpolate(x, scale_factor=2, mode="bicubic"), x=(1, 2, 4, 4))
case("image", "PixelShuffle", lambda x: F.pixel_shuffle(x, 2), x=(2, 8, 2, 3))
case("image", "Pad reflect", lambda x: F.pad(x, (1, 2, 2, 1), "reflect"), x=(2, 3, 4, 5))
case("image", "Pad edge", lambda x: F.pad(x, (1, 2, 2, 1), "replicate"), x=(2, 3, 4, 5))
case("image", "Pad constant", lambda x: F.pad(x, (1, 2, 2, 1), value=0.5), x=(2, 3, 4, 5))

# Normalisation ------------------------------------------------------------------------------------------------

case("normalization", "BatchNorm", lambda x, s, b: F.batch_norm(x, None, None, s, b, training=True), x=(3, 4, 2, 3), s=(4,), b=(4,))
case("normalization", "InstanceNorm", lambda x, s, b: F.instance_norm(x, weight=s, bias=b), x=(2, 4, 3, 4), s=(4,), b=(4,))
case("normalization", "GroupNorm", lambda x, s, b: F.group_norm(x, 2, s, b), x=(2, 4, 3, 4), s=(4,), b=(4,))
case("normalization", "LayerNorm", lambda x, s, b: F.layer_norm(x, (3, 4), s, b), x=(2, 3, 4), s=(3, 4), b=(3, 4))
case("normalization", "RMSNorm", lambda x, s: F.rms_norm(x, (4,), s, 1e-5), x=(2, 3, 4), s=(4,))
case("normalization", "Normalize", lambda x: F.normalize(x, dim=1), x=(2, 3, 4))

# Indexing -----------------------------------------------------------------------------------------------------

case("indexing", "Embedding", lambda w, i: F.embedding(i, w), w=(5, 3), i=ints(1, 4, 1, 0, 2, 1, shape=(2, 3)))
case("indexing", "Gather", lambda x, i: torch.gather(x, 1, i), x=(3, 4), i=ints(0, 2, 2, 1, 1, 3, shape=(3, 2)))
case("indexing", "ScatterAdd", lambda x, i, u: x.scatter_add(1, i, u), x=(2, 4), i=ints(0, 1, 1, 3, 3, 3, shape=(2, 3)), u=(2, 3))
case("indexing", "Slice", lambda x: x[1:, ::2] * 2, x=(4, 7))
case("indexing", "Concat", lambda a, b: torch.cat([a, b, a], 1).sin(), a=(2, 3), b=(2, 2))
case("indexing", "Tile", lambda x: x.repeat(2, 3).sin() * torch.arange(36).reshape(4, 9), x=(2, 3))


def main():
    OUT.mkdir(exist_ok=True)
    for family, cases in FAMILIES.items():
        lines = ",\n".join(json.dumps(each, separators=(",", ":")) for each in cases)
        (OUT / f"{family}.json").write_text(f'{{"torch":"{torch.__version__}","cases":[\n{lines}\n]}}\n')
    print({family: len(cases) for family, cases in FAMILIES.items()})


main()
