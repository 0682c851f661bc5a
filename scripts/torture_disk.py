def disk(t): pass
