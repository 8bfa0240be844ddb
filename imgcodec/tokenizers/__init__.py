"""Image <-> tokens. Pure `nn.Module`s: they know nothing of files, the command line or priors."""
