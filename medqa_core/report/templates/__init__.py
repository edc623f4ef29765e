"""The write-up as HTML, Markdown, plain text and model card, each from its Jinja2 template."""
