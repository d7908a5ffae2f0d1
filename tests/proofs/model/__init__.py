"""A model of paying once, which is searched completely, besides the tests."""
