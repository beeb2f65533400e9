"""Before an encode: read the source, refuse what must not be touched, freeze the plan."""
