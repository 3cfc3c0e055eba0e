"""What Lares promises about its cost and its haste under load, measured by `lares bench` alone."""
