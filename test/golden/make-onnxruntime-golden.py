"""What onnxruntime-training 1.19.2 makes of the directories under test/golden/onnxruntime.

    python3 -m venv env && env/bin/pip install onnxruntime-training-cpu==1.19.2 'numpy<2' 'onnx<1.17'
    env/bin/python test/golden/make-onnxruntime-golden.py            # writes losses.json and conv-adamw.step25.checkpoint
    env/bin/python test/golden/make-onnxruntime-golden.py --resume CHECKPOINT [DIRECTORY]
                                    # goes on from a checkpoint that node-vae wrote, and holds it to losses.json

The directories were made by onnxruntime.training.artifacts.generate_artifacts of that version, from models exported by
torch.onnx.export(training=TrainingMode.TRAINING, do_constant_folding=False): `vae` 784-64-8 with its noise as an input
and binary cross-entropy plus divergence over 32 as its loss, `conv` and `convbn` (batch normalisation, dropout left
out) of 28×28, `block` a transformer block over 12 tokens, `lstm` and `gru` over 5 steps of 4. Where a directory has no
checkpoint of its own, it is that of the directory with adamw. Inputs follow formula.py.
"""

import argparse
import json
import os
import sys
import types

import numpy as np
import onnxruntime

sys.path.insert(0, os.path.dirname(__file__))
from formula import hashes, normal, pixels  # noqa: E402

# The package imports PyTorch for what is not used here.
package = types.ModuleType("onnxruntime.training")
package.__path__ = [os.path.join(os.path.dirname(onnxruntime.__file__), "training")]
sys.modules["onnxruntime.training"] = package
from onnxruntime.training.api import CheckpointState, Module, Optimizer  # noqa: E402

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "onnxruntime")
ROWS, STEPS = 32, 50
NAMES = [
    "block-adamw", "conv-adamw", "conv-sgd", "convbn-adamw", "gru-adamw", "lstm-adamw",
    "vae-adamw", "vae-adamw-clip", "vae-sgd",
]  # fmt: skip


def below(stream, shape, limit):
    return (hashes(stream, 0, int(np.prod(shape))) % np.uint32(limit)).astype(np.int64).reshape(shape)


def batch(kind, step):
    """The inputs of one step: stream 2s + 1 the data, 2s + 2 what goes with it."""
    data, other = 2 * step + 1, 2 * step + 2
    if kind == "vae":
        return pixels(data, (ROWS, 784)), normal(other, (ROWS, 8))
    if kind == "block":
        return below(data, (ROWS, 12), 50), below(other, (ROWS, 50), 12)
    if kind in ("lstm", "gru"):
        x = normal(data, (ROWS, 5, 4))
        return x, below(other, (ROWS,), 2)
    labels = below(other, (ROWS,), 10)
    x = pixels(data, (ROWS, 1, 28, 28)).copy()
    x[np.arange(ROWS), 0, labels, :] = 1.0
    return x, labels


def open_directory(name, checkpoint=None):
    folder = os.path.join(HERE, name)
    own = os.path.join(folder, "checkpoint")
    if not os.path.exists(own):
        own = os.path.join(HERE, name.split("-")[0] + "-adamw", "checkpoint")
    state = CheckpointState.load_checkpoint(checkpoint or own)
    # The eval graph of batch normalisation exported for training is one that the library itself refuses.
    evaluation = None if name.startswith("convbn") else os.path.join(folder, "eval_model.onnx")
    module = Module(os.path.join(folder, "training_model.onnx"), state, evaluation)
    optimizer = Optimizer(os.path.join(folder, "optimizer_model.onnx"), module)
    return state, module, optimizer


def rate(name):
    return 5e-2 if name == "conv-sgd" else 1e-3


def train(name, first, last, accumulate=1, checkpoint=None, save=None):
    state, module, optimizer = open_directory(name, checkpoint)
    optimizer.set_learning_rate(rate(name))
    losses = []
    for step in range(first, last):
        module.train()
        losses.append(float(np.asarray(module(*batch(name.split("-")[0], step))).ravel()[0]))
        if (step + 1) % accumulate == 0:
            optimizer.step()
            module.lazy_reset_grad()
        if save and step + 1 == 25:
            CheckpointState.save_checkpoint(state, save, include_optimizer_state=True)
    evaluated = None
    if not name.startswith("convbn"):
        module.eval()
        evaluated = float(np.asarray(module(*batch(name.split("-")[0], 0))).ravel()[0])
    norms = {n: float(np.linalg.norm(np.asarray(p.data).astype(np.float64))) for n, p in state.parameters}
    return {"learningRate": rate(name), "losses": losses, "evaluated": evaluated, "norms": norms}


parser = argparse.ArgumentParser()
parser.add_argument("--resume")
parser.add_argument("directory", nargs="?", default="conv-adamw")
args = parser.parse_args()
if args.resume:
    golden = json.load(open(os.path.join(HERE, "losses.json")))[args.directory]["losses"][25:]
    found = train(args.directory, 25, STEPS, checkpoint=args.resume)["losses"]
    worst = max(abs(a - b) / abs(b) for a, b in zip(found, golden, strict=True))
    print(f"25 losses after {args.resume}: largest relative difference {worst:.2e}")
    sys.exit(0 if worst < 1e-6 else 1)
results = {}
for each in NAMES:
    save = os.path.join(HERE, "conv-adamw.step25.checkpoint") if each == "conv-adamw" else None
    results[each] = train(each, 0, STEPS, save=save)
results["vae-sgd accumulated"] = train("vae-sgd", 0, 20, accumulate=4)
json.dump(results, open(os.path.join(HERE, "losses.json"), "w"), indent=1)
