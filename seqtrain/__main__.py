"""The command `seqtrain`, also as `python -m seqtrain`."""

import sys

from seqtrain.cli import main

if __name__ == "__main__":
    sys.exit(main())
