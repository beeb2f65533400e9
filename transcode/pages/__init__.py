"""What the pages of queue, jobs, history and presets show."""
