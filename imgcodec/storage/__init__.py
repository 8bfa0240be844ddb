"""Files and folders: input with a limit, output that appears whole or not at all."""
