package parsetest

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-sticky/caddy-sticky/caddyfile/parse"
)

var (
	syntaxComment = regexp.MustCompile(`Syntax:\n((?://.*\n)+)$`)
	// optionLine matches an option of the module's own block. A placeholder such as <middleware> is none.
	optionLine = regexp.MustCompile(`(?m)^//\t\t([a-z0-9_]+)`)
)

// CheckSyntax fails unless the syntax comment above a function names exactly the options of the table. The function is
// in a file of the test's own package, and given as it is declared there: `(h *Handler) UnmarshalCaddyfile`.
func CheckSyntax(t *testing.T, file, function string, table parse.Options) {
	t.Helper()
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, _, found := strings.Cut(string(source), "func "+function+"(")
	syntax := syntaxComment.FindStringSubmatch(before)
	if !found || syntax == nil {
		t.Fatalf("%s has no function %s with a syntax comment", file, function)
	}
	var names []string
	for _, line := range optionLine.FindAllStringSubmatch(syntax[1], -1) {
		names = append(names, line[1])
	}
	slices.Sort(names)
	if want := table.Names(); !slices.Equal(names, want) {
		t.Errorf("%s: the syntax of %s names\n\t%v, and its options are\n\t%v", file, function, names, want)
	}
}
