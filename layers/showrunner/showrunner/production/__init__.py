"""What a video is made of: pure rules without any I/O."""
