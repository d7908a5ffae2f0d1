"""Clients of services that create things for money: one file each, with this package among them."""
