"""What answers over HTTP: on this machine alone by default, with bounded sizes."""
