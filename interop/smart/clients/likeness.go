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

// lookalikes are letters and digits that look like Latin letters.
var lookalikes = map[rune]rune{
	'0': 'o', '1': 'l', '3': 'e', '5': 's', '$': 's', '8': 'b', 'ł': 'l', 'ı': 'l', '|': 'l', 'i': 'l', 'j': 'l',
	'а': 'a', 'в': 'b', 'е': 'e', 'ѕ': 's', 'і': 'l', 'ј': 'l', 'к': 'k', 'м': 'm', 'н': 'h', 'о': 'o', 'р': 'p', 'с': 'c', 'т': 't', 'у': 'y', 'х': 'x', 'һ': 'h', 'п': 'n',
	'α': 'a', 'β': 'b', 'ε': 'e', 'η': 'n', 'ι': 'l', 'κ': 'k', 'μ': 'm', 'ν': 'n', 'ο': 'o', 'ρ': 'p', 'τ': 't', 'υ': 'y', 'χ': 'x',
}

// skeleton returns a name as it looks: in lower case, without blanks, marks and accents, with letters that look like Latin ones
// replaced by these.
func skeleton(name string) string {
	var b strings.Builder
	for _, c := range name {
		c = unicode.ToLower(c)
		if latin, ok := lookalikes[c]; ok {
			c = latin
		} else if c > unicode.MaxASCII {
			c = withoutAccent(c)
		}
		if unicode.IsLetter(c) || unicode.IsDigit(c) {
			b.WriteRune(c)
		}
	}
	return b.String()
}

// accents has each plain letter followed by its forms with accents, and a blank.
const accents = "aàáâãäåāăą cçćĉċč dďđ eèéêëēĕėęě gĝğġģ hĥħ lìíîïĩīĭįĺļľ nñńņňŋ oòóôõöøōŏő rŕŗř sśŝşšș tţťŧț uùúûüũūŭůűų wŵ yýÿŷ zźżž "

func withoutAccent(c rune) rune {
	at := strings.IndexRune(accents, c)
	if at < 0 {
		return c
	}
	group := accents[strings.LastIndexByte(accents[:at], ' ')+1:]
	return rune(group[0])
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
