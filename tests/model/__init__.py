"""A model of paying once: what is searched whole, beside what is tested often."""
