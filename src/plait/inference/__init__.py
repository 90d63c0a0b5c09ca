"""What a finished run does: predict, generate, classify by names or by some examples, put in order."""
