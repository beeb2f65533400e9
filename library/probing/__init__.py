"""What is in a file: PyAV in guarded worker processes."""
