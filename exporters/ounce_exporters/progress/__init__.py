"""What people and programs see while something is read, trained or searched."""
