"""What services need from outside, as Protocols. Adapters make them real."""
