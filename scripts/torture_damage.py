def damage(t): pass
