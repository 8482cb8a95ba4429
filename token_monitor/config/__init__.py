"""What a user may write: settings types, where they come from, and every mistake in one run."""
