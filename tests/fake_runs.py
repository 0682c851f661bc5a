"""Run folders as training leaves them, without training."""

import json
from pathlib import Path
from typing import Any

import yaml


def fake_run(
    folder: Path,
    *typed: str,
    model: str = "lstm",
    task: str = "sine",
    seed: int = 0,
    metric: str = "mse",
    val: float = 1.0,
    test: float = 1.5,
    status: str = "finished",
    ended_by: str = "max_epochs",
    curve: tuple[tuple[int, float], ...] = (),
    config: dict[str, Any] | None = None,
    **summary: Any,
) -> Path:
    """Writes a run; `config` is merged into its tree, `summary` into its summary."""
    folder.mkdir(parents=True)
    tree: dict[str, Any] = {
        "model": {"cell": model, "hidden_size": 8},
        "optimizer": {"_target_": "seqtrain.optimizer.AdamW", "lr": 0.01},
        "trainer": {"num_workers": 0},
        "seed": seed,
        "data_dir": str(folder.parent),
        "model_name": model,
        "task_name": task,
    }
    for key, value in (config or {}).items():
        tree[key] = {**tree.get(key, {}), **value} if isinstance(value, dict) else value
    (folder / "config.yaml").write_text(yaml.safe_dump(tree))
    (folder / "overrides.yaml").write_text(yaml.safe_dump(list(typed)))
    rows = [{"step": step, "epoch": 1.0, "seconds": 1.0, f"val/{metric}": value} for step, value in curve]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    if status != "waiting":
        content = {
            "status": status,
            "ended_by": ended_by,
            "metric": f"val/{metric}",
            "parameters": 100,
            "seconds": 10.0,
            "best": {"step": 4, metric: val, "loss": val / 2},
            "test": {metric: test},
            **summary,
        }
        (folder / "summary.json").write_text(json.dumps(content))
    return folder
