"""Makes test/golden/finetune: a small convolutional VAE with residual blocks, group normalisation, SiLU and
attention, exported by both of PyTorch's exporters, and the loss terms and gradients that PyTorch computes.

    pip install torch==2.13.0 onnx onnxscript
    python test/golden/make-finetune-golden.py
"""

import json
from pathlib import Path

import torch
from torch import nn

FOLDER = Path(__file__).parent / "finetune"
OPSET = 18


class Residual(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.norm1 = nn.GroupNorm(2, channels)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm2 = nn.GroupNorm(2, channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x):
        h = self.conv1(nn.functional.silu(self.norm1(x)))
        return x + self.conv2(nn.functional.silu(self.norm2(h)))


class Attention(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.norm = nn.GroupNorm(2, channels)
        self.qkv = nn.Linear(channels, 3 * channels)
        self.out = nn.Linear(channels, channels)

    def forward(self, x):
        batch, channels, height, width = x.shape
        rows = self.norm(x).flatten(2).transpose(1, 2)
        q, k, v = self.qkv(rows).chunk(3, dim=-1)
        mixed = nn.functional.scaled_dot_product_attention(q.unsqueeze(1), k.unsqueeze(1), v.unsqueeze(1)).squeeze(1)
        return x + self.out(mixed).transpose(1, 2).reshape(batch, channels, height, width)


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 8, 3, stride=2, padding=1)
        self.block = Residual(8)
        self.attention = Attention(8)
        self.mean = nn.Linear(8 * 16, 3)
        self.log_variance = nn.Linear(8 * 16, 3)

    def forward(self, image):
        h = self.attention(self.block(self.stem(image))).flatten(1)
        return self.mean(h), self.log_variance(h)


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Linear(3, 8 * 16)
        self.block = Residual(8)
        self.attention = Attention(8)
        self.conv = nn.Conv2d(8, 4, 3, padding=1)
        self.up = nn.ConvTranspose2d(4, 1, 4, stride=2, padding=1)

    def forward(self, code):
        h = self.attention(self.block(self.stem(code).reshape(-1, 8, 4, 4)))
        return torch.sigmoid(self.up(nn.functional.silu(self.conv(h))))


def export(module, example, path, names, dynamo):
    rows = torch.export.Dim("rows", min=1, max=4096)
    where = {"dynamic_shapes": ({0: rows},)} if dynamo else {"dynamic_axes": {name: {0: "rows"} for names_ in names for name in names_}}
    torch.onnx.export(
        module, (example,), str(path), input_names=names[0], output_names=names[1], opset_version=OPSET, dynamo=dynamo,
        verbose=False, **({"external_data": False} if dynamo else {}), **where,
    )


def main():
    torch.manual_seed(0)
    FOLDER.mkdir(exist_ok=True)
    encoder, decoder = Encoder(), Decoder()
    generator = torch.Generator().manual_seed(1)
    image = torch.rand(5, 1, 8, 8, generator=generator)
    epsilon = torch.randn(5, 3, generator=generator)
    for exporter in ["torchscript", "dynamo"]:
        dynamo = exporter == "dynamo"
        export(encoder.eval(), image, FOLDER / f"{exporter}-encoder.onnx", (["image"], ["mean", "log_variance"]), dynamo)
        export(decoder.eval(), epsilon, FOLDER / f"{exporter}-decoder.onnx", (["code"], ["restored"]), dynamo)
    mean, log_variance = encoder(image)
    restored = decoder(mean + torch.exp(0.5 * log_variance) * epsilon)
    reconstruction = nn.functional.binary_cross_entropy(restored, image, reduction="sum") / len(image)
    kl = 0.5 * (mean**2 + log_variance.exp() - log_variance - 1).sum() / len(image)
    loss = reconstruction + kl
    loss.backward()
    gradients = {}
    for half, module in [("encoder", encoder), ("decoder", decoder)]:
        for name, parameter in module.named_parameters():
            gradients[f"{half}.{name}"] = [round(value, 9) for value in parameter.grad.flatten().tolist()]
    golden = {
        "torch": torch.__version__,
        "image": [round(value, 9) for value in image.flatten().tolist()],
        "epsilon": [round(value, 9) for value in epsilon.flatten().tolist()],
        "loss": loss.item(), "reconstruction": reconstruction.item(), "kl": kl.item(),
        "gradients": gradients,
    }
    (FOLDER / "golden.json").write_text(json.dumps(golden) + "\n")


main()
