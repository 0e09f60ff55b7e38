"""What people get wrong, one file for each operation."""
