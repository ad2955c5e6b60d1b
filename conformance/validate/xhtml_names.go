package validate

import "strings"

// Elements and attributes of basic formatting: chapters 7 to 11 (without 9.4)
// and 15 of HTML 4.0, links, anchors and images (narrative.html, txt-1).
const (
	basicElements = " a abbr acronym address area b bdo big blockquote br caption cite code col colgroup dd dfn div dl dt em " +
		"h1 h2 h3 h4 h5 h6 hr i img kbd li map ol p pre q samp small span strong sub sup table tbody td tfoot th thead tr tt ul var "
	basicAttributes = " abbr accesskey align alt axis bgcolor border cellpadding cellspacing char charoff charset cite class clear color " +
		"cols colspan compact coords dir face frame headers height href hreflang hspace id ismap lang longdesc name nohref noshade nowrap " +
		"rel rev rowspan rules scope shape size span src start style summary tabindex target title type usemap valign value vspace width " +
		"xml:id xml:lang xml:space xmlns "
)

func allowedElement(name string) bool { return listed(basicElements, name) }

func allowedAttribute(name string) bool {
	return listed(basicAttributes, name) || strings.HasPrefix(name, "xmlns:")
}

func listed(list, name string) bool { return strings.Contains(list, " "+name+" ") }
