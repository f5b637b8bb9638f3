"""Makes test/golden/imports: small VAEs as PyTorch's two exporters write them, with outputs and endings of many kinds, what
PyTorch computes of them, and its losses over five steps of SGD without noise.

    pip install torch==2.13.0 onnx onnxscript
    python test/golden/make-imports-golden.py
"""

import json
import sys
from pathlib import Path

import onnx
import torch
from torch import nn
from torch.nn import functional as F

FOLDER = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "imports"
DATA, LATENT, ROWS = 6, 2, 8


class Encoder(nn.Module):
    def __init__(self, heads):
        super().__init__()
        self.body = nn.Linear(DATA, 8)
        self.norm1 = nn.LayerNorm(8)
        self.mid = nn.Linear(8, 8)
        self.norm2 = nn.LayerNorm(8)
        self.a = nn.Linear(8, LATENT)
        self.b = nn.Linear(8, LATENT)
        self.heads = heads

    def parts(self, x):
        h = torch.tanh(self.norm1(self.body(x)))
        h = torch.tanh(self.norm2(self.mid(h)))
        return self.a(h), self.b(h)

    def forward(self, x):
        return self.heads(*self.parts(x))


class Decoder(nn.Module):
    def __init__(self, end):
        super().__init__()
        self.f = nn.Linear(LATENT, 8)
        self.o = nn.Linear(8, DATA)
        self.end = end

    def forward(self, z):
        return self.end(self.o(F.leaky_relu(self.f(z))))


def draw(mean, std):
    return mean + std * torch.randn_like(std)


# Heads: what the encoder gives, the names of that, and the log-variance it means.
HEADS = {
    "std": (lambda a, b: (F.softplus(b) + 1e-3, a), ["std", "mean"], lambda b: 2 * torch.log(F.softplus(b) + 1e-3)),
    "drawn": (lambda a, b: (b, a, draw(a, torch.exp(0.5 * b))), ["output_0", "output_1", "output_2"], lambda b: b),
    "log_std": (lambda a, b: (a, b.clamp(-5, 2)), ["mu", "log_std"], lambda b: 2 * b.clamp(-5, 2)),
    "chunked": (lambda a, b: torch.cat([a, b], 1).chunk(2, dim=1), ["mu", "logvar"], lambda b: b),
}
ENDS = {
    "clamped": (lambda y: torch.sigmoid(y).clamp(1e-6, 1 - 1e-6), "probabilities"),
    "tanh01": (lambda y: (torch.tanh(y) + 1) / 2, "probabilities"),
    "linear": (lambda y: y, "logits"),
    "hard": (lambda y: F.hardsigmoid(y) * 0.98 + 0.01, "probabilities"),
}
MODELS = [
    ("dynamo", 20, "std", "clamped"),
    ("dynamo", 23, "drawn", "tanh01"),
    ("torchscript", 17, "log_std", "linear"),
    ("torchscript", 13, "chunked", "hard"),
]


def export(module, example, path, names, exporter, opset):
    inputs = ["x"]
    if exporter == "torchscript":
        axes = {name: {0: "N"} for name in inputs + names}
        torch.onnx.export(
            module, (example,), path, input_names=inputs, output_names=names, dynamic_axes=axes, opset_version=opset, dynamo=False
        )
    else:
        torch.onnx.export(
            module, (example,), path, input_names=inputs, output_names=names, opset_version=opset, dynamo=True,
            dynamic_shapes=({0: torch.export.Dim("N")},), external_data=False,
        )
    strip(path)


def strip(path):
    """Without the stack traces of the machine that exported it."""
    model = onnx.load(path)
    for part in [model, model.graph, *model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output]:
        del part.metadata_props[:]
    for part in [model, model.graph, *model.graph.node]:
        part.doc_string = ""
    onnx.save(model, path)


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    golden = {}
    for exporter, opset, heads, end in MODELS:
        torch.manual_seed(7)
        give, names, meaning = HEADS[heads]
        finish, values = ENDS[end]
        encoder, decoder = Encoder(give).eval(), Decoder(finish).eval()
        x = torch.rand(ROWS, DATA)
        name = f"{exporter}-{heads}-{end}"
        export(encoder, x, str(FOLDER / f"{name}-encoder.onnx"), names, exporter, opset)
        export(decoder, torch.randn(ROWS, LATENT), str(FOLDER / f"{name}-decoder.onnx"), ["y"], exporter, opset)
        with torch.no_grad():
            a, b = encoder.parts(x)
            decoded = decoder(a)
            entry = {
                "x": x.flatten().tolist(),
                "mean": a.flatten().tolist(),
                "logVariance": meaning(b).flatten().tolist(),
                "decoded": (torch.sigmoid(decoded) if values == "logits" else decoded).flatten().tolist(),
                "opset": opset,
                "values": values,
            }
        # Five steps of SGD on the negative ELBO at z = mean: with noise, random numbers would have to agree.
        parameters = [*encoder.parameters(), *decoder.parameters()]
        optimizer = torch.optim.SGD(parameters, lr=0.02)
        losses = []
        for _ in range(5):
            a, b = encoder.parts(x)
            logvar = meaning(b)
            y = decoder(a)
            loss = F.binary_cross_entropy_with_logits if values == "logits" else F.binary_cross_entropy
            reconstruction = loss(y, x, reduction="none").sum(1).mean()
            kl = 0.5 * (a * a + logvar.exp() - 1 - logvar).sum(1).mean()
            optimizer.zero_grad()
            (reconstruction + kl).backward()
            optimizer.step()
            losses.append([reconstruction.item(), kl.item()])
        golden[name] = {**entry, "losses": losses}
    (FOLDER / "golden.json").write_text(json.dumps(golden) + "\n")


main()
