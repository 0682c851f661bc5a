"""The words that a user types: one YAML file each. A package, so that it ships in the wheel."""
