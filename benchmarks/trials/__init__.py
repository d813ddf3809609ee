"""Trials of latentd under load: each one puts a real service under strain and holds it to goals.

They use the service over HTTP alone, and the load generators and processes of the benchmarks.
"""
