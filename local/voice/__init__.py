"""An ElevenLabs-compatible voice on one machine: Kokoro-82M on onnxruntime, word times from the model's own durations."""
