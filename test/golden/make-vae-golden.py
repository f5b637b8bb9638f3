"""Writes vae/*.json: what PyTorch computes for variational autoencoders on given weights, batches and noise.

    python3 -m venv VENV && VENV/bin/pip install torch==2.13.0 numpy
    VENV/bin/python test/golden/make-vae-golden.py

The tests read the JSON files; they never run Python. Everything is computed in float32 on the CPU, as users
do; the loss terms also in float64. Arrays are flat, row-major, in shortest decimals that give the same float32.
"""

import json
import math
import platform
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from formula import FORMULA, normal, pixels, signs, uniform

OUT = Path(__file__).resolve().parent / "vae"

ACTIVATIONS = {
    "relu": F.relu,
    "leakyRelu": lambda x: F.leaky_relu(x, 0.01),
    "elu": lambda x: F.elu(x, 1.0),
    "selu": F.selu,
    "gelu": F.gelu,
    "silu": F.silu,
    "softplus": F.softplus,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "mish": F.mish,
}


# The model ---------------------------------------------------------------------------------------------------


def shapes_of(net):
    """Parameters in order, by name. Linear weights are [out, in]; the decoder mirrors the encoder."""
    dim, hidden, latent = net["inputDim"], net["hidden"], net["latentDim"]
    shapes = {}

    def linear(name, fan_out, fan_in):
        shapes[f"{name}.weight"] = (fan_out, fan_in)
        shapes[f"{name}.bias"] = (fan_out,)

    widths = [dim, *hidden]
    for i, (fan_in, fan_out) in enumerate(zip(widths, widths[1:])):
        linear(f"encoder.hidden.{i}", fan_out, fan_in)
    linear("encoder.mean", latent, widths[-1])
    linear("encoder.log_variance", latent, widths[-1])
    widths = [latent, *reversed(hidden)]
    for i, (fan_in, fan_out) in enumerate(zip(widths, widths[1:])):
        linear(f"decoder.hidden.{i}", fan_out, fan_in)
    linear("decoder.output", dim, widths[-1])
    if net["likelihood"] == "gaussian-learned":
        shapes["likelihood.log_variance"] = (1,)
    return shapes


def scales_of(net):
    """By name, the power of two next below 1 / sqrt(inputs); wider before the latents, so that the KL counts."""
    scales, fan_in = {}, 1
    for name, shape in shapes_of(net).items():
        if len(shape) == 2:
            fan_in = shape[1]
        wider = 4.0 if name.startswith(("encoder.mean", "encoder.log_variance")) else 1.0
        scales[name] = wider * 2.0 ** math.floor(math.log2(1.0 / math.sqrt(fan_in)))
    return scales


def initial(net, first_stream):
    """Uniform values of each parameter's scale, biases included."""
    scales = scales_of(net)
    shapes = shapes_of(net).items()
    return {name: uniform(first_stream + i, shape, scales[name]) for i, (name, shape) in enumerate(shapes)}


def forward(net, p, x, epsilon, kl_weight):
    """Per example: loss, reconstruction (negative log-likelihood) and KL divergence, in nats."""
    act = ACTIVATIONS[net["activation"]]
    h = x
    for i in range(len(net["hidden"])):
        h = act(F.linear(h, p[f"encoder.hidden.{i}.weight"], p[f"encoder.hidden.{i}.bias"]))
    mean = F.linear(h, p["encoder.mean.weight"], p["encoder.mean.bias"])
    log_variance = F.linear(h, p["encoder.log_variance.weight"], p["encoder.log_variance.bias"])
    h = mean + torch.exp(0.5 * log_variance) * epsilon
    for i in range(len(net["hidden"])):
        h = act(F.linear(h, p[f"decoder.hidden.{i}.weight"], p[f"decoder.hidden.{i}.bias"]))
    out = F.linear(h, p["decoder.output.weight"], p["decoder.output.bias"])
    if net["likelihood"] == "bernoulli":
        nll = F.binary_cross_entropy_with_logits(out, x, reduction="none")
    elif net["likelihood"] == "gaussian":
        nll = 0.5 * ((x - out) ** 2 + math.log(2 * math.pi))
    elif net["likelihood"] == "gaussian-learned":
        lv = p["likelihood.log_variance"]
        nll = 0.5 * ((x - out) ** 2 * torch.exp(-lv) + lv + math.log(2 * math.pi))
    else:
        raise ValueError(net["likelihood"])
    reconstruction = nll.sum(dim=1)
    kl = -0.5 * (1 + log_variance - mean**2 - torch.exp(log_variance)).sum(dim=1)
    return {"loss": reconstruction + kl_weight * kl, "reconstruction": reconstruction, "kl": kl, "mean": mean,
            "log_variance": log_variance, "output": out}


def tensors(values, dtype=torch.float32, grad=True):
    return {k: torch.tensor(v, dtype=dtype).requires_grad_(grad) for k, v in values.items()}


def evaluate(net, weights, x, epsilon, kl_weight, dtype=torch.float32):
    """Forward and backward; the gradient is that of the mean loss over the batch."""
    p = tensors(weights, dtype)
    terms = forward(net, p, torch.tensor(x, dtype=dtype), torch.tensor(epsilon, dtype=dtype), kl_weight)
    loss = terms["loss"].mean()
    loss.backward()
    return {k: v.detach().numpy() for k, v in terms.items()}, {k: v.grad.numpy() for k, v in p.items()}


def mean_terms(terms):
    # The mean in PyTorch's own arithmetic of that precision, as a user's training loop would print it.
    return {k: torch.from_numpy(terms[k]).mean().item() for k in ("loss", "reconstruction", "kl")}


def make_optimizer(spec, parameters):
    kind = spec["type"]
    if kind == "sgd":
        return torch.optim.SGD(parameters, lr=spec["learningRate"], momentum=spec["momentum"],
                               nesterov=spec["nesterov"], dampening=spec["dampening"],
                               weight_decay=spec["weightDecay"])
    cls = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[kind]
    return cls(parameters, lr=spec["learningRate"], betas=(spec["beta1"], spec["beta2"]), eps=spec["epsilon"],
               weight_decay=spec["weightDecay"])


def train(net, weights, rows, indices, epsilons, spec, kl_weight):
    """One optimizer step per row of `indices`; returns parameters, loss terms and gradient norms by step."""
    p = tensors(weights)
    optimizer = make_optimizer(spec, list(p.values()))
    data = torch.tensor(rows)
    history = {"loss": [], "reconstruction": [], "kl": [], "gradientNorm": []}
    for index, epsilon in zip(indices, epsilons):
        optimizer.zero_grad()
        terms = forward(net, p, data[torch.tensor(index)], torch.tensor(epsilon), kl_weight)
        terms["loss"].mean().backward()
        limit = spec.get("clipGradientNorm") or math.inf
        norm = torch.nn.utils.clip_grad_norm_(list(p.values()), limit)
        optimizer.step()
        for k in ("loss", "reconstruction", "kl"):
            history[k].append(terms[k].detach().mean().item())
        history["gradientNorm"].append(norm.item())
    return {k: v.detach().numpy() for k, v in p.items()}, history


# JSON --------------------------------------------------------------------------------------------------------


class Flat(str):
    """A JSON array already written, so that it stays on one line."""


def number(x):
    text = str(x)
    if text in ("nan", "inf", "-inf"):
        raise ValueError("a golden number is not finite")
    return text[:-2] if text.endswith(".0") else text


def flat32(values):
    array = np.asarray(values, dtype=np.float32).reshape(-1)
    text = "[" + ",".join(number(v) for v in array) + "]"
    assert np.array_equal(np.array(json.loads(text), dtype=np.float32), array)
    return Flat(text)


def flat64(values):
    return Flat("[" + ",".join(number(float(v)) for v in np.asarray(values, dtype=np.float64).reshape(-1)) + "]")


def flat_integers(values):
    return Flat("[" + ",".join(str(int(v)) for v in np.asarray(values).reshape(-1)) + "]")


def named(values):
    return {k: {"shape": Flat(json.dumps(list(v.shape))), "values": flat32(v)} for k, v in values.items()}


def to_json(value, indent=0):
    pad = " " * (indent + 1)
    if isinstance(value, Flat):
        return str(value)
    if isinstance(value, dict):
        inner = ",\n".join(f"{pad}{json.dumps(k)}: {to_json(v, indent + 1)}" for k, v in value.items())
        return "{\n" + inner + "\n" + " " * indent + "}"
    if isinstance(value, list) and any(isinstance(v, (dict, list, Flat)) for v in value):
        return "[\n" + ",\n".join(pad + to_json(v, indent + 1) for v in value) + "\n" + " " * indent + "]"
    return json.dumps(value)


def header(**more):
    return {"madeBy": {"script": "test/golden/make-vae-golden.py", "torch": torch.__version__,
                       "python": platform.python_version(), "threads": torch.get_num_threads()}, **more}


def write(name, value):
    OUT.mkdir(exist_ok=True)
    text = to_json(value) + "\n"
    json.loads(text)
    (OUT / f"{name}.json").write_text(text)
    print(f"{name}.json {len(text) / 1000:.0f} kB")


def net_json(net):
    return {**net, "hidden": Flat(json.dumps(net["hidden"]))}


# The files ---------------------------------------------------------------------------------------------------

SMALL = {"inputDim": 36, "hidden": [24], "latentDim": 5, "activation": "relu", "likelihood": "bernoulli"}
BATCH, STEPS, ROWS = 7, 20, 28
ADAM = {"type": "adam", "learningRate": 1e-3, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "weightDecay": 0.0}
SGD = {"type": "sgd", "learningRate": 1e-2, "momentum": 0.9, "nesterov": True, "dampening": 0.0, "weightDecay": 0.0}
OPTIMIZERS = {
    "adam": ADAM,
    "sgd": SGD,
    "adamw": {**ADAM, "type": "adamw", "weightDecay": 0.01},
    "adam-clipped": {**ADAM, "clipGradientNorm": 0.5},
    "sgd-clipped": {**SGD, "clipGradientNorm": 0.5},
    "adam-weight-decay": {**ADAM, "weightDecay": 0.01},
    "sgd-dampened": {**SGD, "nesterov": False, "dampening": 0.1, "weightDecay": 0.01},
}


def case(net, weights, x, epsilon, kl_weight, per_example=False, outputs=False):
    terms, grads = evaluate(net, weights, x, epsilon, kl_weight)
    terms64, _ = evaluate(net, weights, x, epsilon, kl_weight, torch.float64)
    result = {"net": net_json(net), "klWeight": kl_weight, "terms": mean_terms(terms), "terms64": mean_terms(terms64)}
    if per_example:
        result["perExample"] = {k: flat32(terms[k]) for k in ("loss", "reconstruction", "kl")}
        result["perExample64"] = {k: flat64(terms64[k]) for k in ("loss", "reconstruction", "kl")}
    if outputs:
        result["outputs"] = {k: flat32(terms[k]) for k in ("mean", "log_variance", "output")}
    return {**result, "gradients": named(grads)}


def small_inputs():
    rows = uniform(900, (ROWS, SMALL["inputDim"]), 0.5) + np.float32(0.5)
    rows = (np.floor(rows * 256) / 256).astype(np.float32)
    epsilons = normal(901, (STEPS, BATCH, SMALL["latentDim"]))
    indices = [[(BATCH * step + 3 * step * i + i) % ROWS if step else i for i in range(BATCH)] for step in range(STEPS)]
    return rows, epsilons, indices


def write_small():
    rows, epsilons, indices = small_inputs()
    weights = initial(SMALL, 1)
    x, epsilon = rows[indices[0]], epsilons[0]
    optimizers = {}
    for name, spec in OPTIMIZERS.items():
        after, history = train(SMALL, weights, rows, indices, epsilons, spec, 1.0)
        optimizers[name] = {"optimizer": spec, "steps": STEPS, "parameters": named(after),
                            "history": {k: flat32(v) for k, v in history.items()}}
    write("small", header(
        about="A small fully connected VAE in full. `rows` are multiples of 1/256. Step k trains on "
              "rows[indices[k]] with noise epsilons[k]; the terms and gradients are those of step 0 before training. "
              "AdamW's and SGD's weight decay applies to every parameter. Optimizer epsilon, bias correction and "
              "clipping are PyTorch's.",
        batchSize=BATCH, weights=named(weights), rows={"shape": Flat(f"[{ROWS}, 36]"), "values": flat32(rows)},
        indices=[flat_integers(i) for i in indices],
        epsilons={"shape": Flat(f"[{STEPS}, {BATCH}, 5]"), "values": flat32(epsilons)},
        case=case(SMALL, weights, x, epsilon, 1.0, per_example=True, outputs=True),
        weightedCase=case(SMALL, weights, x, epsilon, 0.25),
        optimizers=optimizers,
    ))


def write_activations():
    rows, epsilons, indices = small_inputs()
    weights = initial(SMALL, 1)
    cases = {}
    for name in ACTIVATIONS:
        cases[name] = case({**SMALL, "activation": name}, weights, rows[indices[0]], epsilons[0], 1.0)
    write("activations", header(
        about="The small net with each activation: weights, batch (step 0) and noise of small.json. leakyRelu slope "
              "0.01, elu alpha 1, gelu exact (erf), softplus beta 1.",
        cases=cases))


def write_variants():
    rows, epsilons, indices = small_inputs()
    variants = {
        "gaussian": {**SMALL, "likelihood": "gaussian"},
        "gaussian-learned": {**SMALL, "likelihood": "gaussian-learned"},
        "two-hidden": {**SMALL, "hidden": [24, 12]},
        "two-hidden-gaussian-tanh": {**SMALL, "hidden": [24, 12], "likelihood": "gaussian", "activation": "tanh"},
    }
    cases = {}
    for i, (name, net) in enumerate(variants.items()):
        weights = initial(net, 100 * (i + 1))
        after, history = train(net, weights, rows, indices, epsilons, ADAM, 0.5)
        cases[name] = {**case(net, weights, rows[indices[0]], epsilons[0], 0.5, per_example=True),
                       "weights": named(weights),
                       "trained": {"optimizer": ADAM, "steps": STEPS, "parameters": named(after),
                                   "history": {k: flat32(v) for k, v in history.items()}}}
    write("variants", header(
        about="Other likelihoods and depths: own weights; batch (step 0), rows, indices and noise of small.json. gaussian: "
              "variance 1, 0.5 * ((x - m)^2 + ln(2 pi)) summed; gaussian-learned: one learned log-variance v for all "
              "dimensions, 0.5 * ((x - m)^2 * exp(-v) + v + ln(2 pi)).",
        cases=cases))


FULL = {"inputDim": 784, "hidden": [400], "latentDim": 20, "activation": "relu", "likelihood": "bernoulli"}
FULL_BATCH, SAMPLES, PROJECTIONS, PROJECTION_STREAM = 128, 64, 8, 1000


def digest(values, values64=None):
    """What stands for a tensor too large to store."""
    flat = values.reshape(-1)
    where = [(i * 7919 + i * i * 104729) % flat.size for i in range(SAMPLES)]
    wide = flat.astype(np.float64)
    result = {"shape": Flat(json.dumps(list(values.shape))), "norm": float(np.linalg.norm(wide)),
              "sampleIndices": flat_integers(where), "samples": flat32(flat[where]),
              "projections": flat64([np.dot(wide, signs(PROJECTION_STREAM + k, flat.size)) for k in range(PROJECTIONS)])}
    if values64 is not None:
        result["norm64"] = float(np.linalg.norm(values64))
    return result


def write_full():
    weights = initial(FULL, 1)
    rows = pixels(500, (FULL_BATCH * STEPS, 784))
    epsilons = normal(501, (STEPS, FULL_BATCH, 20))
    terms, grads = evaluate(FULL, weights, rows[:FULL_BATCH], epsilons[0], 1.0)
    terms64, grads64 = evaluate(FULL, weights, rows[:FULL_BATCH], epsilons[0], 1.0, torch.float64)
    indices = np.arange(FULL_BATCH * STEPS).reshape(STEPS, FULL_BATCH).tolist()
    after, history = train(FULL, weights, rows, indices, epsilons, ADAM, 1.0)
    streams = {name: {"shape": Flat(json.dumps(list(v.shape))), "stream": 1 + i, "scale": scales_of(FULL)[name]}
               for i, (name, v) in enumerate(weights.items())}
    write("full", header(
        about="The VAE 784-400-20 at batch 128. Weights, rows and noise come from `formula`: each weight is uniform(stream, "
              "scale) over its elements in row-major order; rows = pixel(500) as [2560, 784]; noise = normal(501) as "
              "[20, 128, 20]. Step k trains on rows 128 k to 128 k + 127 with noise k. A tensor's digest: L2 norm, samples "
              "(its entries at sampleIndices of the flat tensor), projections (projection k: sum over i of "
              "sign(projectionStream + k, i) * t[i]).",
        formula=FORMULA, projectionStream=PROJECTION_STREAM, batchSize=FULL_BATCH, net=net_json(FULL), klWeight=1.0,
        weights=streams,
        inputs={"rows": {"shape": Flat(f"[{FULL_BATCH * STEPS}, 784]"), "stream": 500, "start": flat32(rows[0, :64])},
                "epsilons": {"shape": Flat(f"[{STEPS}, {FULL_BATCH}, 20]"), "stream": 501,
                             "start": flat32(epsilons.reshape(-1)[:64])}},
        terms=mean_terms(terms), terms64=mean_terms(terms64),
        perExample={k: flat32(terms[k]) for k in ("loss", "reconstruction", "kl")},
        gradients={k: digest(v, grads64[k]) for k, v in grads.items()},
        trained={"optimizer": ADAM, "steps": STEPS, "history": {k: flat32(v) for k, v in history.items()},
                 "parameters": {k: digest(v) for k, v in after.items()},
                 "updates": {k: digest(v - weights[k]) for k, v in after.items()}}))


if __name__ == "__main__":
    torch.set_num_threads(2)
    torch.use_deterministic_algorithms(True)
    write_small()
    write_activations()
    write_variants()
    write_full()
