"""Several processes that go on with the run of one, which a launcher starts: `team_goes_on.py FOLDER`."""

import sys
from pathlib import Path

import torch
from workbench import CarriedSum, Workbench

from seqtrain.distributed.team import gathered
from seqtrain.training import checkpoint

folder = Path(sys.argv[1])
with gathered(torch.device("cpu")) as team:
    trainer = Workbench(folder.parent)(folder.name, max_epochs=4, dropout=0, task=CarriedSum(), team=team)
    trainer.load_state_dict(team.tell(lambda: checkpoint.load(folder / "checkpoints" / "last.pt")))
    trainer.fit()
