"""Loops that train on MNIST, each made into a function that goes once over the same images.

Ours, one written by hand around the same model, and the one that tutorials start from.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from training import loop, run_state
from training.config import RunConfig
from training.vae import VAE

Epoch = Callable[[], None]
"""Takes the steps of one epoch, and returns when the last of them is done."""


def ours(vae: VAE, images: Tensor, config: RunConfig) -> Epoch:
    """`training.loop` as a run calls it, with nobody looking on."""
    state = run_state.fresh(vae, config)
    steps = loop.steps_per_epoch(len(images), config.batch_size)

    def epoch() -> None:
        one_more = config.model_copy(update={"epochs": state.step // steps + 1})
        loop.train(state, images, one_more, loop.Watcher())

    return epoch


def bare(vae: VAE, images: Tensor, config: RunConfig) -> Epoch:
    """The same model, loss, optimizer and draws, and not one line that could be left out.

    For recipes that minimize −ELBO in float32, and neither clip nor average.
    """
    optimizer = torch.optim.AdamW(
        vae.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
    )
    draws = torch.Generator(images.device).manual_seed(config.seed)

    def epoch() -> None:
        order = torch.randperm(len(images)).to(images.device)
        for batch in torch.split(order, config.batch_size):
            x = vae.likelihood.observe(images[batch], draws)
            mean, log_var = vae.encoder(x).chunk(2, dim=1)
            noise = torch.randn(mean.shape, generator=draws, device=mean.device)
            z = mean + torch.exp(0.5 * log_var) * noise
            log_likelihood = vae.likelihood.log_prob(vae.decoder(z), x)
            loss = (vae.prior.rate(mean, log_var, z) - log_likelihood).mean()
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            optimizer.step()
        loss.item()  # a device may still be busy

    return epoch


def example(images: Tensor, config: RunConfig) -> Epoch:
    """The loop of pytorch/examples, vae/main.py: 784-400-20, a DataLoader with torchvision's
    ToTensor on every image, Adam."""
    worker: dict[str, Any] = {"num_workers": 1, "pin_memory": True} if images.is_cuda else {}
    loader = DataLoader(_Pictures(images), batch_size=config.batch_size, shuffle=True, **worker)
    model = _ExampleVAE().to(images.device)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

    def epoch() -> None:
        total = 0.0
        for data, _ in loader:
            x = data.to(images.device)
            optimizer.zero_grad()
            decoded, mean, log_var = model(x)
            cross_entropy = functional.binary_cross_entropy(
                decoded, x.view(-1, 784), reduction="sum"
            )
            rate = -0.5 * torch.sum(1 + log_var - mean.pow(2) - log_var.exp())
            loss = cross_entropy + rate
            loss.backward()  # type: ignore[no-untyped-call]
            total += loss.item()
            optimizer.step()

    return epoch


class _Pictures(Dataset[tuple[Tensor, int]]):
    """As torchvision's MNIST with its ToTensor: bytes in memory, through Pillow one by one."""

    def __init__(self, images: Tensor) -> None:
        self.bytes = (images[:, 0] * 255).round().byte().cpu()  # [N, 28, 28]
        self.labels = torch.zeros(len(images), dtype=torch.int64)

    def __len__(self) -> int:
        return len(self.bytes)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        picture, label = Image.fromarray(self.bytes[index].numpy()), int(self.labels[index])
        pixels = torch.from_numpy(np.array(picture, np.uint8, copy=True))
        pixels = pixels.view(picture.size[1], picture.size[0], 1).permute(2, 0, 1).contiguous()
        return pixels.to(torch.get_default_dtype()).div(255), label


class _ExampleVAE(nn.Module):
    """784-400-20-400-784 with two heads and a sigmoid at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Linear(784, 400)
        self.mean = nn.Linear(400, 20)
        self.log_var = nn.Linear(400, 20)
        self.back = nn.Linear(20, 400)
        self.pixels = nn.Linear(400, 784)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        hidden = functional.relu(self.hidden(x.view(-1, 784)))
        mean, log_var = self.mean(hidden), self.log_var(hidden)
        z = mean + torch.randn_like(mean) * torch.exp(0.5 * log_var)
        decoded = torch.sigmoid(self.pixels(functional.relu(self.back(z))))
        return decoded, mean, log_var
