"""PyTorch's training step of two convolutional VAEs: `conv` and `residual`. bench/lib/conv-nets.ts has ours."""

import trainer
from torch import nn


class Vae(nn.Module):
    def __init__(self, encoder, features, latent, unflatten, decoder, likelihood):
        super().__init__()
        self.encoder = nn.Sequential(encoder, nn.Flatten())
        self.mean = nn.Linear(features, latent)
        self.log_variance = nn.Linear(features, latent)
        self.decoder = nn.Sequential(nn.Linear(latent, features), *unflatten, decoder)
        self.likelihood = likelihood

    def forward(self, x):
        h = self.encoder(x)
        return trainer.negative_elbo(x, self.mean(h), self.log_variance(h), self.decoder, self.likelihood)


def conv(latent):
    """1x28x28: two strided convolutions of 32 and 64 channels, kernel 4, and their mirror."""
    encoder = nn.Sequential(
        nn.Conv2d(1, 32, 4, stride=2, padding=1), nn.ReLU(), nn.Conv2d(32, 64, 4, stride=2, padding=1), nn.ReLU()
    )
    decoder = nn.Sequential(
        nn.ConvTranspose2d(64, 32, 4, stride=2, padding=1), nn.ReLU(), nn.ConvTranspose2d(32, 1, 4, stride=2, padding=1)
    )
    return Vae(encoder, 64 * 7 * 7, latent, [nn.ReLU(), nn.Unflatten(1, (64, 7, 7))], decoder, "bernoulli")


class Residual(nn.Module):
    """x + conv(silu(norm(conv(silu(norm(x))))))."""

    def __init__(self, channels):
        super().__init__()
        self.body = nn.Sequential(
            nn.GroupNorm(8, channels), nn.SiLU(), nn.Conv2d(channels, channels, 3, padding=1),
            nn.GroupNorm(8, channels), nn.SiLU(), nn.Conv2d(channels, channels, 3, padding=1),
        )

    def forward(self, x):
        return x + self.body(x)


def residual(latent, c=64):
    """3x32x32: one residual block at each of 32, 16 and 8 pixels a side, down and up again."""
    encoder = nn.Sequential(
        nn.Conv2d(3, c, 3, padding=1), Residual(c),
        nn.Conv2d(c, c, 3, stride=2, padding=1), Residual(c),
        nn.Conv2d(c, c, 3, stride=2, padding=1), Residual(c),
        nn.GroupNorm(8, c), nn.SiLU(),
    )
    decoder = nn.Sequential(
        Residual(c), nn.Upsample(scale_factor=2), nn.Conv2d(c, c, 3, padding=1),
        Residual(c), nn.Upsample(scale_factor=2), nn.Conv2d(c, c, 3, padding=1),
        Residual(c), nn.GroupNorm(8, c), nn.SiLU(), nn.Conv2d(c, 3, 3, padding=1),
    )
    return Vae(encoder, c * 8 * 8, latent, [nn.Unflatten(1, (c, 8, 8))], decoder, "gaussian")


trainer.serve(
    lambda spec: {"conv": conv, "residual": residual}[spec["net"]](spec["latent"]),
    ["eager-fused", "eager-channels-last", "compile-fused", "compile-channels-last"],
)
