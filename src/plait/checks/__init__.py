"""The health of a table, and of the machine."""
