"""Shipping a trained model: its weights, and programs that run where seqtrain isn't installed.

`seqtrain.export.folder.export` does it; nothing here imports torch, so that the command line can tell what there is.
"""

FORMATS = ("safetensors", "onnx", "torch")
"""What a model can be exported to."""
