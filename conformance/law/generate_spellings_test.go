package law_test

import "strings"

// nextSpelling returns the number of the next spelling of an address. It draws no random number.
func (g *generator) nextSpelling() int {
	g.spellingsUsed++
	return g.spellingsUsed
}

// spellAddress returns an address of a resource of this server in one of its equivalent forms.
func spellAddress(address string, n int) string {
	switch n % 9 {
	case 1:
		return "/" + address
	case 2:
		return address + "/"
	case 3:
		return strings.Replace(base, "http://", "https://", 1) + "/" + address
	case 4:
		return strings.Replace(address, "/", "//", 1)
	case 5:
		return strings.Replace(address, "Patient/", "patient/", 1)
	case 6:
		return address + "#part"
	case 7:
		return strings.Replace(address, ".", "%2E", 1)
	case 8:
		return "./" + address
	}
	return base + "/" + address
}

// canonicalAddress is the inverse of spellAddress.
func canonicalAddress(text string) string {
	if i := strings.Index(text, "#"); i > 0 {
		text = text[:i]
	}
	text = strings.ReplaceAll(text, "%2E", ".")
	for _, prefix := range []string{base, strings.Replace(base, "http://", "https://", 1), "."} {
		if rest, cut := strings.CutPrefix(text, prefix+"/"); cut {
			text = rest
		}
	}
	text = strings.Trim(text, "/")
	if !strings.Contains(text, "://") {
		text = strings.Replace(text, "//", "/", 1)
	}
	if rest, cut := strings.CutPrefix(text, "patient/"); cut {
		text = "Patient/" + rest
	}
	return text
}
