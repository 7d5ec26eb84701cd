"""Ways to reach a person. Each knows the hub, and never another channel."""
