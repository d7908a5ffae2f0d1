"""The open-source browser-use agent at work in a real browser, with a language model of yours."""
