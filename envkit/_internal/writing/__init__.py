"""Write files: atomically, with mode, owner and ACL kept, and only where that is possible."""
