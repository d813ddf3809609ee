"""The precisions in which networks may be trained; weights and all sums are float32 in each."""

import torch

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
