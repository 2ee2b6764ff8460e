"""What a rule comes to: why a customer is in or out, what is odd, how many there were and will be."""
