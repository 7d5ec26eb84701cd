"""Aggregators: one file for each way a phone company hands sessions over."""
