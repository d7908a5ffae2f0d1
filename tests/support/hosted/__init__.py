"""Stateful fakes of the hosted API, written from its published documents."""
