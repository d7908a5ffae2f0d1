"""What `browser-use-async demo` shows. It knows no page of the site that it is shown with."""
