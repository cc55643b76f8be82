"""Publishing to YouTube without input or output: rules for metadata and files, slices of an upload, order of the steps."""
