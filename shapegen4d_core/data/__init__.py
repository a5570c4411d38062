"""Training and test data: procedural animated shapes with exact fields and known correspondence."""
