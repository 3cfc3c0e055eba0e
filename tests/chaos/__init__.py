"""Twenty bad minutes for two boxes and a hub: what goes wrong in homes, at random, and nothing may be lost."""
