"""The pure rules of publishing on YouTube: metadata, files, slices of an upload, order of the steps."""
