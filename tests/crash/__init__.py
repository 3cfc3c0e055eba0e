"""Pulls the plug on the agent again and again, and counts what arrives: see docs/durability.md."""
