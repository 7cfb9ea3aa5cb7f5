"""What `envkit exec` needs beyond becoming the app: warnings, and staying its parent."""
