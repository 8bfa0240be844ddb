"""What commands do with one file after the other, in one process or in several: settings, a task, what it made."""
