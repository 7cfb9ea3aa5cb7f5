"""What several modules need and no user should import."""
