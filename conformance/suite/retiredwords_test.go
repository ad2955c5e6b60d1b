package suite

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode"
)

// The tables below have the words that the code must not use, because they were metaphors or had two meanings.
// docs/glossary.md has the words that replace them.

// retiredWords must not be words of an identifier, in any case and position. The value is the replacement.
var retiredWords = map[string]string{
	"usual": "VerifyOnly, default", "steady": "TimingSafe", "wish": "directive", "wishes": "directives", "dissent": "opt-out, refusal",
	"trail": "audit", "crowd": "limiter", "flights": "in-flight commits", "grave": "tombstone", "graves": "tombstones",
	"glance": "cheapLimit", "gaze": "fullLimit", "stretch": "batch", "astray": "stray cursor", "clinician": "staff",
	"few": "candidates", "far": "reverseScan", "along": "followChain", "loose": "crossPartition", "led": "binaryVisible, inheritFromAttachments", "gone": "deleted, ended",
	"asked": "requested", "wants": "typeCatalog", "wanted": "noteUnresolved, mayBeAwaited", "posts": "postings",
	"land": "mayBeStored", "lands": "is stored", "flies": "inFlight", "anew": "again", "behind": "after, following", "apart": "separate", "stands": "is stored, means",
	"surely": "certainly", "alive": "live",
}

// retiredNames must not be whole identifiers. As parts of a name they can be ordinary English, or a term of FHIR:
// inPlace, sortOrder, commonHeaders, neverExpires, heldStore, inFlight, clinicalLetter. The value is the replacement.
var retiredNames = map[string]string{
	"Place": "Partition", "place": "partition, path", "Order": "SortKey", "DocID": "RowID", "docID": "rowID", "Common": "CrossType", "ErrCommon": "ErrNeedsCrossTypeKey", "Feed": "ChangeFeed, SourceSystem",
	"pass": "execution", "never": "unsatisfiable", "less": "countByComplement, before", "odd": "irregular", "held": "hiddenKeySuffix", "flight": "inFlight",
	"letters": "permissions", "Letter": "Permission",
}

// retiredInTests are retired words and names that are ordinary words in tests.
var retiredInTests = map[string]bool{"never": true, "asked": true, "wanted": true, "held": true, "pass": true, "odd": true, "far": true, "less": true, "place": true,
	"alive": true, "surely": true, "behind": true}

// persisted matches retired words in stored or sent values, which keep them.
var persisted = regexp.MustCompile(`^(clinician|feed|dissent|place|order)$`)

// retiredTexts match parts of messages for clients and operators.
var retiredTexts = regexp.MustCompile(`(?i)\b(stands? twice|again and again|whoever|whatever|of whom|not heard|wish(es)?|the trail|crowd|graves?|glance|astray|letters? (of|on) )\b`)

// splitIdentifier returns the words of an identifier in lower case.
func splitIdentifier(name string) []string {
	var words []string
	start := 0
	runes := []rune(name)
	for i := 1; i <= len(runes); i++ {
		end := i == len(runes) || runes[i] == '_' ||
			unicode.IsUpper(runes[i]) && (unicode.IsLower(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1]))
		if end {
			words = append(words, strings.ToLower(strings.Trim(string(runes[start:i]), "_")))
			start = i
		}
	}
	return words
}

// TestWords: no identifier and no message has a retired word. Comments and documents are not checked.
func TestWords(t *testing.T) {
	walk(t, func(_, file string) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if filepath.Base(file) == "retiredwords_test.go" || strings.Contains(string(text[:min(len(text), 200)]), "Code generated") {
			return
		}
		set := token.NewFileSet()
		parsed, err := parser.ParseFile(set, file, text, 0)
		if err != nil {
			t.Fatal(err)
		}
		test := strings.HasSuffix(file, "_test.go") || strings.Contains(file, "/storetest/") || strings.Contains(file, "test/")
		ast.Inspect(parsed, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ImportSpec:
				return false
			case *ast.Ident:
				if instead, retired := retiredNames[n.Name]; retired && !(test && retiredInTests[n.Name]) {
					t.Errorf("%s: the name %s is retired: %s", set.Position(n.Pos()), n.Name, instead)
				}
				for _, w := range splitIdentifier(n.Name) {
					if instead, retired := retiredWords[w]; retired && !(test && retiredInTests[w]) {
						t.Errorf("%s: the word %s in the name %s is retired: %s", set.Position(n.Pos()), w, n.Name, instead)
					}
				}
			case *ast.BasicLit:
				if text, err := strconv.Unquote(n.Value); !test && n.Kind == token.STRING && err == nil && !persisted.MatchString(text) && retiredTexts.MatchString(text) {
					t.Errorf("%s: the message has a retired word: %q", set.Position(n.Pos()), text)
				}
			}
			return true
		})
	})
}

func TestSplitIdentifier(t *testing.T) {
	for name, want := range map[string]string{"usualLimits": "usual limits", "NHSNumberOf": "nhs number of", "a": "a", "parse_trail": "parse trail", "HTTPTrail": "http trail", "rowID": "row id"} {
		if got := strings.Join(splitIdentifier(name), " "); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}
