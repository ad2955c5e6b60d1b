package clients

// The longest life of offline access in days (SMART-347, section 28).
const (
	maxOfflineUnused = 90
	maxOfflineTotal  = 365
)

// checkOffline checks the lives of the offline access of a client.
func checkOffline(c *Client, bad func(field, format string, args ...any)) {
	for _, life := range []struct {
		field      string
		days, most int
	}{{"offlineUnusedDays", c.OfflineUnused, maxOfflineUnused}, {"offlineTotalDays", c.OfflineTotal, maxOfflineTotal}} {
		if life.days < 0 || life.days > life.most {
			bad(life.field, "must be 1 to %d, or 0 for the life of the server", life.most)
		}
	}
}

// OfflineByDefault reports whether a client may have offline access where its registration does not say so: an app of patients may,
// one of clinicians may not (SMART-064).
func OfflineByDefault(c *Client) bool {
	return c.Kind != Backend && len(c.Audience) == 1 && c.Audience[0] == ForPatients
}
