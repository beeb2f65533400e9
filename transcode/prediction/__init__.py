"""How large, how good and how long: said before the work, compared with what came out after it."""
