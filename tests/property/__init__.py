"""Laws: what holds for all input, tried by Hypothesis with input that it makes up."""
