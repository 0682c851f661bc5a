"""What a run says of itself: the terminal, the metrics file, TensorBoard, and what they show."""
