"""What `batch` is made of: a table of rows, a template, the results, and what a person sees."""
