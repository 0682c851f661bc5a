"""Train, compare and ship recurrent sequence models from one command line."""
