"""data: a dataset on disk enters; the clip table and stored waveforms leave."""
