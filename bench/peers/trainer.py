"""A PyTorch training loop as its own users write it: gather, scale, loss, backward, Adam."""

import time

import lines
import torch
from torch.nn import functional as F

# Name: Adam's implementation, what is compiled (nothing, the loss with its backward pass, the optimizer's step
# as well), and whether pictures lie channels last in memory.
VARIANTS = {
    "eager-foreach": ("foreach", None, False),
    "eager-fused": ("fused", None, False),
    "eager-channels-last": ("fused", None, True),
    "compile-fused": ("fused", "loss", False),
    "compile-all": ("foreach", "all", False),
    "compile-channels-last": ("fused", "loss", True),
}


def negative_elbo(x, mean, log_variance, decode, likelihood):
    """Mean over the batch in nats. `decode` takes the latents to logits or means shaped like x."""
    z = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
    out = decode(z)
    if likelihood == "bernoulli":
        reconstruction = F.binary_cross_entropy_with_logits(out, x, reduction="sum")
    else:
        reconstruction = 0.5 * F.mse_loss(out, x, reduction="sum")
    kl = -0.5 * torch.sum(1 + log_variance - mean.pow(2) - log_variance.exp())
    return (reconstruction + kl) / x.shape[0]


class Trainer:
    """`data` is uint8 [rows, ...]; `model(x)` returns the loss of a float32 batch in [0, 1]."""

    def __init__(self, model, data, batch, variant):
        adam, self.compiled, channels_last = VARIANTS[variant]
        self.data, self.batch = data, batch
        self.format = torch.channels_last if channels_last else torch.contiguous_format
        self.model = model.to(memory_format=self.format)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-3, **{adam: True})
        self.loss = torch.compile(self.model) if self.compiled else self.model
        self.update = torch.compile(self.optimizer.step) if self.compiled == "all" else self.optimizer.step

    def run(self, steps):
        order = torch.cat([torch.randperm(len(self.data)) for _ in range(-(-steps * self.batch // len(self.data)))])
        total = 0.0
        begin = time.perf_counter()
        for step in range(steps):
            rows = order[step * self.batch : (step + 1) * self.batch]
            x = self.data[rows].float().mul_(1 / 255)
            if x.dim() == 4:
                x = x.contiguous(memory_format=self.format)
            self.optimizer.zero_grad()
            loss = self.loss(x)
            loss.backward()
            self.update()
            total += loss.item()
        return {"seconds": time.perf_counter() - begin, "loss": total / steps}


def read_rows(spec):
    """uint8 rows of a file, past its header of `skip` bytes."""
    with open(spec["data"], "rb") as file:
        rows = torch.frombuffer(bytearray(file.read()[spec["skip"] :]), dtype=torch.uint8)
    return rows.reshape(-1, *spec["shape"])


def serve(make_model, variants):
    """
    Requests: {"do": "warm" | "run", "variant", "steps"}, and {"do": "memory", "variant", "steps"}: the peak of
    resident memory of a few steps over what the process held before the model was made; for a fresh process.
    """
    spec = lines.options()
    torch.set_num_threads(spec["threads"])
    data = read_rows(spec)
    trainers = {}

    def warm(request):
        torch.manual_seed(1)
        name = request["variant"]
        trainers[name] = Trainer(make_model(spec), data, spec["batch"], name)
        return trainers[name].run(request["steps"])

    def run(request):
        return trainers[request["variant"]].run(request["steps"])

    def memory(request):
        torch.ones(512, 512) @ torch.ones(512, 512)
        data.sum()
        lines.reset_peak()
        before = lines.resident_bytes()
        answer = warm(request)
        return {**answer, "peakBytes": lines.peak_resident_bytes() - before, "totalBytes": lines.peak_resident_bytes()}

    ready = {"versions": {"torch": torch.__version__}, "variants": variants}
    lines.serve(ready, {"warm": warm, "run": run, "memory": memory})
