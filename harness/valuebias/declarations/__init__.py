"""What a team commits to its repository: margins, claims and tests."""
