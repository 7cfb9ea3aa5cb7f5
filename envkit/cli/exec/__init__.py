"""What `envkit exec` and the shell hook need beyond `hot`: warnings, and staying the parent."""
