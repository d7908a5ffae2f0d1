"""Clients of services that create things for money: one file each, ours among them."""
