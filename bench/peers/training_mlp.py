"""PyTorch's training step of the fully connected VAE 784-400-20."""

import trainer
from torch import nn
from torch.nn import functional as F


class Vae(nn.Module):
    """PyTorch's basic VAE example with logits out: faster and safer than sigmoid and binary cross-entropy."""

    def __init__(self, inputs, hidden, latent):
        super().__init__()
        self.fc1 = nn.Linear(inputs, hidden)
        self.fc21 = nn.Linear(hidden, latent)
        self.fc22 = nn.Linear(hidden, latent)
        self.fc3 = nn.Linear(latent, hidden)
        self.fc4 = nn.Linear(hidden, inputs)

    def decode(self, z):
        return self.fc4(F.relu(self.fc3(z)))

    def forward(self, x):
        h = F.relu(self.fc1(x))
        return trainer.negative_elbo(x, self.fc21(h), self.fc22(h), self.decode, "bernoulli")


trainer.serve(
    lambda spec: Vae(spec["shape"][0], spec["hidden"], spec["latent"]),
    ["eager-foreach", "eager-fused", "compile-fused", "compile-all"],
)
