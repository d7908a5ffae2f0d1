"""Reading pages without a language model: finding, opening and parsing them."""
