"""The shell: reads the world, wires the parts, runs them and reports."""
