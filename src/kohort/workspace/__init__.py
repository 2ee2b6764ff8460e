"""All definitions of one customer as a folder of files."""
