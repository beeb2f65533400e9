"""The journalled swap, its recovery and its undo: the code that touches films."""
