"""How programs behave at the edges of the format: cases, programs, the table of their answers."""
