"""One self-contained HTML page a run or comparison: no outside links, readable without a network."""
