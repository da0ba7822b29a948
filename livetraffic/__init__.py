"""The words that every part of live-traffic speaks: pure, without I/O, clock or environment."""
