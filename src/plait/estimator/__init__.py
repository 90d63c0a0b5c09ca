"""scikit-learn's contract: parameters, tags, and tables made of X, y and sample_weight."""
