"""The one loop and its parts: fitting, evaluating, limits, faults, checkpoints. Of tasks it sees the abstract one."""
