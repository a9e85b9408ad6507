"""Settings: their sections, presets, files, and how layers of them are laid over each other."""
