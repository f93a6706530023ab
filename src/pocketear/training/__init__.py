"""training: waveforms and labels enter; a fitted network leaves."""
