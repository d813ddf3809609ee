"""What generates inputs: properties of the codecs, fuzzers of the readers and of the wire.

The tests are bounded and always draw the same; `python -m tests.fuzz NAME --minutes N` goes on with
other draws for as long as it is given (docs/reliability.md).
"""
