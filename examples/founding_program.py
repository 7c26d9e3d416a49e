"""The founding program: two PyTorch modules, a fusion, and a training loop written by hand.

The label states whether the colour of the picture is the one that the text names. Neither field alone determines it, and
neither does a sum over the fields. The program runs twice: with concatenation, after which a linear head adds the fields,
and with ``fusion="lowrank"``, which multiplies them. All data is generated from a seed; it takes a few seconds on one core.

    python examples/founding_program.py
"""

from __future__ import annotations

import torch
from torch import Tensor, nn, optim

from polymodal import MultiModalModel

VOCABULARY = 50
TRAIN, TEST, BATCH, EPOCHS = 1024, 512, 64, 8


class ImageModel(nn.Module):
    """(B, 3, 16, 16) -> (B, 64)."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 16, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(32, 64),
        )

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images)


class TextModel(nn.Module):
    """(B, words) word numbers -> (B, 32)."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.EmbeddingBag(VOCABULARY, 64, mode="mean")
        self.project = nn.Linear(64, 32)

    def forward(self, texts: Tensor) -> Tensor:
        return self.project(torch.relu(self.embed(texts)))


def rows(count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return noisy pictures that are mostly red or mostly green, texts of six words of which one is "red" (0) or "green" (1),
    and whether the two agree, (B, 1)."""
    shown, named = torch.randint(2, (count,)), torch.randint(2, (count,))
    images = 0.5 * torch.randn(count, 3, 16, 16)
    images[torch.arange(count), shown] += 1.0
    texts = torch.randint(2, VOCABULARY, (count, 6))
    texts[torch.arange(count), torch.randint(6, (count,))] = named
    return images, texts, (shown == named).float().unsqueeze(1)


def train(fusion: str) -> float:
    """Train with a fusion, and return the accuracy on new rows."""
    torch.manual_seed(0)
    images, texts, labels = rows(TRAIN)
    test_images, test_texts, test_labels = rows(TEST)

    model = MultiModalModel(ImageModel(), TextModel(), fusion=fusion)  # the default is concat
    optimizer = optim.Adam(model.parameters(), lr=0.001)  # before any call: the widths are determined at the first one
    criterion = nn.BCEWithLogitsLoss()

    for _ in range(EPOCHS):
        for batch in torch.randperm(TRAIN).split(BATCH):
            optimizer.zero_grad()
            outputs = model(images[batch], texts[batch])
            loss = criterion(outputs, labels[batch])
            loss.backward()
            optimizer.step()

    model.eval()
    with torch.no_grad():
        predictions = torch.sigmoid(model(test_images, test_texts)) > 0.5
        represented = model.represent(test_images, test_texts)
    accuracy = float((predictions == test_labels.bool()).float().mean())
    print(f"{fusion:8}  loss {loss.item():.3f}  test accuracy {accuracy:.3f}  h {tuple(represented.shape)}")
    return accuracy


if __name__ == "__main__":
    train("concat")
    train("lowrank")
