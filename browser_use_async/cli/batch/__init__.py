"""The parts of `batch`: input, settings, runner, progress, results and status."""
