"""synthesis: a recipe -> sounds that stand in for recordings, the same on every run.

recipe.py what is wanted; signals.py tones, noise and filters; voices.py and backgrounds.py what
sounds; scene.py who, where and through which microphone; render.py all of it as WAV files.
"""
