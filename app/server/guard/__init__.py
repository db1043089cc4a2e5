"""Who may ask, how often, and from which pages: keys, rate limits, hosts, CORS, and the guard that applies them."""
