"""What helps to test software that reads and writes image layouts.

Nothing is imported here: the modules need packages that the library itself does without.
"""
