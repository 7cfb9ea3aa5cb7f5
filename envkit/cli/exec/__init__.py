"""What `envkit exec` and the shell hook need beyond `hot`: warnings, staying the parent of an app."""
