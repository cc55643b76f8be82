"""The WebSocket API: tickets, connections, topics, delivery."""
