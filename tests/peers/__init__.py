"""What Lares costs beside other programs that watch the same cameras."""
