"""Where training takes its randomness from: streams named by (seed, purpose, number).

A stream depends on nothing that came before it, so a run that goes on from step k draws what an
uninterrupted one would have drawn, and no generator state needs to be saved.
"""

import random

import torch

CPU = torch.device("cpu")


def stream(seed: int, purpose: str, number: int, device: torch.device = CPU) -> torch.Generator:
    """A fresh generator on `device`, the same for the same three names."""
    mixed = random.Random(f"{seed}/{purpose}/{number}").getrandbits(63)
    return torch.Generator(device).manual_seed(mixed)
