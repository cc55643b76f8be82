"""An OpenAI-compatible language model on one machine: SmolLM2-135M where there is only a topic, sentence selection where there is a source."""
