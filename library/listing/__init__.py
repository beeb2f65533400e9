"""One definition of filters, sorts and pages, fast at a million files."""
