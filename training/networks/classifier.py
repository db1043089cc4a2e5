"""The softmax layer that fine-tunes a stack with labels."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - torch's own convention


class Classifier(nn.Module):
    """
    Logits of the classes: a dense layer on the activations of the latents.

        z       (B, latent_dim)
        logits  (B, classes)
    """

    def __init__(self, latent_dim: int, classes: int, weight: float) -> None:
        super().__init__()
        self.layer = nn.Linear(latent_dim, classes)
        self.weight = weight
        """The weight of the cross-entropy in the network's loss."""

    def forward(self, z: Tensor) -> Tensor:
        """Return the logits. Shapes: (B, latent_dim) -> (B, classes)."""
        logits: Tensor = self.layer(F.silu(z))
        return logits

    def loss(self, z: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Return the mean cross-entropy in nats, and the share of rows whose class is not the likeliest one."""
        logits = self(z).float()
        error = (logits.argmax(1) != labels).float().mean()
        return {"cross_entropy": F.cross_entropy(logits, labels), "error": error}
