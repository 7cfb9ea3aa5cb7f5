"""What `envkit exec` needs besides becoming the app: warnings, and staying its parent."""
