"""What is worth doing: analysers, their runs, and the recommendations that people decide on."""
