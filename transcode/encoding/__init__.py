"""ffmpeg as a guarded child process, and the encode itself."""
