"""data/decoding: a file of sound enters, whoever made it; a waveform and its measurements leave."""
