package clients

import (
	"fmt"
	"strings"
	"unicode"
)

// likeness returns notices about the name of a client that waits for an approval: an approver should look twice at a name that is
// close to "NHS", or to that of another client (SMART-067).
func (c *Client) likeness(all []*Client) (out []string) {
	if c.Proposed == nil {
		return nil
	}
	for _, proposed := range []string{c.Proposed.With.Name, c.Proposed.With.Publisher} {
		if strings.Contains(skeleton(proposed), "nhs") {
			out = append(out, fmt.Sprintf("the name %q is close to NHS", proposed))
		}
	}
	name := skeleton(c.Proposed.With.Name)
	for _, other := range all {
		if other.ID != c.ID && alike(name, skeleton(other.Name)) {
			out = append(out, fmt.Sprintf("the name %q is close to that of the client %s, %q", c.Proposed.With.Name, other.ID, other.Name))
		}
	}
	return out
}

// forms has each plain letter followed by what looks like it, and a blank: digits, letters with accents, and letters of other scripts.
const forms = "aàáâãäåāăąаα b8вβ cçćĉċčс dďđ e3èéêëēĕėęěеε gĝğġģ hĥħнһ kкκ l1|ijìíîïĩīĭįıĺļľłіјι mмμ nñńņňŋпην o0òóôõöøōŏőоο pрρ rŕŗř s5$śŝşšșѕ tţťŧțтτ uùúûüũūŭůűųυ wŵ xхχ yýÿŷуу zźżž "

// skeleton returns a name as it looks: in lower case, without blanks and signs, with each letter in its plain form.
func skeleton(name string) string {
	var b strings.Builder
	for _, c := range name {
		if c = plain(unicode.ToLower(c)); unicode.IsLetter(c) || unicode.IsDigit(c) {
			b.WriteRune(c)
		}
	}
	return b.String()
}

// plain returns the plain form of a letter.
func plain(c rune) rune {
	at := strings.IndexRune(forms, c)
	if at < 0 || c == ' ' {
		return c
	}
	return rune(forms[strings.LastIndexByte(forms[:at], ' ')+1])
}

// alike reports whether two skeletons are the same but for one letter in five, at most two.
func alike(a, b string) bool {
	if a == "" || b == "" {
		return false
	}
	x, y := []rune(a), []rune(b)
	allowed := min(2, min(len(x), len(y))/5)
	if len(x)-len(y) > allowed || len(y)-len(x) > allowed {
		return false
	}
	return distance(x, y) <= allowed
}

// distance is how many letters have to be changed, added or removed.
func distance(a, b []rune) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i, x := range a {
		diagonal := row[0]
		row[0] = i + 1
		for j, y := range b {
			change := diagonal
			if x != y {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
