"""What one can do with a latent space, beyond asking its two networks: one file per operation.

Each is a function of the service, a model and a question, made of `encode`, `decode` and the prior;
so its rows share batches with those of every other request.
"""
