"""Tables, their columns' types, splits, batches, and what is wrong with them."""
