"""Would the tests notice? Small changes to the code, one at a time, and the tests run on each.

Cosmic Ray makes the changes, in a copy of the checkout. `python -m tests.mutants --help` says how
to run it, and `spec-notes/mutants.md` what survives and why.
"""
