"""An ElevenLabs-compatible voice on one machine: Kokoro-82M on onnxruntime.

The word times come from the durations that the model predicts.
"""
