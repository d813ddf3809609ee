"""Batching and the device. Knows tensors and futures; knows no HTTP, no images, no requests."""
