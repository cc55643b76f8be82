"""An ElevenLabs-compatible voice on one machine: Kokoro-82M on onnxruntime, with word times from the model's
durations.
"""
