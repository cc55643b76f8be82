"""Clients of AWS services: requests, signatures, and one module for each service we use."""
