"""Results as text, JSON, Markdown, HTML and annotations: each makes a text and prints nothing."""
