package desk

import "slices"

// table lists all routes.
func table() []route {
	return slices.Concat(
		descriptionRoutes(),
		sessionRoutes(),
		watchRoutes(),
		webhookRoutes(),
		erasureRoutes(),
		attendanceRoutes(),
		countRoutes(),
		mediaRoutes(),
		explainRoutes(),
		exportRoutes(),
	)
}

// Actions lists what policies can allow at the desk, without "callboard:".
func Actions() []string {
	var names []string
	for _, r := range table() {
		if !r.open && !slices.Contains(names, r.name) {
			names = append(names, r.name)
		}
	}
	return names
}
