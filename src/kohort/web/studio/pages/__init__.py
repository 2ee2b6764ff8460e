"""Pages by area. Each module has `routes`, a `PageRoutes`."""
