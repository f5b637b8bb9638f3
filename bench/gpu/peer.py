"""The VAEs of bench/gpu/cases.mjs in PyTorch, on a card or the processor: steps of training, encoding, decoding.

One argument: a case as JSON. Prints one line of JSON: milliseconds of the median round for each kind of work.
"""

import json
import statistics
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

case = json.loads(sys.argv[1])
device = case["device"]
torch.manual_seed(1)
# As ONNX Runtime's CUDA provider has it by default: matrix products and convolutions in TF32 where the card can.
torch.backends.cuda.matmul.allow_tf32 = True
torch.backends.cudnn.allow_tf32 = True
torch.backends.cudnn.benchmark = True


class Mlp(nn.Module):
    def __init__(self, size, hidden, latent):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(size, hidden), nn.ReLU())
        self.mean, self.log_variance = nn.Linear(hidden, latent), nn.Linear(hidden, latent)
        self.decoder = nn.Sequential(nn.Linear(latent, hidden), nn.ReLU(), nn.Linear(hidden, size))


class Conv(nn.Module):
    def __init__(self, channels, side, planes, latent):
        super().__init__()
        a, b = planes
        features = b * (side // 4) ** 2
        self.encoder = nn.Sequential(
            nn.Conv2d(channels, a, 4, 2, 1), nn.ReLU(), nn.Conv2d(a, b, 4, 2, 1), nn.ReLU(), nn.Flatten()
        )
        self.mean, self.log_variance = nn.Linear(features, latent), nn.Linear(features, latent)
        self.decoder = nn.Sequential(
            nn.Linear(latent, features), nn.Unflatten(1, (b, side // 4, side // 4)), nn.ReLU(),
            nn.ConvTranspose2d(b, a, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(a, channels, 4, 2, 1),
        )


class Residual(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.body = nn.Sequential(
            nn.GroupNorm(8, inputs), nn.SiLU(), nn.Conv2d(inputs, outputs, 3, padding=1),
            nn.GroupNorm(8, outputs), nn.SiLU(), nn.Conv2d(outputs, outputs, 3, padding=1),
        )
        self.skip = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)

    def forward(self, x):
        return self.skip(x) + self.body(x)


def top(channels):
    return [nn.GroupNorm(8, channels), nn.SiLU()]


class Resnet(nn.Module):
    def __init__(self, channels, side, planes, blocks, latent, as_map):
        super().__init__()
        inward, now = [nn.Conv2d(channels, planes[0], 3, padding=1)], planes[0]
        for index, count in enumerate(planes):
            if index:
                inward.append(nn.Conv2d(now, now, 3, 2, 1))
            for _ in range(blocks):
                inward.append(Residual(now, count))
                now = count
        low = side >> (len(planes) - 1)
        features = now * low * low
        outward = []
        if as_map:
            heads = [nn.Conv2d(now, latent, 1), nn.Conv2d(now, latent, 1)]
            outward.append(nn.Conv2d(latent, now, 3, padding=1))
        else:
            inward_end = [nn.Flatten()]
            heads = [nn.Linear(features, latent), nn.Linear(features, latent)]
            outward += [nn.Linear(latent, features), nn.Unflatten(1, (now, low, low))]
        self.encoder = nn.Sequential(*inward, *top(now), *([] if as_map else inward_end))
        self.mean, self.log_variance = heads
        for index in reversed(range(len(planes))):
            if index < len(planes) - 1:
                outward += [nn.Upsample(scale_factor=2), nn.Conv2d(now, now, 3, padding=1)]
            for _ in range(blocks):
                outward.append(Residual(now, planes[index]))
                now = planes[index]
        self.decoder = nn.Sequential(*outward, *top(now), nn.Conv2d(now, channels, 3, padding=1))


def make():
    net = case["net"]
    if net == "mlp":
        return Mlp(case["shape"][0], case["hidden"], case["latent"])
    channels, side = case["shape"][0], case["shape"][1]
    if net == "conv":
        return Conv(channels, side, case["channels"], case["latent"])
    return Resnet(channels, side, case["channels"], case["blocks"], case["latent"], case["map"])


def wait():
    if device == "cuda":
        torch.cuda.synchronize()


def median(rounds, work, warm=3):
    taken = []
    for index in range(-warm, rounds):
        wait()
        begin = time.perf_counter()
        work()
        wait()
        if index >= 0:
            taken.append((time.perf_counter() - begin) * 1000)
    return statistics.median(taken)


model = make().to(device)
shape = case["shape"]
answer = {"torch": torch.__version__, "parameters": sum(p.numel() for p in model.parameters())}

if case["steps"]:
    data = torch.randint(0, 256, (case["rows"], *shape), dtype=torch.uint8).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)

    def step():
        rows = torch.randint(0, case["rows"], (case["batch"],), device=device)
        x = data[rows].float().mul_(1 / 255)
        optimizer.zero_grad()
        h = model.encoder(x)
        mean, log_variance = model.mean(h), model.log_variance(h)
        z = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
        loss = F.binary_cross_entropy_with_logits(model.decoder(z), x, reduction="sum")
        loss = (loss - 0.5 * torch.sum(1 + log_variance - mean.pow(2) - log_variance.exp())) / len(x)
        loss.backward()
        optimizer.step()
        return loss

    def steps():
        # As ours: losses are looked at at the end of an epoch.
        losses = [step().detach() for _ in range(case["steps"])]
        torch.stack(losses).cpu()

    answer["train"] = median(case["rounds"], steps, 1) / case["steps"]

with torch.inference_mode():
    x = torch.rand(case["inferenceBatch"], *shape)
    z = model.mean(model.encoder(x[:1].to(device)))
    z = torch.randn(case["inferenceBatch"], *z.shape[1:])
    if case["encode"]:
        answer["encode"] = median(case["rounds"], lambda: model.mean(model.encoder(x.to(device))).cpu())
    answer["decode"] = median(case["rounds"], lambda: torch.sigmoid(model.decoder(z.to(device))).cpu())
print(json.dumps(answer))
