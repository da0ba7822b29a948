"""Measurements: what the sinks cost beside their floors. Not part of the product."""
