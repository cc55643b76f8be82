"""The routes and rules of people, organisations and their credentials."""
