"""The speed, compared with a yardstick in the same run on the same machine.

Absolute times depend on the machine and its load, so every result is a ratio. Both sides take
turns, and medians are compared. `python -m tests.bench --help` says how to run it.
"""
