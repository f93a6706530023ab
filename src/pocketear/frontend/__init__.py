"""frontend: a waveform enters; log-mel or MFCC leaves."""
