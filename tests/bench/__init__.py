"""How fast it is, beside a yardstick that is measured in the same run on the same machine.

Absolute times move with the machine and with who else uses it, so every result is a ratio. Both
sides take turns, and medians are compared. `python -m tests.bench --help` says how to run it.
"""
