"""One file per family of URLs: validate, call the service, answer. No route knows another."""
