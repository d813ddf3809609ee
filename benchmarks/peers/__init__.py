"""What latentd is compared with, one folder a server: its adapter in `__init__`, else in `server`.

An adapter says how the server is started and asked. It and `server` run in environments that lack
latentd's dependencies, so they import nothing of the benchmarks but `questions` and what lies here.
"""
