"""The HTTP API framework: routes, checks before a handler runs, responses, OpenAPI and docs."""
