"""The commands, in rooms by what they touch; flows.cli lists them in the order of --help."""
