"""What makes a healthy training a faulty one, where the table of the faults would be long with it."""
