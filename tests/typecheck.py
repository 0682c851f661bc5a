"""What checks shapes and types at every call while tests run: beartype, with int taken for float as Python does."""

from beartype import BeartypeConf, beartype

check = beartype(conf=BeartypeConf(is_pep484_tower=True))
