"""Writes import/: small autoencoders in the layout that Hugging Face's exporter writes, and what PyTorch computes with them.

    python3 -m venv VENV && VENV/bin/pip install torch==2.13.0 numpy onnx onnxscript diffusers
    VENV/bin/python test/golden/make-import-golden.py

The networks are diffusers' AutoencoderKL (residual blocks, group normalisation, SiLU, attention in the middle
block) with random weights. The tests read the ONNX and JSON files; they never run Python.
"""

import json
import shutil
import sys
from pathlib import Path

import onnx
import torch
from diffusers import AutoencoderKL

sys.path.insert(0, str(Path(__file__).resolve().parent))

OUT = Path(__file__).resolve().parent / "import"
OPSET = 18

BASE = dict(
    in_channels=3,
    out_channels=3,
    down_block_types=("DownEncoderBlock2D",) * 3,
    up_block_types=("UpDecoderBlock2D",) * 3,
    block_out_channels=(8, 8, 16),
    layers_per_block=1,
    norm_num_groups=4,
    latent_channels=4,
    sample_size=32,
)


class Encoder(torch.nn.Module):
    def __init__(self, vae, sample):
        super().__init__()
        self.vae, self.sample = vae, sample

    def forward(self, sample):
        moments = self.vae.encoder(sample)
        if self.vae.quant_conv is not None:
            moments = self.vae.quant_conv(moments)
        if not self.sample:
            return moments
        return moments.chunk(2, dim=1)[0]


class Decoder(torch.nn.Module):
    def __init__(self, vae):
        super().__init__()
        self.vae = vae

    def forward(self, latent_sample):
        return self.vae.decode(latent_sample, return_dict=False)[0]


def make(seed, **changes):
    torch.manual_seed(seed)
    vae = AutoencoderKL(**{**BASE, **changes}).eval()
    with torch.no_grad():
        # Untrained, these give next to nothing: make means and variances worth comparing.
        vae.encoder.conv_out.weight *= 3
        vae.decoder.conv_out.weight *= 3
    return vae


def export(module, args, path, input_name, output_name, dynamic, external=False):
    path.parent.mkdir(parents=True, exist_ok=True)
    axes = None
    if dynamic:
        named = {0: "batch", 2: "height", 3: "width"}
        axes = {input_name: named, output_name: {0: "batch", 2: "out_height", 3: "out_width"}}
    torch.onnx.export(
        module,
        args,
        str(path),
        input_names=[input_name],
        output_names=[output_name],
        dynamic_axes=axes,
        opset_version=OPSET,
        dynamo=False,
    )
    model = onnx.load(str(path))
    del model.metadata_props[:]
    for node in model.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    path.unlink()
    if external:
        onnx.save_model(
            model,
            str(path),
            save_as_external_data=True,
            all_tensors_to_one_file=True,
            location="model.onnx_data",
            size_threshold=256,
        )
    else:
        onnx.save_model(model, str(path))


def export_new(module, args, path, input_name, output_name):
    """The exporter that PyTorch makes by default now; everything static."""
    path.parent.mkdir(parents=True, exist_ok=True)
    program = torch.onnx.export(
        module, args, input_names=[input_name], output_names=[output_name], opset_version=OPSET, dynamo=True, verbose=False
    )
    program.save(str(path), external_data=False)
    model = onnx.load(str(path))
    for node in model.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    del model.metadata_props[:]
    for function in model.functions:
        for node in function.node:
            del node.metadata_props[:]
    onnx.save_model(model, str(path))


def config(vae, folder, **more):
    values = {key: value for key, value in dict(vae.config).items() if not key.startswith("_")}
    values = {"_class_name": "AutoencoderKL", "_diffusers_version": "0.35.0", **values, **more}
    (folder / "config.json").write_text(json.dumps(values, indent=2) + "\n")


def picture(seed, batch, height, width):
    """Smooth waves with a little noise, in [-1, 1]."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.linspace(0, 6, height).view(1, 1, height, 1)
    x = torch.linspace(0, 6, width).view(1, 1, 1, width)
    phase = torch.rand(batch, 3, 1, 1, generator=generator) * 6
    wave = torch.sin(y + phase) * torch.cos(x * (1 + phase / 6))
    return (0.8 * wave + 0.1 * torch.randn(batch, 3, height, width, generator=generator)).clamp(-1, 1)


def numbers(tensor):
    return {"shape": list(tensor.shape), "data": [float(f"{v:.7g}") for v in tensor.float().flatten().tolist()]}


def sampled(tensor, count=400):
    """Shape and every so many elements: enough to compare, small enough to keep."""
    flat = tensor.float().flatten()
    step = max(1, flat.numel() // count)
    return {"shape": list(tensor.shape), "step": step, "data": [float(f"{v:.7g}") for v in flat[::step].tolist()]}


def golden(vae, inputs, scale, shift):
    """encode and decode as a pipeline does: latents scaled between the two."""
    with torch.no_grad():
        posterior = vae.encode(inputs).latent_dist
        latents = (posterior.mean - shift) * scale
        decoded = vae.decode(latents / scale + shift).sample
    return {
        "input": numbers((inputs * 1000).round() / 1000),
        "mean": sampled(latents),
        "logVariance": sampled(posterior.logvar + 2 * torch.log(torch.as_tensor(scale)) * torch.ones_like(latents)),
        "decoded": sampled(decoded),
    }


def tiled(vae, inputs, scale, shift, size, stride, factor):
    """diffusers' own tiling with its blended seams.

    diffusers begins a tile at every stride, so it ends with slivers that the tile before covers already; ours
    do not. What those slivers touch is left out: `mean` and `decoded` hold the part before the last stride.
    """
    vae.enable_tiling()
    with torch.no_grad():
        latents = (vae.encode(inputs).latent_dist.mean - shift) * scale
        decoded = vae.decode(latents / scale + shift).sample
    vae.disable_tiling()
    height, width = (((side - size) // stride + 1) * stride for side in inputs.shape[2:])
    return {
        "input": numbers((inputs * 1000).round() / 1000),
        "latents": numbers(latents),
        "mean": sampled(latents[:, :, : height // factor, : width // factor]),
        "decoded": sampled(decoded[:, :, :height, :width]),
    }


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    rounded = lambda x: (x * 1000).round() / 1000

    # Dynamic batch, height and width; moments; scaling and shift.
    vae = make(1, scaling_factor=0.3611, shift_factor=0.1159)
    folder = OUT / "diffusion"
    export(Encoder(vae, False), (torch.zeros(1, 3, 32, 32),), folder / "vae_encoder/model.onnx", "sample", "latent_parameters", True)
    export(Decoder(vae), (torch.zeros(1, 4, 8, 8),), folder / "vae_decoder/model.onnx", "latent_sample", "sample", True)
    config(vae, folder)
    plain = golden(vae, rounded(picture(1, 2, 24, 32)), 0.3611, 0.1159)
    # 32-pixel tiles every 24 pixels: 32 + 24 + 24 = 80 divides without a rest.
    in_tiles = tiled(vae, rounded(picture(2, 1, 56, 80)), 0.3611, 0.1159, size=32, stride=24, factor=4)
    (OUT / "diffusion.json").write_text(json.dumps({"plain": plain, "tiled": in_tiles}))

    # Half precision, per-channel statistics, batch of one, fixed size.
    mean, std = [0.1, -0.2, 0.3, 0.0], [1.5, 0.5, 2.0, 1.0]
    vae = make(2, scaling_factor=1.0, latents_mean=mean, latents_std=std, force_upcast=False)
    folder = OUT / "diffusion-fp16"
    half = vae.half()
    export(Encoder(half, False), (torch.zeros(1, 3, 16, 16).half(),), folder / "vae_encoder/model.onnx", "sample", "latent_parameters", False)
    export(Decoder(half), (torch.zeros(1, 4, 4, 4).half(),), folder / "vae_decoder/model.onnx", "latent_sample", "sample", False)
    config(vae, folder)
    as_column = lambda values: torch.tensor(values).view(1, -1, 1, 1)
    whole = vae.float()
    result = golden(whole, rounded(picture(3, 3, 16, 16)), 1 / as_column(std), as_column(mean))
    (OUT / "diffusion-fp16.json").write_text(json.dumps(result))

    # An older export: a sample of latents instead of moments, weights in a file of their own, batch of two.
    vae = make(3, scaling_factor=0.18215, block_out_channels=(8, 8), down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2)
    folder = OUT / "diffusion-old"
    export(Encoder(vae, True), (torch.zeros(2, 3, 16, 16),), folder / "vae_encoder/model.onnx", "sample", "latent_sample", False, external=True)
    export(Decoder(vae), (torch.zeros(2, 4, 8, 8),), folder / "vae_decoder/model.onnx", "latent_sample", "sample", False, external=True)
    config(vae, folder)
    result = golden(vae, rounded(picture(4, 3, 16, 16)), 0.18215, 0.0)
    del result["logVariance"]
    (OUT / "diffusion-old.json").write_text(json.dumps(result))

    # A fully connected pair with names of its own, by the newer exporter: two outputs, batch of four.
    torch.manual_seed(4)

    class Down(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.mu, self.spread = torch.nn.Linear(12, 16), torch.nn.Linear(16, 3), torch.nn.Linear(16, 3)

        def forward(self, x):
            hidden = torch.tanh(self.body(x))
            return self.mu(hidden), self.spread(hidden)

    down, up = Down().eval(), torch.nn.Sequential(torch.nn.Linear(3, 16), torch.nn.SiLU(), torch.nn.Linear(16, 12), torch.nn.Sigmoid()).eval()
    folder = OUT / "pair"
    folder.mkdir()
    torch.onnx.export(down, (torch.zeros(4, 12),), str(folder / "down.onnx"), input_names=["features"], output_names=["mu", "spread"], dynamo=True, external_data=False, verbose=False, dynamic_shapes=({0: torch.export.Dim("rows", min=1, max=4096)},), opset_version=OPSET)
    export_new(up, (torch.zeros(4, 3),), folder / "up.onnx", "code", "features")
    model = onnx.load(str(folder / "down.onnx"))
    for node in model.graph.node:
        del node.metadata_props[:]
    del model.metadata_props[:]
    onnx.save_model(model, str(folder / "down.onnx"))
    x = rounded(torch.rand(6, 12))
    with torch.no_grad():
        mu, spread = down(x)
        decoded = up(mu)
    (OUT / "pair.json").write_text(json.dumps({"input": numbers(x), "mean": numbers(mu), "logVariance": numbers(spread), "decoded": numbers(decoded)}))

    total = sum(file.stat().st_size for file in OUT.rglob("*") if file.is_file())
    for file in sorted(OUT.rglob("*")):
        if file.is_file():
            print(f"{file.stat().st_size:9d} {file.relative_to(OUT)}")
    print(f"{total} bytes, torch {torch.__version__}")


main()
